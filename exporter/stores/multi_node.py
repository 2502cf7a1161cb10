"""Nodes that each list only their own uploads (MinIO), as one store that lists each upload once."""

from __future__ import annotations

import time
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores.base import UPLOADS_OPERATION, ListingStart, Page, PageRequest
from exporter.stores.pagination.hash_set import HashSet
from exporter.stores.pagination.listing import means_no_uploads
from exporter.stores.pagination.paginator import is_last

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Upload
    from exporter.stores.base import BucketSession, CompletedCall, FoundBucket, Marker, PartSum, Store

_TURN_SECONDS = 0.01
"""Maximum time one node is waited for while others have calls in flight, too."""


class Node(NamedTuple):
    """One of the servers; `name` stands in error messages."""

    name: str
    store: Store


class MultiNodeStore:
    """The union of nodes as one store. An error of any node fails the scan: part of a union is no number.

    Lifecycle rules, tags and the list of buckets are the same on all nodes, and read from the first.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        """Make the union of one node or more, in the order in which they are listed."""
        self._nodes = tuple(nodes)
        self._first = nodes[0].store
        self.operations = self._first.operations
        self.page_operations = self._first.page_operations
        self.has_part_times = self._first.has_part_times
        self.has_initiation_times = self._first.has_initiation_times
        self.lists_by_key = self._first.lists_by_key
        self.encodes_keys = self._first.encodes_keys

    @property
    def signing_region(self) -> str:
        """The region requests are signed for."""
        return self._first.signing_region

    def open(self, bucket: BucketSettings, deadline: float) -> MultiNodeSession:
        """Return a session for the calls of one scan of the bucket. Raises StoreError."""
        sessions: list[BucketSession] = []
        try:
            for node in self._nodes:
                sessions.append(_open(node, bucket, deadline))  # noqa: PERF401 - those before it are closed
        except BaseException:
            for each in sessions:
                each.close()
            raise
        return MultiNodeSession(self._nodes, sessions)

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets after `marker`. Raises StoreError."""
        return self._first.list_buckets(marker, deadline)

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return what the bucket's lifecycle rules do about uploads. Raises StoreError."""
        return self._first.abort_rules(bucket, deadline)

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> Mapping[str, str]:
        """Return the bucket's tags. Raises StoreError."""
        return self._first.bucket_tags(bucket, deadline)

    def new_part_sum(self) -> PartSum:
        """Return an empty sum of one upload's parts."""
        return self._first.new_part_sum()

    def keep_only(self, names: Container[str]) -> None:
        """Forget on all nodes what is kept of all buckets but those of these names."""
        for node in self._nodes:
            node.store.keep_only(names)

    def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            node.store.close()


class _SentCall(NamedTuple):
    label: object
    node: int
    request: PageRequest


class MultiNodeSession:
    """The calls of one scan. A marker is the node's number, then the node's own marker.

    A plain pair of key and upload id, which no page of a union names, is one of the first node.
    Which node listed an upload first is kept until the scan ends, by hash.
    Questions by name, which all nodes answer, do not touch it: a node's own listing may be yet to come.
    """

    listing_start = ListingStart.NOTHING

    def __init__(
        self,
        nodes: Sequence[Node],
        sessions: Sequence[BucketSession],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a session of the nodes' own `sessions`."""
        self._nodes = nodes
        self._sessions = sessions
        self._monotonic = monotonic
        self._in_flight = [0] * len(sessions)
        self._listed_by = [HashSet() for _ in nodes]
        self._node_by_name: dict[int, int] = {}
        self._pages_before: dict[bool, set[int]] = {True: set(), False: set()}
        self._without_bucket: dict[int, StoreError] = {}

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        """Send a call: for uploads, to the node that the marker names; for parts, to the upload's node."""
        node, marker = 0, request.marker
        if request.upload is not None:
            node = self._node_of(request.upload)
        elif marker and len(marker) != len(("key", "upload id")):
            node, marker = int(marker[0]), marker[1:] or None
        sent = _SentCall(label, node, request._replace(marker=marker))
        self._in_flight[node] += 1
        self._sessions[node].start(sent.request, deadline, sent)

    def _node_of(self, upload: Upload) -> int:
        """Return the node to ask about the upload's parts: the last that listed it by name, or the first."""
        name = hash(upload[:2])
        listed_by = next((node for node, listed in enumerate(self._listed_by) if name in listed), 0)
        return self._node_by_name.get(name, listed_by)

    def completed(self, timeout: float) -> list[CompletedCall]:
        """Return the calls that end next, after at most `timeout` seconds. Raises StoppingError."""
        deadline, turn = self._monotonic() + timeout, 0.0
        while True:
            busy = [node for node, calls in enumerate(self._in_flight) if calls] or [0]
            completed = [call for node in busy for call in self._completed_by(node, turn)]
            wait = deadline - self._monotonic()
            if completed or wait <= 0:
                return completed
            turn = wait if len(busy) == 1 else min(wait, _TURN_SECONDS)

    def _completed_by(self, node: int, timeout: float) -> list[CompletedCall]:
        """Return a node's completed calls; its calls progress only meanwhile, so each node gets a turn."""
        completed = self._sessions[node].completed(timeout)
        self._in_flight[node] -= len(completed)
        return [self._result(outcome, sent) for sent, outcome in completed]  # type: ignore[arg-type]  # ours

    def close(self) -> None:
        """Cancel the calls in flight."""
        for session in self._sessions:
            session.close()

    def _result(self, outcome: Page[Any] | StoreError, sent: _SentCall) -> CompletedCall:
        if isinstance(outcome, GoneError):
            return sent.label, outcome
        if sent.request.upload is not None:
            return sent.label, self._named(outcome, sent) if isinstance(outcome, StoreError) else outcome
        if isinstance(outcome, StoreError):
            by_name = sent.request.by_name
            if sent.request.marker is None and outcome.reason is Reason.NOT_FOUND and not by_name:
                self._without_bucket[sent.node] = outcome
            elif not means_no_uploads(outcome, sent.request.marker):
                return sent.label, self._named(outcome, sent)
            outcome = Page((), truncated=False)
        if sent.request.by_name:
            return sent.label, self._named_page(outcome, sent.node)
        page = self._join(outcome, sent.node)
        return sent.label, self._no_bucket() if self._lacks_bucket(page) else page

    def _join(self, page: Page[Upload], node: int) -> Page[Upload]:
        """Return a node's page without the uploads of other nodes, with a marker of the union."""
        hashes = _hashes(page)
        others = [listed for each, listed in enumerate(self._listed_by) if each != node and listed]
        is_own = [not any(each in listed for listed in others) for each in hashes]
        self._listed_by[node].add_new(list(compress(hashes, is_own)))
        items = list(compress(page.items, is_own))
        progressed = self._has_progressed(hashes, by_name=False)
        rest = page.rest and partial(self._join_rest, page.rest, node)
        return self._of_union(page._replace(items=items, progressed=progressed, rest=rest), node)

    def _join_rest(self, rest: Callable[[], Page[Upload]], node: int) -> Page[Upload]:
        page = self._join(rest(), node)
        if self._lacks_bucket(page):
            raise self._no_bucket()
        return page

    def _lacks_bucket(self, page: Page[Upload]) -> bool:
        """Whether the listing ends with this page, and nodes lack the bucket."""
        return page.truncated is False and bool(self._without_bucket)

    def _named_page(self, page: Page[Upload], node: int) -> Page[Upload]:
        """Return a node's whole page of one key's uploads, with a marker of the union."""
        hashes = _hashes(page)
        self._node_by_name.update(dict.fromkeys(hashes, node))
        progressed, rest = self._has_progressed(hashes, by_name=True), page.rest
        named_rest = rest and (lambda: self._named_page(rest(), node))
        return self._of_union(page._replace(progressed=progressed, rest=named_rest), node)

    def _has_progressed(self, hashes: list[int], *, by_name: bool) -> bool:
        """Whether a page has uploads that the one before had not, though other nodes may have listed them."""
        known, self._pages_before[by_name] = self._pages_before[by_name], set(hashes)
        return not known.issuperset(hashes)

    def _of_union(self, page: Page[Upload], node: int) -> Page[Upload]:
        """Return a node's page with a marker of the union: the last page of a node leads to the next node."""
        if not is_last(page):
            following, last = (
                marker and (str(node), *marker) for marker in (page.next_marker, page.last_marker)
            )
            return page._replace(truncated=True, next_marker=following, last_marker=last)
        if node + 1 == len(self._nodes):
            return page._replace(truncated=False, next_marker=None, last_marker=None)
        following = (str(node + 1),)
        return page._replace(truncated=True, next_marker=following, last_marker=None, last_of_node=True)

    def _named(self, error: StoreError, sent: _SentCall) -> StoreError:
        return named(error, self._nodes[sent.node].name)

    def _no_bucket(self) -> StoreError:
        """Return the error of nodes without the bucket: not_found where no node has it."""
        names = ", ".join(self._nodes[node].name for node in self._without_bucket)
        error = next(iter(self._without_bucket.values()))
        if len(self._without_bucket) == len(self._nodes):
            return named(error, names)
        text = f"{names}: {UPLOADS_OPERATION}: no such bucket, which other nodes have; check endpoint_urls"
        return StoreError(Reason.BAD_RESPONSE, text, code=error.code, status=error.status)


def named(error: StoreError, name: str) -> StoreError:
    """Return the error with a node's name before its message."""
    return StoreError(
        error.reason,
        f"{name}: {error}",
        code=error.code,
        status=error.status,
        retryable=error.retryable,
        retry_after=error.retry_after,
        garbled=error.garbled,
    )


def _hashes(page: Page[Upload]) -> list[int]:
    return [hash(upload[:2]) for upload in page.items]


def _open(node: Node, bucket: BucketSettings, deadline: float) -> BucketSession:
    try:
        return node.store.open(bucket, deadline)
    except StoreError as error:
        raise named(error, node.name) from error
