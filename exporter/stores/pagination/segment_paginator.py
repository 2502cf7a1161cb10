"""The paginator of one segment of a bucket's listing: the uploads past one key, up to another."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.boundaries import Boundary, SegmentStart
from exporter.stores.base import keys_of
from exporter.stores.pagination.boundaries import ListedPage
from exporter.stores.pagination.end_check import ends
from exporter.stores.pagination.uploads_paginator import UploadsPaginator

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.model.uploads import Upload
    from exporter.stores.base import Marker, Page
    from exporter.stores.pagination.boundaries import BoundaryCollector
    from exporter.stores.pagination.key_order import KeyOrder

UNORDERED = "a page is not in the order of its keys"
UNHEEDED = "a page begins before the key that it was asked for"
UNDECIDED = "the order of two keys at a boundary is not known"


class Segment(NamedTuple):
    """Which uploads are listed: those past `after`, not past `until`; None for no limit on that side.

    `start` is how the first page is asked for, None for by `after` alone.
    """

    number: int = 0
    after: str | None = None
    until: str | None = None
    start: SegmentStart | None = None

    @property
    def marker(self) -> Marker | None:
        """The marker of the first page."""
        if self.start is not None:
            return self.start.marker
        return None if self.after is None else (self.after, "")


class SegmentPaginator(UploadsPaginator):
    """Lists one segment in the store's own pages, and ends at the first upload past it.

    It begins after a key alone, or at a page of an earlier listing. Whether a store lists the uploads of its
    beginning again makes no difference: what is not past it is left out. What ends it is any key past it,
    also one that is no upload's. A page that contradicts the order of keys is not taken.
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
        super().__init__(by_key=by_key, start=segment.marker)
        self.segment = segment
        self.tail: Sequence[Upload] = ()
        """The uploads past the segment on its last page, in the order of the page."""
        self.end_key: str | None = None
        """The last key on its last page, where that is past the segment; None where it saw none past it."""
        self.first_key: str | None = None
        """The first key that a page has shown."""
        self.last_key: str | None = None
        """The last key that a page has shown, also one past the segment."""
        self.has_listed = False
        """Whether anything was shown past its beginning."""
        self.contradiction = ""
        """What a page shows that a listing in the order of keys cannot."""
        self.is_closed = False
        """Whether its pages do not count any more."""
        self._order = order
        self._collector = collector
        self._last_collected: str | None = None
        self._page_length = 0
        self._asked_with: deque[Marker | None] = deque(maxlen=2)
        self._is_limited = (segment.after, segment.until) != (None, None)

    def accept(self, page: Page[Upload]) -> Collection[Upload]:
        """Take the page that was requested and return its new uploads of the segment."""
        self.edge_keys = ()
        if self.is_closed:
            return ()
        asked_with, is_rest = self.marker, self.rest is not None
        if not is_rest:
            self._asked_with.append(asked_with)
        new = self._accept_segment(page) if self._is_limited else super().accept(page)
        self.has_listed = self.has_listed or bool(new) or self._shows_more(page)
        if self._collector is not None and not self.contradiction:
            keys = page.keys if page.keys is not None else [upload.key for upload in new]
            self._collect(self._collector, page, keys, asked_with, is_rest=is_rest)
        return new

    @property
    def marker_before(self) -> Marker | None:
        """The marker of the page before the last one, or of the first and only one."""
        return self._asked_with[0] if self._asked_with else self.start

    def _shows_more(self, page: Page[Upload]) -> bool:
        """Whether a page that lists more than uploads goes on past the segment's beginning."""
        after = self.segment.after
        return bool(page.keys) and (after is None or bool(self._order.is_past(keys_of(page)[-1], after)))

    def _accept_segment(self, page: Page[Upload]) -> Collection[Upload]:
        uploads = page.items if isinstance(page.items, list) else list(page.items)
        keys = keys_of(page) if self._end_check is None else ()
        if keys:
            self._check_order(keys)
        first, end = self._places(uploads)
        is_past = end < len(uploads) or self._is_past_end(page)
        if self.contradiction:
            return ()
        is_first = self.last_key is None
        if keys:
            self.first_key = self.first_key if self.first_key is not None else keys[0]
            self.last_key = keys[-1]
        if is_past:
            self.end_key = keys_of(page)[-1]
            return self._end_with(uploads[first:end], uploads[end:])
        if ends(page) and first == end and (is_first or first):
            return self._end_with((), ())
        return super().accept(page._replace(items=uploads[first:]) if first else page)

    def _is_past_end(self, page: Page[Upload]) -> bool:
        """Whether a page that lists more than uploads goes on past the segment."""
        until = self.segment.until
        return until is not None and bool(page.keys) and self._is_past(keys_of(page)[-1], until)

    def _end_with(self, inside: Collection[Upload], tail: Sequence[Upload]) -> Collection[Upload]:
        """End the segment. The marker stays where it is: the page is asked for again to go on alone."""
        self.tail, self.done, self.rest = tail, True, None
        self.edge_keys, self._keys_at_edge = self._keys_at_edge, ()
        return self._new_items(inside)

    def _check_order(self, keys: Sequence[str]) -> None:
        """Note what contradicts the order, or the segment's beginning."""
        self._order.add(keys, self.last_key)
        if not self._order.endings:
            self.contradiction = UNORDERED
        elif self.last_key is None and not self._may_be_first(keys[0]):
            self.contradiction = self.contradiction or UNHEEDED

    def _may_be_first(self, key: str) -> bool:
        """Whether the segment's first page may begin with a key.

        After a key alone, some stores list what follows it as a text: its own uploads, and those of longer
        keys. A marker may name what it begins with, or what is before that: new keys come in between.
        """
        _, after, _, start = self.segment
        if start is not None:
            return not start.before or self._is_past(key, start.before)
        return after is None or key.startswith(after) or self._is_past(key, after)

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

    def _collect(
        self,
        collector: BoundaryCollector,
        page: Page[Upload],
        keys: Sequence[str],
        asked_with: Marker | None,
        *,
        is_rest: bool,
    ) -> None:
        if page.rest is not None:
            collector.give_up()
        boundary = self._boundary(keys, asked_with)
        before, self._last_collected = self._last_collected, keys[-1] if keys else self._last_collected
        if keys and not (self._is_limited or (self.done and before is None)):  # one page is not cut
            self._order.add(keys, before)
        length = len(page.items if page.keys is None else page.keys)
        self._page_length = length + (self._page_length if is_rest else 0)
        own = keys if page.keys is None else self._own(page.keys)
        number = self.segment.number
        collector.add_page(ListedPage(number, own, self._page_length, boundary, self.done, is_rest))
        if "" not in self._order.endings:
            collector.drop_longer(keys if before is None else [before, *keys])

    def _own(self, keys: Sequence[str]) -> Sequence[str]:
        """Return the keys of the segment, of those on a page that is in their order."""
        first, end, place = 0, len(keys), self._order.place
        if self.segment.after is not None:
            first = bisect_right(keys, place(self.segment.after), key=place)
        if self.segment.until is not None:
            end = bisect_right(keys, place(self.segment.until), key=place)
        return keys[first:end]

    def _boundary(self, keys: Sequence[str], asked_with: Marker | None) -> Boundary | None:
        """Return where a page begins that was asked for by a marker; where the segment does stays."""
        after, start = self.segment.after, self.segment.start
        if asked_with is None:
            return None
        if start is not None and after is not None and asked_with == start.marker:
            return Boundary(after, start)
        if not keys or (after is not None and not self._order.is_past(keys[0], after)):
            return None
        return Boundary(keys[0], SegmentStart(asked_with, self._last_collected or ""))

    def close(self) -> None:
        """End it here: pages that are under way do not count."""
        self.is_closed = self.done = True
        self.rest = None

    def go_on_alone(self) -> None:
        """List all that follows, in any order, from the page that ended the segment or was not taken."""
        self.contradiction, self.tail, self.end_key = "", (), None
        self.done = self._is_limited = False
        self._collector = None
