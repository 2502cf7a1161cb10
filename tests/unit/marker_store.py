"""A store in the process that lists blobs and uploads together, and takes no markers but its own."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fakes import DAY, GONE, NOW, error
from unit.segment_store import SegmentStore

from exporter.model.errors import Reason
from exporter.model.uploads import Part, Upload
from exporter.stores.base import ListingStart, Page, PageRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config.settings import BucketSettings

UNKNOWN_MARKER = error(Reason.BAD_RESPONSE, 400, "OutOfRangeInput")
NAMINGS = ("first of the next", "last of the page")
"""What a marker names: Azure's the first blob of the next page, Azurite's the last blob of the page."""


def begun(keys: Sequence[str]) -> list[Upload]:
    """Return an upload of each key, without an id and a time, as Azure has neither."""
    return [Upload(key, "", None) for key in keys]


@dataclass
class MarkerStore(SegmentStore):
    """Lists `uploads` and `blobs`, keys of what is no upload, in pages of `page_size` of both."""

    blobs: set[str] = field(default_factory=set)
    naming: str = NAMINGS[0]
    place: Callable[[str], Any] = str.encode
    """Where a key stands in the listing."""
    tell: Callable[[PageRequest, list[str]], list[str] | Exception] = lambda _request, listed: listed
    """Is given a request for a page of the bucket and the keys from its marker on; returns what is listed."""
    listing_start: ListingStart = ListingStart.EARLIER_MARKER
    has_initiation_times: bool = False
    encodes_keys: bool = False
    scans: int = 0

    @property
    def starts(self) -> list[str]:
        """The keys that are named by markers which an earlier scan was given."""
        return [self._read(each.marker)[1] for each in self.pages if self.is_old(each)]

    def is_old(self, request: PageRequest) -> bool:
        """Whether a page is asked for by a marker of an earlier scan."""
        return request.marker is not None and self._read(request.marker)[0] < self.scans

    def named(self, request: PageRequest) -> str | None:
        """Return the key that a request's marker names, None for the first page."""
        return self._read(request.marker)[1] if request.marker else None

    def open(self, bucket: BucketSettings, deadline: float) -> MarkerStore:
        super().open(bucket, deadline)
        self.scans += 1
        return self

    def _answer(self, request: PageRequest) -> Any:
        if request.upload is not None:
            known = any(each.key == request.upload.key for each in self.uploads)
            return Page([Part(1, 10, NOW - DAY)], truncated=False) if known else GONE
        named = self.named(request)
        uploads = {each.key: each for each in self.uploads}
        keys = sorted({*self.blobs, *uploads}, key=self.place)
        inside = [key for key in keys if key.startswith(request.bucket.prefix or "")]
        listed = [key for key in inside if named is None or self._follows(key, named)]
        told = listed if request.by_name else self.tell(request, listed)
        if isinstance(told, Exception):
            return told
        page, rest = told[: self.page_size], told[self.page_size :]
        found = [uploads[key] for key in page if key in uploads]
        marker = None
        if rest:
            marker = self._written(page[-1] if self.naming == NAMINGS[1] else rest[0])
        return Page(found, marker is not None, marker, progressed=marker is not None, keys=page)

    def _written(self, name: str) -> tuple[str, ...]:
        return (base64.b64encode(f"{self.scans}!{name}".encode()).decode(),)

    def _read(self, marker: tuple[str, ...]) -> tuple[int, str]:
        """Return the number of the scan that was given a marker, and the key that it names."""
        [token] = marker
        scan, _, name = base64.b64decode(token, validate=True).decode().partition("!")
        return int(scan), name

    def _follows(self, key: str, named: str) -> bool:  # type: ignore[override]
        place, at = self.place(key), self.place(named)
        return place > at if self.naming == NAMINGS[1] else place >= at
