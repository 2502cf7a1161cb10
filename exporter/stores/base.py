"""The seam between the scan and the stores: a question about a bucket in, one page out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.errors import StoreError
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Part, PartTotals, Upload

T = TypeVar("T")

UPLOADS_OPERATION = "ListMultipartUploads"
PARTS_OPERATION = "ListParts"
BUCKETS_OPERATION = "ListBuckets"
VAULTS_OPERATION = "ListVaults"
LIFECYCLE_OPERATION = "GetBucketLifecycleConfiguration"

Marker = tuple[str, ...]
"""Where a listing goes on, as the server gave it; only the store that made it reads it."""


class Page(NamedTuple, Generic[T]):
    """One proven answer to a listing.

    `truncated` is None where the answer does not say. `next_marker` is the server's own, None where it
    gave no usable one; `last_marker` is derived from the last item, None without items or where the
    store's markers cannot be derived. `abort_at` is when the store says that it will abort the upload whose
    parts are listed (Unix seconds). `moved` says that a page without items is a step ahead all the same.
    """

    items: Collection[T]
    truncated: bool | None
    next_marker: Marker | None = None
    last_marker: Marker | None = None
    storage_class: str = ""
    abort_at: float | None = None
    moved: bool = False


class FoundBucket(NamedTuple):
    """A bucket or vault that an account has; `region` is None where the store does not say it."""

    name: str
    region: str | None = None


class PageRequest(NamedTuple):
    """What one call asks for: the page of the bucket's uploads after `marker`, or of the upload's parts."""

    bucket: BucketSettings
    upload: Upload | None
    marker: Marker | None


CompletedCall = tuple[object, "Page[Any] | StoreError"]
"""The label that a call was started with, and what came of it."""


class BucketSession(Protocol):
    """The calls that one scan has in flight; for one thread. Each is one request, none is tried again."""

    def start(self, ask: PageRequest, deadline: float, label: object) -> None:
        """Send a call, which ends before `deadline` (a reading of the monotonic clock)."""

    def answers(self, timeout: float) -> Sequence[CompletedCall]:
        """Wait for the calls that end next, at most `timeout` seconds. Raises StoppingError."""

    def close(self) -> None:
        """Give up what is in flight."""


class PartSum(Protocol):
    """Adds up the parts of one upload, each counted once however often it is listed.

    `run` is how many parts the list has from the first on without a gap, `run_bytes` what these hold; 0 where
    the store's parts have no numbers.
    """

    @property
    def run(self) -> int:
        """Parts 1 to this number are all there."""

    @property
    def run_bytes(self) -> int:
        """What those parts hold."""

    @property
    def left_out(self) -> int:
        """Parts 1 to this number were not asked for, but taken as they had been counted before."""

    def begin_with(self, run: int = 0, run_bytes: int = 0, last_modified: float | None = None) -> None:
        """Begin again, as if parts 1 to `run` had been counted."""

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of one page."""

    def totals(self, storage_class: str) -> PartTotals:
        """Return what was counted so far."""


def operations_of(target: TargetSettings, listing: str = BUCKETS_OPERATION) -> tuple[str, ...]:
    """Return the API's names of the calls that a target asks for; `listing` is that of its buckets."""
    found = (listing,) if target.discover else ()
    rules = (LIFECYCLE_OPERATION,) if target.lifecycle else ()
    return (UPLOADS_OPERATION, PARTS_OPERATION, *found, *rules)


class Store(Protocol):
    """What a store can do for a scan. Scans of several buckets may use it at once."""

    @property
    def operations(self) -> tuple[str, ...]:
        """The API's names of the calls it makes."""

    @property
    def has_part_times(self) -> bool:
        """Whether parts come with the time of their upload."""

    @property
    def signing_region(self) -> str:
        """The region requests are signed for, '' where there is none or it is not known yet."""

    def open(self, bucket: BucketSettings, deadline: float) -> BucketSession:
        """Return what makes the calls of one scan of the bucket; one thread may use it.

        Raises StoreError and StoppingError; takes no longer than `deadline` (monotonic clock).
        """

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets that follows `marker`: one request, no retries.

        Raises StoreError and StoppingError; takes no longer than `deadline` (monotonic clock).
        """

    def new_part_sum(self) -> PartSum:
        """Return what adds up the parts of one upload."""

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return what the bucket's lifecycle rules do about uploads; one call, before `deadline`.

        Raises StoreError, of reason unsupported where the store has no such rules, and StoppingError.
        """

    def close(self) -> None:
        """Give connections back."""
