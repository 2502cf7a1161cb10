"""Nodes that each know only their own uploads (MinIO) as one store: one after the other, each upload once."""

from __future__ import annotations

import time
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores.base import UPLOADS_OPERATION, Page, PageRequest
from exporter.stores.pagination import means_no_uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Upload
    from exporter.stores.base import BucketSession, CompletedCall, FoundBucket, Marker, PartSum, Store

_TURN_SECONDS = 0.01
"""How long one node's answers are waited for while others are in flight, too."""


class Node(NamedTuple):
    """One of the servers: what errors call it, and what asks it."""

    name: str
    store: Store


class MultiNodeStore:
    """A store of nodes. What one of them cannot say fails the scan: a part of the union is no number.

    Rules and lists of buckets are the same on all nodes: the first is asked.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        """Make it of one node or more, in the order in which they are listed."""
        self._nodes = tuple(nodes)
        self._first = nodes[0].store
        self.operations = self._first.operations
        self.has_part_times = self._first.has_part_times

    @property
    def signing_region(self) -> str:
        """The region requests are signed for."""
        return self._first.signing_region

    def open(self, bucket: BucketSettings, deadline: float) -> MultiNodeSession:
        """Return what makes the calls of one scan of the bucket. Raises StoreError."""
        calls: list[BucketSession] = []
        try:
            for node in self._nodes:
                calls.append(_opened(node, bucket, deadline))  # noqa: PERF401 - those before it are closed
        except BaseException:
            for each in calls:
                each.close()
            raise
        return MultiNodeSession(self._nodes, calls)

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return a page of the buckets. Raises StoreError."""
        return self._first.list_buckets(marker, deadline)

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return what the bucket's lifecycle rules do about uploads. Raises StoreError."""
        return self._first.abort_rules(bucket, deadline)

    def new_part_sum(self) -> PartSum:
        """Return what adds up the parts of one upload."""
        return self._first.new_part_sum()

    def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            node.store.close()


class _Sent(NamedTuple):
    label: object
    node: int
    ask: PageRequest


class MultiNodeSession:
    """The calls of one scan. A marker is the node's number, then the node's own marker.

    Who listed an upload first is kept for the scan, by hash: some 100 bytes an upload.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        calls: Sequence[BucketSession],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make them of each node's own calls."""
        self._nodes = nodes
        self._calls = calls
        self._monotonic = monotonic
        self._in_flight = [0] * len(calls)
        self._lister: dict[int, int] = {}
        self._page_before: set[int] = set()
        self._lacking: dict[int, StoreError] = {}

    def start(self, ask: PageRequest, deadline: float, label: object) -> None:
        """Send a call: a page of uploads to the node whose turn it is, parts to who listed the upload."""
        number, marker = 0, ask.marker
        if ask.upload is not None:
            number = self._lister.get(hash(ask.upload[:2]), 0)
        elif marker:
            number, marker = int(marker[0]), marker[1:] or None
        sent = _Sent(label, number, ask._replace(marker=marker))
        self._in_flight[number] += 1
        self._calls[number].start(sent.ask, deadline, sent)

    def completed(self, timeout: float) -> list[CompletedCall]:
        """Wait for the calls that end next, at most `timeout` seconds. Raises StoppingError."""
        deadline, turn = self._monotonic() + timeout, 0.0
        while True:
            busy = [number for number, calls in enumerate(self._in_flight) if calls] or [0]
            answered = [each for number in busy for each in self._ended(number, turn)]
            wait = deadline - self._monotonic()
            if answered or wait <= 0:
                return answered
            turn = wait if len(busy) == 1 else min(wait, _TURN_SECONDS)

    def _ended(self, number: int, timeout: float) -> list[CompletedCall]:
        """Return what a node answers; its calls get on only meanwhile, so that none may be left out."""
        answered = self._calls[number].completed(timeout)
        self._in_flight[number] -= len(answered)
        return [self._answered(outcome, sent) for sent, outcome in answered]  # type: ignore[arg-type]  # ours

    def close(self) -> None:
        """Give up what is in flight."""
        for calls in self._calls:
            calls.close()

    def _answered(self, outcome: Page[Any] | StoreError, sent: _Sent) -> CompletedCall:
        if isinstance(outcome, GoneError):
            return sent.label, outcome
        if sent.ask.upload is not None:
            return sent.label, self._named(outcome, sent) if isinstance(outcome, StoreError) else outcome
        if isinstance(outcome, StoreError):
            if sent.ask.marker is None and outcome.reason is Reason.NOT_FOUND:
                self._lacking[sent.node] = outcome
            elif not means_no_uploads(outcome, sent.ask.marker):
                return sent.label, self._named(outcome, sent)
            outcome = Page((), truncated=False)
        page = self._joined(outcome, sent.node)
        return sent.label, self._lack() if self._lacking and page.truncated is False else page

    def _joined(self, page: Page[Upload], node: int) -> Page[Upload]:
        """Return a node's page without what other nodes listed, and with a marker of ours."""
        hashes = [hash(each[:2]) for each in page.items]
        own = [self._lister.setdefault(each, node) == node for each in hashes]
        items = list(compress(page.items, own))
        known, self._page_before = self._page_before, set(hashes)
        page = page._replace(progressed=not self._page_before <= known)
        ended = page.truncated is False or (page.truncated is None and page.next_marker is None)
        if not ended:
            following, last = (
                marker and (str(node), *marker) for marker in (page.next_marker, page.last_marker)
            )
            return page._replace(items=items, truncated=True, next_marker=following, last_marker=last)
        if node + 1 == len(self._nodes):
            return page._replace(items=items, truncated=False, next_marker=None, last_marker=None)
        return page._replace(items=items, truncated=True, next_marker=(str(node + 1),), last_marker=None)

    def _named(self, error: StoreError, sent: _Sent) -> StoreError:
        return named(error, self._nodes[sent.node].name)

    def _lack(self) -> StoreError:
        """Return what it means that nodes have no such bucket: it is gone where none of them has it."""
        names = ", ".join(self._nodes[number].name for number in self._lacking)
        error = next(iter(self._lacking.values()))
        if len(self._lacking) == len(self._nodes):
            return named(error, names)
        text = f"{names}: {UPLOADS_OPERATION}: no such bucket, which other nodes have; check endpoint_urls"
        return StoreError(Reason.BAD_RESPONSE, text, code=error.code, status=error.status)


def named(error: StoreError, name: str) -> StoreError:
    """Return the error of the node that is called so."""
    return StoreError(
        error.reason,
        f"{name}: {error}",
        code=error.code,
        status=error.status,
        retryable=error.retryable,
        retry_after=error.retry_after,
    )


def _opened(node: Node, bucket: BucketSettings, deadline: float) -> BucketSession:
    try:
        return node.store.open(bucket, deadline)
    except StoreError as error:
        raise named(error, node.name) from error
