"""The seam between the scan and the stores: one marker in, one page out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model import Part, PartTotals, Upload

T = TypeVar("T")

UPLOADS_OPERATION = "ListMultipartUploads"
PARTS_OPERATION = "ListParts"

Marker = tuple[str, ...]
"""Where a listing goes on, as the server gave it; only the store that made it reads it."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One proven answer to a listing.

    `truncated` is None where the answer does not say. `next_marker` is the server's own, None where it
    gave no usable one; `last_marker` is derived from the last item, None without items or where the
    store's markers cannot be derived.
    """

    items: Sequence[T]
    truncated: bool | None
    next_marker: Marker | None = None
    last_marker: Marker | None = None
    storage_class: str = ""


class PartFold(Protocol):
    """Adds up the parts of one upload, each counted once however often it is listed."""

    def add(self, part: Part) -> None:
        """Count one part."""

    def totals(self, storage_class: str) -> PartTotals:
        """Return what was counted so far."""


class Store(Protocol):
    """What a store can do for a scan.

    The listing methods send one request, no retries, before `deadline` (a reading of the monotonic
    clock), and raise StoreError where it failed or the answer did not prove itself. They may be called from
    many threads at once.
    """

    @property
    def operations(self) -> tuple[str, ...]:
        """The API's names of the calls it makes."""

    @property
    def has_part_times(self) -> bool:
        """Whether parts come with the time of their upload."""

    @property
    def signing_region(self) -> str:
        """The region requests are signed for, '' where there is none or it is not known yet."""

    def list_uploads(self, bucket: BucketSettings, marker: Marker | None, deadline: float) -> Page[Upload]:
        """Return the page of the bucket's uploads that follows `marker`."""

    def list_parts(
        self, bucket: BucketSettings, upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        """Return the page of the upload's parts that follows `marker`; raises GoneError if it has ended."""

    def new_fold(self) -> PartFold:
        """Return what adds up the parts of one upload."""

    def close(self) -> None:
        """Give connections back."""
