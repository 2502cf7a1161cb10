"""Stand-ins inside the process: a store that takes pages, clocks turned by hand, a place for counts."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.config.settings import BucketSettings
from exporter.model.errors import GoneError, NotAnUploadError, Reason, StoreError
from exporter.model.results import AbortRules
from exporter.model.uploads import Part, Upload
from exporter.stores.base import S3_OPERATIONS, Page, PageOperations
from exporter.stores.engine.store_client import Clocks
from exporter.stores.engine.threads import ThreadedSession
from exporter.stores.pagination.part_sums import NumberedPartSum

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_790_000_000.0
DAY = 86400.0
BUCKET = BucketSettings("media", stale_after=7 * DAY)


@dataclass
class Clock:
    """Wall and monotonic time that move only when told to, or when it is waited on as a `stop` is."""

    now: float = 0.0
    waited: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return NOW + self.now

    def clocks(self) -> Clocks:
        return Clocks(self.monotonic, self.wall, lambda _low, _high: 0.0)

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return False


class Recorder:
    """Keeps what a transport reports, in its order: `(sent, operation)`, `(failed, operation, reason)`."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    def sent(self, operation: str, requests: int = 1) -> None:
        self.seen += [("sent", operation)] * requests

    def failed(self, operation: str, reason: Reason) -> None:
        self.seen.append(("failed", operation, reason))

    @property
    def requests(self) -> Counter[str]:
        return Counter(operation for what, operation, *_ in self.seen if what == "sent")

    @property
    def failures(self) -> Counter[tuple[str, ...]]:
        return Counter(failure[1:] for failure in self.seen if failure[0] == "failed")


def upload(number: int, age: float | None = 0.0) -> Upload:
    return Upload(f"key-{number}", f"id-{number}", None if age is None else NOW - age)


def error(reason: Reason, status: int = 0, code: str = "", *, retryable: bool = False) -> StoreError:
    return StoreError(reason, f"a {reason} of the test", status=status, code=code, retryable=retryable)


GONE = GoneError(Reason.BAD_RESPONSE, "it has ended", status=404, code="NoSuchUpload")
NO_UPLOAD = NotAnUploadError("ListParts")
REFUSED = error(Reason.ACCESS_DENIED, 403, "AccessDenied")


@dataclass
class FakeStore:
    """Lists `uploads` in pages of `page_size`; `parts` says what each upload's parts are, or what fails."""

    uploads: list[Upload] = field(default_factory=list)
    page_size: int = 1000
    parts: dict[str, list[Part] | Exception] = field(default_factory=dict)
    default_parts: list[Part] | Exception = field(default_factory=lambda: [Part(1, 10, NOW)])
    listing_errors: dict[int, Exception] = field(default_factory=dict)
    """By page number, counted from 0 over all pages asked for; each raised once."""
    before_parts: Callable[[Upload], None] = lambda _: None
    before_page: Callable[[int], None] = lambda _: None
    has_part_times: bool = True
    has_initiation_times: bool = True
    lists_by_key: bool = False
    encodes_keys: bool = False
    operations: tuple[str, ...] = ("ListMultipartUploads", "ListParts")
    page_operations: PageOperations = S3_OPERATIONS
    signing_region: str = "nowhere-1"
    rules: list[AbortRules | Exception] = field(default_factory=lambda: [AbortRules()])
    """What comes of asking for the lifecycle rules, one after the other, the last for good."""
    tags: list[dict[str, str] | Exception] = field(default_factory=lambda: [{}])
    """What comes of asking for the bucket's tags, likewise."""
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    pages: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def list_uploads(self, bucket, marker, deadline) -> Page[Upload]:
        number, self.pages = self.pages, self.pages + 1
        self.before_page(number)
        if number in self.listing_errors:
            raise self.listing_errors.pop(number)
        start = int(marker[0]) if marker else 0
        end = start + self.page_size
        return Page(self.uploads[start:end], truncated=end < len(self.uploads), next_marker=(str(end),))

    def list_parts(self, bucket, upload, marker, deadline) -> Page[Part]:
        with self._lock:
            self.asked[upload.upload_id] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.before_parts(upload)
            outcome = self.parts.get(upload.upload_id, self.default_parts)
            if isinstance(outcome, Exception):
                raise outcome
            return Page(outcome, truncated=False, storage_class="STANDARD")
        finally:
            with self._lock:
                self._at_once -= 1

    def open(self, bucket, deadline) -> ThreadedSession:
        return ThreadedSession(self)

    def new_part_sum(self) -> NumberedPartSum:
        return NumberedPartSum()

    def abort_rules(self, bucket, deadline) -> AbortRules:
        self.asked["rules of " + bucket.name] += 1
        return _next_outcome(self.rules)

    def bucket_tags(self, bucket, deadline) -> dict[str, str]:
        self.asked["tags of " + bucket.name] += 1
        return _next_outcome(self.tags)

    def close(self) -> None:
        """Have nothing to close."""


def _next_outcome(outcomes: list[Any]) -> Any:
    outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
