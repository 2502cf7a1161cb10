"""A bucket's listing in segments that are listed side by side, each proven by the one before."""

from __future__ import annotations

from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.model.boundaries import Boundaries, Boundary
from exporter.stores.pagination.hash_set import HashSet
from exporter.stores.pagination.joins import UNTAKEN, Join, why_failed
from exporter.stores.pagination.key_order import ENDINGS, KeyOrder
from exporter.stores.pagination.segment_paginator import Segment, SegmentPaginator
from exporter.stores.pagination.uploads_paginator import MAX_UPLOADS, hashes_of, too_many_uploads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from exporter.model.uploads import Upload
    from exporter.stores.pagination.boundaries import BoundaryCollector
    from exporter.stores.pagination.joins import JoinAnswer


class _Join(Enum):
    """What is known of a boundary between two segments."""

    OPEN = 0
    ASKED = 1
    PROVEN = 2


class SegmentedListing:
    """The paginators of one listing. Without boundaries it has a single one, of the whole bucket.

    Each segment but the last ends with uploads past its boundary, which the next ones have to list too: so
    the store took the boundary as a marker, and nothing is lost at it. What a segment lists at its end and
    later ones lack has begun or ended meanwhile, or the store loses it: the store is asked again.
    """

    def __init__(
        self,
        boundaries: Sequence[Boundary] = (),
        endings: Sequence[str] = ENDINGS,
        *,
        by_key: bool = False,
        collector: BoundaryCollector | None = None,
    ) -> None:
        """Start a listing that is cut at `boundaries`, keys in an order of `endings`.

        `collector` takes boundaries for the next listing, where they are wanted.
        """
        self.order = KeyOrder(endings)
        self._collector = collector
        self.segments = [
            SegmentPaginator(segment, self.order, collector, by_key=by_key)
            for segment in _segments(boundaries)
        ]
        self.off = ""
        """Why the listing goes on in one stream; '' where it does not."""
        self.is_whole = True
        """Whether the listing is to be believed: else it has to be repeated in one stream."""
        self._joins = [_Join.OPEN for _ in boundaries]
        self._counted = HashSet()
        """Hashes of what other segments listed, once the listing goes on in one stream."""
        self._alone: SegmentPaginator | None = None
        self._added: set[int] = set()

    @property
    def done(self) -> bool:
        """Whether all segments have ended and all joins are proven."""
        return all(each.done for each in self.segments) and all(
            state is _Join.PROVEN for state in self._joins
        )

    @property
    def by_key(self) -> bool:
        """Whether pages are asked for by key alone, as the store refuses its own pairs."""
        return any(each.by_key for each in self.segments)

    @property
    def outside_prefix(self) -> int:
        """Number of uploads left out because their keys do not begin with the bucket's prefix."""
        return sum(each.outside_prefix for each in self.segments)

    def lacking(self, uploads: Collection[Upload]) -> Sequence[Upload]:
        """Return those of these uploads that no page of the listing has shown."""
        return self._lacking(uploads, self.segments)

    def _lacking(self, uploads: Collection[Upload], segments: Sequence[SegmentPaginator]) -> Sequence[Upload]:
        for each in segments:
            uploads = each.lacking(uploads) if uploads else uploads
        names = zip(uploads, hashes_of(uploads), strict=True)
        return [upload for upload, name in names if name not in self._added]

    def take(self, segment: SegmentPaginator, uploads: Collection[Upload]) -> Collection[Upload]:
        """Return those uploads of a segment's page that count; act on what the page shows.

        Raises StoreError where there are more than a scan takes.
        """
        if sum(len(each.shown()) for each in self.segments) > MAX_UPLOADS:
            raise too_many_uploads()
        counted = self._counted or self._added  # a segment may come back to what was found at its beginning
        if counted and not segment.is_closed:
            names = zip(uploads, hashes_of(uploads), strict=True)
            uploads = [upload for upload, name in names if name not in counted]
        if segment.contradiction:
            self.turn_off(segment.contradiction)
        return uploads

    def open_joins(self) -> list[Join]:
        """Note which joins are proven, and return those to ask the store about, each once."""
        open_joins = []
        for number, state in enumerate(self._joins):
            if state is _Join.OPEN and self._is_seen(number):
                before = self.segments[number]
                later = self.segments[number + 1 :]
                doubted = self._lacking(before.tail, later)
                is_proven = not doubted and self._is_joined(number)
                self._joins[number] = _Join.PROVEN if is_proven else _Join.ASKED
                if not is_proven:
                    open_joins.append(self._join(number, doubted))
        return open_joins

    def _is_joined(self, number: int) -> bool:
        """Whether a segment and the next one meet: either there is nothing past it, or both show a key."""
        before, later = self.segments[number], self.segments[number + 1 :]
        if before.end_key is None:
            return not any(each.has_listed for each in later)
        return bool(before.tail) or self._overlaps(before.end_key, later[0].first_key)

    def _overlaps(self, end_key: str, first_key: str | None) -> bool:
        return first_key is not None and self.order.is_past(first_key, end_key) is False

    def _join(self, number: int, doubted: Sequence[Upload]) -> Join:
        before, after = self.segments[number : number + 2]
        boundary = Boundary(before.segment.until or "", after.segment.start)
        is_apart = (
            boundary.start is not None
            and before.end_key is not None
            and not self._overlaps(before.end_key, after.first_key)
        )
        is_ended = boundary.start is not None and before.end_key is None
        marker = before.marker_before if is_ended else before.marker
        return Join(number, boundary, doubted, marker, is_apart, after.first_key)

    def _is_seen(self, number: int) -> bool:
        """Whether a segment has ended, and later ones have listed what is past it as far as it saw that."""
        before, later = self.segments[number], self.segments[number + 1 :]
        if not before.done:
            return False
        last = before.end_key
        if last is None:
            return any(each.has_listed for each in later) or all(each.done for each in later)
        return all(
            each.done
            or self.order.is_past(each.segment.after or "", last)
            or (each.last_key is not None and self.order.is_past(each.last_key, last))
            for each in later
        )

    def answer(self, join: Join, answer: JoinAnswer | Exception) -> Collection[Upload]:
        """Settle a join; returns uploads that count though no segment listed them."""
        if self._joins[join.number] is not _Join.ASKED:
            return ()
        wrong = why_failed(answer, UNTAKEN) if isinstance(answer, Exception) else answer.wrong
        if wrong or isinstance(answer, Exception):
            self.turn_off(wrong)
            return ()
        self._joins[join.number] = _Join.PROVEN
        found = self.lacking(answer.found)
        new = dict(zip(hashes_of(found), found, strict=True))  # a page may have listed one twice
        self._added.update(new)
        return list(new.values())

    @property
    def unproven(self) -> SegmentPaginator:
        """The first segment whose end is not proven, or the last one; that which goes on in one stream."""
        if self._alone is not None:
            return self._alone
        joins = (number for number, state in enumerate(self._joins) if state is not _Join.PROVEN)
        return self.segments[next(joins, len(self.segments) - 1)]

    def turn_off(self, why: str) -> None:
        """Go on in one stream from the first segment whose end is not proven; no upload counts twice."""
        alone = self._alone = self.unproven
        self.off = why
        self.is_whole = not (alone.done and alone.end_key is None and alone.segment.until is not None)
        others = [each for each in self.segments if each is not alone]
        for each in others:
            self._counted.add_all(each.shown())
        self._counted.add_all(self._added)
        for each in others:
            each.close()
        self._joins = [_Join.PROVEN for _ in self._joins]
        if alone.end_key is not None or not alone.done:
            alone.go_on_alone()

    def boundaries(self) -> Boundaries:
        """Return where the next listing can be cut: nowhere if this one was not plain and in order."""
        if self._collector is None or self.off or self.by_key or self.outside_prefix:
            return Boundaries()
        if not all(each.is_plain for each in self.segments):
            return Boundaries()
        return self._collector.boundaries(self.order.endings)


def _segments(boundaries: Sequence[Boundary]) -> Iterator[Segment]:
    for number, (before, end) in enumerate(pairwise((None, *boundaries, None))):
        after, start = before or (None, None)
        yield Segment(number, after, end.key if end else None, start)
