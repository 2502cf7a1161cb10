"""The paginator of one segment of a bucket's listing: the uploads past one key, up to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.stores.pagination.end_check import ends
from exporter.stores.pagination.uploads_paginator import UploadsPaginator

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.model.uploads import Upload
    from exporter.stores.base import Page
    from exporter.stores.pagination.boundaries import BoundaryCollector
    from exporter.stores.pagination.key_order import KeyOrder

UNORDERED = "a page is not in the order of its keys"
UNHEEDED = "a page begins before the key that it was asked for"
UNDECIDED = "the order of two keys at a boundary is not known"


class Segment(NamedTuple):
    """Which uploads are listed: those past `after`, not past `until`; None for no limit on that side."""

    number: int = 0
    after: str | None = None
    until: str | None = None


class SegmentPaginator(UploadsPaginator):
    """Lists one segment in the store's own pages, and ends at the first upload past it.

    It begins after a key alone. Whether a store lists that key's uploads again makes no difference: what is
    not past it is left out. A page that contradicts the order of keys is not taken.
    """

    def __init__(
        self,
        segment: Segment,
        order: KeyOrder,
        collector: BoundaryCollector | None = None,
        *,
        by_key: bool = False,
    ) -> None:
        """Start it; `order` is shared by the segments of a listing. `collector` takes keys for the next."""
        super().__init__(by_key=by_key, start=None if segment.after is None else (segment.after, ""))
        self.segment = segment
        self.tail: Sequence[Upload] = ()
        """The uploads past the segment on its last page, in the order of the page."""
        self.last_key: str | None = None
        """The last key that a page has shown, also in `tail`."""
        self.listed = 0
        """Number of uploads that were returned."""
        self.contradiction = ""
        """What a page shows that a listing in the order of keys cannot."""
        self.is_closed = False
        """Whether its pages do not count any more."""
        self._order = order
        self._collector = collector
        self._last_collected: str | None = None
        self._is_limited = segment[1:] != (None, None)

    def accept(self, page: Page[Upload]) -> Collection[Upload]:
        """Take the page that was requested and return its new uploads of the segment."""
        self.edge_keys = ()
        if self.is_closed:
            return ()
        new = self._accept_segment(page) if self._is_limited else super().accept(page)
        self.listed += len(new)
        if self._collector is not None and not self.contradiction:
            self._collect(self._collector, page, [upload.key for upload in new])
        return new

    def _accept_segment(self, page: Page[Upload]) -> Collection[Upload]:
        uploads = page.items if isinstance(page.items, list) else list(page.items)
        if self._end_check is None and uploads:
            self._check_order([upload.key for upload in uploads])
        first, end = self._places(uploads)
        if self.contradiction:
            return ()
        is_first = self.last_key is None
        if self._end_check is None and uploads:
            self.last_key = uploads[-1].key
        if end < len(uploads):
            return self._end_with(uploads[first:end], uploads[end:])
        if ends(page) and first == end and (is_first or first):
            return self._end_with((), ())
        return super().accept(page._replace(items=uploads[first:]) if first else page)

    def _end_with(self, inside: Collection[Upload], tail: Sequence[Upload]) -> Collection[Upload]:
        """End the segment. The marker stays where it is: the page is asked for again to go on alone."""
        self.tail, self.done, self.rest = tail, True, None
        self.edge_keys, self._keys_at_edge = self._keys_at_edge, ()
        return self._new_items(inside)

    def _check_order(self, keys: Sequence[str]) -> None:
        """Note what contradicts the order, or the segment's beginning.

        Some stores list what follows the beginning as a text: its own uploads, and those of longer keys.
        """
        after = self.segment.after
        self._order.add(keys, self.last_key)
        if not self._order.endings:
            self.contradiction = UNORDERED
        elif self.last_key is None and after is not None and not self._may_follow(keys[0], after):
            self.contradiction = self.contradiction or UNHEEDED

    def _may_follow(self, key: str, after: str) -> bool:
        return key.startswith(after) or self._is_past(key, after)

    def _places(self, uploads: Sequence[Upload]) -> tuple[int, int]:
        """Return where the segment's uploads begin on a page, and where they end."""
        after, until = self.segment.after, self.segment.until
        first, end = 0, len(uploads)
        while after is not None and first < end and not self._is_past(uploads[first].key, after):
            first += 1
        while until is not None and end > first and self._is_past(uploads[end - 1].key, until):
            end -= 1
        return first, end

    def _is_past(self, key: str, boundary: str) -> bool:
        is_past = self._order.is_past(key, boundary)
        if is_past is None:
            self.contradiction = self.contradiction or UNDECIDED
        return bool(is_past)

    def accept_named(self, uploads: Sequence[Upload]) -> Collection[Upload]:
        """Take uploads that were listed by name, and return those of the segment that no page has shown."""
        if self.is_closed:
            return ()
        if self._is_limited:
            uploads = [each for each in uploads if self._places([each]) == (0, 1)]
        return super().accept_named(uploads)

    def _collect(self, collector: BoundaryCollector, page: Page[Upload], keys: Sequence[str]) -> None:
        if page.rest is not None:
            collector.give_up()
        before, self._last_collected = self._last_collected, keys[-1] if keys else self._last_collected
        if keys and not (self._is_limited or (self.done and before is None)):  # one page is not cut
            self._order.add(keys, before)
        collector.add_page(self.segment.number, keys, len(page.items), is_last=self.done)
        if "" not in self._order.endings:
            collector.drop_longer(keys if before is None else [before, *keys])

    def close(self) -> None:
        """End it here: pages that are under way do not count."""
        self.is_closed = self.done = True
        self.rest = None

    def go_on_alone(self) -> None:
        """List all that follows, in any order, from the page that ended the segment or was not taken."""
        self.contradiction, self.tail = "", ()
        self.done = self._is_limited = False
        self._collector = None
