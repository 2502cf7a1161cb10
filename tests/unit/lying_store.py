"""A store in the process whose listing of a bucket can be told to lie; what it says by name is true."""

from collections import Counter
from dataclasses import dataclass, field

from fakes import DAY, GONE, NOW, FakeStore

from exporter.model.errors import StoreError
from exporter.model.uploads import Part, Upload
from exporter.stores.base import Page


@dataclass
class LyingStore(FakeStore):
    """Lists `uploads`, which are in progress, by key and id."""

    lists_by_key: bool = True
    hidden: set[str] = field(default_factory=set)
    """Ids that the listing of the bucket lacks; the listing of a key has them."""
    ghosts: list[Upload] = field(default_factory=list)
    """Uploads that have ended, but are on the listing of the bucket."""
    without_parts: set[str] = field(default_factory=set)
    """Ids of uploads in progress that ListParts does not know."""
    zombies: set[str] = field(default_factory=set)
    """Ids of ended uploads that ListParts still knows, without parts."""
    knows_no_prefix: bool = False
    """Whether a listing by any prefix is empty."""
    knows_whole_keys_only: bool = False
    knows_folders_only: bool = False
    """Whether a listing by a prefix that does not end in / is empty."""
    listed_instead: dict[str, str] = field(default_factory=dict)
    """The prefixes that are listed instead of others."""
    page_size_by_name: int = 1000
    ignores_prefix: bool = False
    ignores_id_marker: bool = False
    joins_markers: bool = False
    """Whether key and id are compared as one text with both markers as one text, as JuiceFS does."""
    empty_listings: set[int] = field(default_factory=set)
    """Numbers of listings of the bucket, counted from 1, that are empty."""
    by_name_error: StoreError | None = None
    parts_error: StoreError | None = None
    asked_by_name: Counter[str] = field(default_factory=Counter)
    """Number of listings by their prefix; '' is the whole bucket."""

    def list_uploads(self, bucket, marker, deadline, *, by_name=False, encoded=False) -> Page[Upload]:
        self.before_page(self.pages)
        self.pages += 1
        prefix = bucket.prefix or ""
        self.asked_by_name[prefix] += 1
        listed = sorted(self._listed(prefix), key=lambda each: each[:2])
        if marker:
            key, upload_id = marker
            listed = [each for each in listed if self._is_after(each, key, upload_id)]
        page = listed[: self.page_size_by_name if by_name else self.page_size]
        last = page[-1][:2] if page else None
        return Page(page, truncated=len(listed) > len(page), next_marker=last, last_marker=last)

    def _listed(self, prefix: str) -> list[Upload]:
        if not prefix and self.asked_by_name[""] in self.empty_listings:
            return []
        if not prefix or self.ignores_prefix:
            return [each for each in self.uploads if each.upload_id not in self.hidden] + self.ghosts
        if self.by_name_error and any(each.key == prefix for each in self.uploads):
            raise self.by_name_error
        if self.knows_no_prefix or (self.knows_folders_only and not prefix.endswith("/")):
            return []
        prefix = self.listed_instead.get(prefix, prefix)
        if self.knows_whole_keys_only:
            return [each for each in self.uploads if each.key == prefix]
        return [each for each in self.uploads if each.key.startswith(prefix)]

    def _is_after(self, upload: Upload, key: str, upload_id: str) -> bool:
        if self.joins_markers:
            return upload.key + upload.upload_id > key + upload_id
        if self.ignores_id_marker or not upload_id:
            return upload.key > key
        return upload[:2] > (key, upload_id)

    def list_parts(self, bucket, upload, marker, deadline) -> Page[Part]:
        self.asked[upload.upload_id] += 1
        self.before_parts(upload)
        if self.parts_error:
            raise self.parts_error
        if upload.upload_id in self.zombies:
            return Page([], truncated=False)
        known = {each.upload_id for each in self.uploads} - self.without_parts
        if upload.upload_id not in known:
            raise GONE
        return Page([Part(1, 10, NOW - 10 * DAY)], truncated=False)
