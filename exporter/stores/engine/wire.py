"""Page requests of one bucket on the thread of its scan, many in flight over libcurl's multi interface.

How a request is signed and a response is read comes from the store, as a `WireBucket`.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import pycurl

from exporter.model.errors import GoneError, NotAnUploadError, Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.base import S3_OPERATIONS, ListingStart, Page
from exporter.stores.errors import gone_error, is_gone, is_skewed, refusal
from exporter.stores.parsing.large_pages import UPLOAD_TAG
from exporter.stores.transport.errors import from_curl

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.base import CompletedCall, PageOperations, PageRequest
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.multi import Completed
    from exporter.stores.transport.response import Response
    from exporter.stores.transport.url import QueryArgument

KEYS_SECONDS = 1.0
"""How long keys are used before the store's credentials are read again."""
_BYTES_AT_ONCE = 1024 * 1024
"""So much of what came is read before the pages are handed on: what they hold takes more memory."""
MIN_CLOCK_CHANGE_SECONDS = 2.0
"""A smaller change of the clock offset explains no refusal: a Date header has whole seconds."""

K = TypeVar("K")
"""The keys that a store signs with."""


class KeyCache(Generic[K]):
    """The keys to sign with, fetched again every second: temporary keys and files rotate."""

    def __init__(self, fetch: Callable[[float], K], monotonic: Callable[[], float]) -> None:
        """`fetch` returns the present keys before a deadline, or raises StoreError."""
        self._fetch = fetch
        self._monotonic = monotonic
        self._fetched: K | StoreError | None = None
        self._expires_at = 0.0
        self.doubt: Callable[[K], object] = lambda _: None
        """Tells the source of the keys that the store refused these."""

    def get(self, deadline: float) -> K:
        """Return the keys. Raises StoreError, the same one for up to a second."""
        if self._fetched is None or self._monotonic() >= self._expires_at:
            return self.refresh(deadline)
        if isinstance(self._fetched, StoreError):
            raise self._fetched
        return self._fetched

    def refresh(self, deadline: float) -> K:
        """Fetch the keys and return them. Raises StoreError."""
        started = self._monotonic()
        try:
            self._fetched = keys = self._fetch(deadline)
        except StoreError as error:
            self._fetched = error
            now = self._monotonic()
            # a failure that took time must not cost it again for every call that waits meanwhile
            self._expires_at = now + (min(KEYS_SECONDS, now - started) if error.retryable else KEYS_SECONDS)
            raise
        self._expires_at = self._monotonic() + KEYS_SECONDS
        return keys

    def replaced(self, refused: K | None, deadline: float) -> bool:
        """Fetch the keys after a refusal; whether they are others now. Raises StoreError."""
        if refused is not None:
            self.doubt(refused)
        return self.refresh(deadline) != refused


class WireTarget(Generic[K]):
    """What the scans of one target share: transport, keys, and the offset of the server's clock."""

    def __init__(
        self,
        transport: Transport,
        fetch_keys: Callable[[float], K],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        endpoint_url: str | None = None,
    ) -> None:
        """`fetch_keys` is that of `KeyCache`; `clock` is Unix seconds; `endpoint_url` as configured."""
        self.transport = transport
        self.endpoint_url = endpoint_url
        self.clock = clock
        self.monotonic = monotonic
        self.keys = KeyCache(fetch_keys, monotonic)
        self.clock_offset = 0.0
        """Seconds by which the server's clock is ahead of ours."""


class ItemTags(NamedTuple):
    """How each upload of a listing begins, and each part; b"" where no such answer is ever large."""

    uploads: bytes
    parts: bytes


S3_ITEM_TAGS = ItemTags(UPLOAD_TAG, b"")


@dataclass(slots=True, eq=False)
class WireCall(Generic[K]):
    """A call in flight, and what it was signed with."""

    operation: str
    """The API's name of the call."""
    request: PageRequest
    deadline: float
    label: object
    keys: K | None = None
    clock_offset: float = 0.0
    signed_again: bool = False
    """Whether it was sent once more with other keys or another time."""
    optional_headers: bool = True
    """Whether headers that a store may do without are sent; for the `WireBucket` to change."""


class WireBucket(Protocol[K]):
    """One bucket of a store: signs requests for its pages and reads the responses. For one thread."""

    def sign(self, call: WireCall[K], keys: K, now: float) -> tuple[str, list[str]]:
        """Return URL and header lines of the GET for a page; `now` is the server's time in Unix seconds.

        Raises UnicodeError where the key cannot be encoded, and StoreError.
        """

    def read_page(self, request: PageRequest, response: Response, now: float) -> Page[Any]:
        """Return the page in a response of status 200; `now` is Unix seconds. Raises StoreError."""

    def read_error(self, response: Response) -> tuple[str, str]:
        """Return code and message of any other response, '' for what it does not say."""

    def recover(self, call: WireCall[K], response: Response, error: StoreError) -> Page[Any] | bool:
        """Return the page of a refused call, read another way; else whether to send the call again.

        Raises StoreError.
        """


class WireSession(Generic[K]):
    """The calls of one scan of one bucket. For one thread."""

    def __init__(
        self,
        target: WireTarget[K],
        bucket: WireBucket[K],
        operations: PageOperations = S3_OPERATIONS,
        listing_start: ListingStart = ListingStart.ANY_KEY,
        item_tags: ItemTags = S3_ITEM_TAGS,
    ) -> None:
        """Borrow the connections of the target until `close`; `operations` are the store's names of calls."""
        self._item_tags = item_tags
        self._operations = operations
        self.listing_start = listing_start
        self._target = target
        self._bucket = bucket
        self._multi = target.transport.borrow()
        self._not_sent: list[CompletedCall] = []
        self._unread: deque[Completed] = deque()
        self._sent: dict[str, int] = defaultdict(int)  # a counter takes a lock: told many at once

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        """Send a call, which ends before `deadline` (monotonic clock)."""
        operation = self._operations.parts if request.upload else self._operations.uploads
        call: WireCall[K] = WireCall(operation, request, deadline, label)
        try:
            self._send(call)
        except StoreError as error:
            self._not_sent.append((label, error.detached()))

    def completed(self, timeout: float) -> list[CompletedCall]:
        """Wait for the calls that end next, at most `timeout` seconds."""
        self._count_sent()
        completed, self._not_sent = self._not_sent, []
        if not self._unread:
            self._unread.extend(self._multi.completed(0.0 if completed else timeout))
        size = 0
        while self._unread and size < _BYTES_AT_ONCE:
            label, outcome, times_sent = self._unread.popleft()
            call: WireCall[K] = label  # type: ignore[assignment]  # the label given to `start`
            if times_sent > 1:
                self._target.transport.traffic.sent(call.operation, times_sent - 1)
            size += 0 if isinstance(outcome, pycurl.error) else outcome.size
            page = self._outcome(call, outcome)
            if page is not None:
                completed.append((call.label, page))
        return completed

    def close(self) -> None:
        """Cancel the calls in flight and give the connections back."""
        self._count_sent()
        self._unread.clear()
        self._target.transport.give_back(self._multi)

    def _count_sent(self) -> None:
        for operation, requests in self._sent.items():
            self._target.transport.traffic.sent(operation, requests)
        self._sent.clear()

    def _send(self, call: WireCall[K]) -> None:
        target = self._target
        keys = call.keys = target.keys.get(call.deadline)
        call.clock_offset = target.clock_offset
        remaining = call.deadline - target.monotonic()  # fetching the keys may have taken some of it
        if remaining <= 0:
            raise StoreError(Reason.TIMEOUT, f"{call.operation}: no time left", retryable=True)
        try:
            url, lines = self._bucket.sign(call, keys, target.clock() + call.clock_offset)
        except UnicodeError:
            what = f"{call.operation}: the key is not Unicode and cannot be asked for"
            raise StoreError(Reason.UNSUPPORTED, what) from None
        tag = self._item_tags.parts if call.request.upload else self._item_tags.uploads
        try:
            self._multi.start(url, lines, remaining, call, tag)
        except ValueError:  # the keys are in the headers
            what = f"{call.operation}: no header can carry the keys; check the target's credentials"
            raise StoreError(Reason.CREDENTIALS, what) from None
        self._sent[call.operation] += 1

    def _outcome(self, call: WireCall[K], outcome: Response | pycurl.error) -> Page[Any] | StoreError | None:
        """Return what a call came to, None where it was sent again."""
        try:
            if isinstance(outcome, pycurl.error):
                raise from_curl(call.operation, outcome)
            if outcome.status == HTTPStatus.OK:
                return self._bucket.read_page(call.request, outcome, self._target.clock())
            return self._refused(call, outcome)
        except (GoneError, NotAnUploadError) as error:
            return error.detached()
        except StoreError as error:
            self._target.transport.traffic.failed(call.operation, error.reason)
            return error.detached()

    def _refused(self, call: WireCall[K], response: Response) -> Page[Any] | None:
        """Send a refused call once more where that helps. Raises StoreError."""
        key = call.request.upload.key if call.request.upload else ""
        asked = Asked(call.request.bucket.name, self._target.endpoint_url, key)
        error = refusal(call.operation, response, *self._bucket.read_error(response), asked)
        if call.request.upload and is_gone(error):
            raise gone_error(call.operation, error)
        recovered = self._bucket.recover(call, response, error)
        if isinstance(recovered, Page):
            return recovered
        if not recovered:
            if call.signed_again or not self._may_pass_signed_anew(call, response, error):
                raise error
            call.signed_again = True
        self._send(call)
        return None

    def _may_pass_signed_anew(self, call: WireCall[K], response: Response, error: StoreError) -> bool:
        """Whether the call was signed for another time than the server's, or with keys since replaced."""
        target = self._target
        if is_skewed(error):
            now = target.clock()
            target.clock_offset = response.server_time(default=now) - now
            return abs(target.clock_offset - call.clock_offset) >= MIN_CLOCK_CHANGE_SECONDS
        return error.reason is Reason.CREDENTIALS and target.keys.replaced(call.keys, call.deadline)


def page_arguments(request: PageRequest, page_size: int | None) -> list[QueryArgument]:
    """Return the query of a page in the order in which boto3 sends it; what is empty is left out.

    A question by name is for all uploads of a key: the page size is then the server's own.
    """
    if request.upload is None:
        key_marker, id_marker = request.marker or ("", "")
        options: list[QueryArgument] = [
            ("prefix", request.bucket.prefix),
            ("key-marker", key_marker),
            ("upload-id-marker", id_marker),
            ("max-uploads", None if request.by_name else page_size),
            ("encoding-type", "url" if request.encoded else None),
        ]
        return [("uploads", None), *(option for option in options if option[1])]
    arguments: list[QueryArgument] = [("uploadId", request.upload.upload_id)]
    if request.marker:
        arguments.append(("part-number-marker", request.marker[0]))
    if page_size:
        arguments.append(("max-parts", page_size))
    return arguments
