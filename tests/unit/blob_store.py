"""A store in the process that tells no times at all and whose uploads have no id: a key is all they have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fakes import GONE, NO_UPLOAD, FakeStore

from exporter.model.uploads import Part, Upload
from exporter.stores.azure.block_sum import BlockSum
from exporter.stores.base import Page


@dataclass
class BlobStore(FakeStore):
    """Lists the keys of `blobs`, with the sizes of its blocks: [] is no upload, None is gone."""

    blobs: dict[str, list[int] | Exception | None] = field(default_factory=dict)
    first_ids: dict[str, int] = field(default_factory=dict)
    """The number that the first block of a key has for an id, 1 where it is not here."""
    hidden: set[str] = field(default_factory=set)
    """Keys that only the listing of a key has."""
    by_name_error: Exception | None = None
    has_part_times: bool = False
    has_initiation_times: bool = False
    lists_by_key: bool = True
    asked_for: Counter[str] = field(default_factory=Counter)
    """Number of questions about the blocks of each key."""

    def list_uploads(self, bucket, marker, deadline, *, by_name=False, encoded=False) -> Page[Upload]:
        number, self.pages = self.pages, self.pages + 1
        self.before_page(number)
        if not by_name and number in self.listing_errors:
            raise self.listing_errors.pop(number)
        if by_name and self.by_name_error:
            raise self.by_name_error
        after = marker[0] if marker else ""
        keys = [
            key
            for key in sorted(self.blobs)
            if key > after and key.startswith(bucket.prefix or "") and (by_name or key not in self.hidden)
        ]
        page = [Upload(key, "") for key in keys[: self.page_size]]
        last = (page[-1].key,) if page else None
        return Page(page, truncated=len(keys) > len(page), next_marker=last)

    def list_parts(self, bucket, upload, marker, deadline) -> Page[Part]:
        self.asked_for[upload.key] += 1
        self.before_parts(upload)
        blocks = self.blobs.get(upload.key)
        if isinstance(blocks, Exception):
            raise blocks
        if blocks is None:
            raise GONE
        if not blocks:
            raise NO_UPLOAD
        first = self.first_ids.get(upload.key, 1)
        return Page([Part(number, size) for number, size in enumerate(blocks, first)], truncated=False)

    def new_part_sum(self) -> BlockSum:
        return BlockSum()
