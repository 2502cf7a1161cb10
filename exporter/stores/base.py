"""The interface between scans and stores: a request about one bucket in, one proven page out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence

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
TAGS_OPERATION = "GetBucketTagging"
VAULT_TAGS_OPERATION = "ListTagsForVault"
BLOBS_OPERATION = "ListBlobs"
BLOCKS_OPERATION = "GetBlockList"
CONTAINERS_OPERATION = "ListContainers"
METADATA_OPERATION = "GetContainerMetadata"
CEPH_ADMIN_OPERATION = "GetBucketInfo"

Marker = tuple[str, ...]
"""Where the next page of a listing starts, as the server gave it; only the store that made it reads it."""


class PageOperations(NamedTuple):
    """The API's names of the calls that list uploads, and the parts of one.

    `parts_in_pages` is whether many parts take several calls.
    """

    uploads: str = UPLOADS_OPERATION
    parts: str = PARTS_OPERATION
    parts_in_pages: bool = True


S3_OPERATIONS = PageOperations()
"""Those of S3, which OBS and Glacier have, too."""
AZURE_OPERATIONS = PageOperations(BLOBS_OPERATION, BLOCKS_OPERATION, parts_in_pages=False)
"""Those of Azure Blob Storage."""


class ListingStart(Enum):
    """What a store lists uploads after, in a scan that has not seen it as the marker of a page."""

    NOTHING = "nothing"
    ANY_KEY = "any key"
    """Any text may be tried as the key in a marker."""
    EARLIER_MARKER = "earlier marker"
    """Markers are the store's own, and those of earlier listings are taken."""


class Page(NamedTuple, Generic[T]):
    """One proven page of a listing.

    `truncated` is None where the answer does not say. `next_marker` is the server's own, None where it
    gave no usable one; `last_marker` is derived from the last item, None without items or where the
    store's markers cannot be derived. `abort_at` is when the store will abort the upload whose parts are
    listed (Unix seconds). `progressed` marks a page that moves the listing on though it has no items,
    `last_of_node` one that ends the listing of one node of several: the next one's starts at `next_marker`.
    `full` marks a last page of parts that lacks numbers and has as many parts as the store puts on a page.
    `server` is what the server of a page of uploads calls itself, '' where it does not say. A large page
    comes in pieces: `rest` returns the next one, without a request; each but the last is truncated. `keys`
    are those of all that the page lists, in its order, where that is more than uploads; else None.
    """

    items: Collection[T]
    truncated: bool | None
    next_marker: Marker | None = None
    last_marker: Marker | None = None
    storage_class: str = ""
    abort_at: float | None = None
    progressed: bool = False
    last_of_node: bool = False
    full: bool = False
    server: str = ""
    rest: Callable[[], Page[T]] | None = None
    keys: Sequence[str] | None = None


class FoundBucket(NamedTuple):
    """A bucket or vault of an account; `region` is None where the store does not name it."""

    name: str
    region: str | None = None


class PageRequest(NamedTuple):
    """A request for one page after `marker`: of the parts of `upload`, or of the bucket's uploads if None.

    `by_name` marks a question about the uploads of one key, which is then the bucket's prefix. `encoded` asks
    for keys in percent-encoding, which a store may ignore.
    """

    bucket: BucketSettings
    upload: Upload | None
    marker: Marker | None
    by_name: bool = False
    encoded: bool = False


def pieces_of(page: Page[T]) -> Iterator[Page[T]]:
    """Yield a page, and the rest of it where it came in pieces. Raises StoreError."""
    yield page
    while page.rest is not None:
        page = page.rest()
        yield page


def keys_of(page: Page[Upload]) -> Sequence[str]:
    """Return the keys of all that a page of uploads lists, in its order."""
    return [upload.key for upload in page.items] if page.keys is None else page.keys


CompletedCall = tuple[object, "Page[Any] | StoreError"]
"""The label that a call was started with, and its outcome."""


class BucketSession(Protocol):
    """The calls in flight of one scan; for one thread. Each call is one request, without retries."""

    @property
    def listing_start(self) -> ListingStart:
        """What a listing of uploads may begin after."""

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        """Send a call, which ends before `deadline` (a reading of the monotonic clock)."""

    def completed(self, timeout: float) -> Sequence[CompletedCall]:
        """Return the calls that end next, after at most `timeout` seconds. Raises StoppingError."""

    def close(self) -> None:
        """Cancel the calls in flight."""


class PartSum(Protocol):
    """Sums up the parts of one upload, each counted once however often it is listed.

    Counts of contiguous and skipped parts are 0 where the store's parts have no numbers.
    """

    @property
    def contiguous_parts(self) -> int:
        """Parts 1 to this number have all been counted, without a gap."""

    @property
    def contiguous_bytes(self) -> int:
        """Size of the contiguous parts."""

    @property
    def skipped_parts(self) -> int:
        """Parts 1 to this number are not listed, but counted as an earlier scan found them."""

    @property
    def outdated(self) -> bool:
        """Whether a part that was skipped has been sent again since: all are to be listed."""

    def expect(self, mark: int) -> None:
        """Look for the part with this mark, from the totals of an earlier sum of the upload's parts."""

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:
        """Forget all parts, and count parts 1 to `skipped_parts` of together `size` bytes.

        `last_modified` is when the newest of these was uploaded (Unix seconds).
        """

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of one page."""

    def totals(self, storage_class: str) -> PartTotals:
        """Return the totals of the parts counted so far."""


def operations_of(
    target: TargetSettings,
    buckets_operation: str = BUCKETS_OPERATION,
    tags_operation: str = TAGS_OPERATION,
    page_operations: PageOperations = S3_OPERATIONS,
) -> tuple[str, ...]:
    """Return the API's names of the calls that a target's scans make; see `Store.operations`."""
    discovery = (buckets_operation,) if target.discover else ()
    rules = (LIFECYCLE_OPERATION,) if target.lifecycle else ()
    tags = (tags_operation,) if target.tags else ()
    admin = (CEPH_ADMIN_OPERATION,) if target.ceph_admin else ()
    return (page_operations.uploads, page_operations.parts, *discovery, *rules, *tags, *admin)


class Store(Protocol):
    """The calls that scans and discovery make to one target's store. Safe to use from many threads."""

    @property
    def operations(self) -> tuple[str, ...]:
        """The API's names of the calls it makes; each is counted in metrics."""

    @property
    def page_operations(self) -> PageOperations:
        """The names of those that list uploads, and the parts of one."""

    @property
    def has_part_times(self) -> bool:
        """Whether parts come with the time of their upload."""

    @property
    def has_initiation_times(self) -> bool:
        """Whether uploads come with their initiation; else the scan that first lists an upload dates it."""

    @property
    def lists_by_key(self) -> bool:
        """Whether uploads can be listed by the prefix of their keys, and so asked for by name."""

    @property
    def encodes_keys(self) -> bool:
        """Whether keys can be asked for in percent-encoding."""

    @property
    def signing_region(self) -> str:
        """The region requests are signed for, '' where there is none or it is not known yet."""

    def open(self, bucket: BucketSettings, deadline: float) -> BucketSession:
        """Return a session for the calls of one scan of the bucket; one thread may use it.

        Raises StoreError and StoppingError; takes no longer than `deadline` (monotonic clock).
        """

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets after `marker`: one request, no retries.

        Raises StoreError and StoppingError; takes no longer than `deadline` (monotonic clock).
        """

    def new_part_sum(self) -> PartSum:
        """Return an empty sum of one upload's parts."""

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return what the bucket's lifecycle rules do about uploads; one call, before `deadline`.

        Raises StoreError, of reason unsupported where the store has no such rules, and StoppingError.
        """

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> Mapping[str, str]:
        """Return all tags of the bucket as the store gives them; one call, before `deadline`.

        Raises StoreError, of reason unsupported where the store has no such tags, and StoppingError.
        """

    def keep_only(self, names: Container[str]) -> None:
        """Forget what is kept between scans of all buckets but those of these names."""

    def close(self) -> None:
        """Close the connections."""


@runtime_checkable
class ReportingStore(Protocol):
    """A store that also has a count of its own. Safe to use from many threads."""

    def reported_uploads(self, bucket: BucketSettings, deadline: float) -> int:
        """Return how many uploads the store itself counts in the whole bucket, before `deadline`.

        Raises StoreError, of reason unsupported where the store has no such count, and StoppingError.
        """
