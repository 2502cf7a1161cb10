"""The task that lists the parts of one upload and adds them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.model.uploads import Parts
from exporter.stores.base import PageRequest
from exporter.stores.pagination.hash_set import HashSet
from exporter.stores.pagination.listing import ask_twice, is_refusal
from exporter.stores.pagination.paginator import MAX_STALLED_PAGES, Paginator, does_not_move
from exporter.stores.pagination.part_sums import MAX_PARTS_PER_UPLOAD, MAX_SINGLE_PARTS, too_many_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Part, PartTotals, Upload
    from exporter.stores.base import Marker, Page, PartSum
    from exporter.stores.pagination.listing import Task


def sum_parts(bucket: BucketSettings, upload: Upload, part_sum: PartSum) -> Task[PartTotals]:
    """Return the task that lists the parts that `part_sum` has not counted, and returns the totals of all.

    It raises StoreError, GoneError where the upload has ended. Where a store refuses to go on after the parts
    already counted, or one of these was sent again, all are listed.
    """
    if part_sum.contiguous_parts:
        return _list_rest(bucket, upload, part_sum)
    return _list(bucket, upload, part_sum, None)


def _list_rest(bucket: BucketSettings, upload: Upload, part_sum: PartSum) -> Task[PartTotals]:
    """List the parts after those already counted, or all; see `sum_parts`."""
    try:
        totals = yield from _list(bucket, upload, part_sum, (str(part_sum.contiguous_parts),))
        if not part_sum.outdated:
            return totals
    except StoreError as error:
        if not is_refusal(error):
            raise
    part_sum.restart()
    return (yield from _list(bucket, upload, part_sum, None))


def _list(
    bucket: BucketSettings, upload: Upload, part_sum: PartSum, marker: Marker | None
) -> Task[PartTotals]:
    """List the parts after `marker`. Raises StoreError."""
    page: Page[Part] = yield from ask_twice(PageRequest(bucket, upload, marker))
    if (
        page.truncated is False and not page.full
    ):  # nearly always: all parts on one page, in which the sum finds repeats
        part_sum.add(page.items)
        return _totals(part_sum, page.storage_class, page.abort_at)
    paginator = PartsPaginator(marker, part_sum.contiguous_parts)
    storage_class, abort_at = "", None
    while True:
        storage_class = page.storage_class or storage_class
        abort_at = abort_at if page.abort_at is None else page.abort_at
        part_sum.add(paginator.accept(page))  # raises where these are too many
        if paginator.done:
            return _totals(part_sum, storage_class, abort_at)
        page = yield from ask_twice(PageRequest(bucket, upload, paginator.marker))


def _totals(part_sum: PartSum, storage_class: str, abort_at: float | None) -> PartTotals:
    totals = part_sum.totals(storage_class)
    return totals if abort_at is None else totals._replace(abort_at=abort_at)


class PartsPaginator(Paginator["Part"]):
    """State of a listing of one upload's parts, which are compared by number, or by range without one.

    Numbered parts listed again are given back, too: they may have been sent again. Some servers take a marker
    for the number of parts to leave out, which shows where numbers are missing: where a list ends on an empty
    or full page, or had gaps at a page's edge, the page after as many parts as were listed is asked for, too.
    """

    def __init__(self, marker: Marker | None = None, skipped_parts: int = 0) -> None:
        """Start a listing after `marker`, which leaves out parts 1 to `skipped_parts`."""
        super().__init__(lambda parts: parts.starts if isinstance(parts, Parts) else list(parts))
        self.marker = marker
        self._markers_tried.add(hash(marker))
        self._skipped_parts = skipped_parts
        self._listed = HashSet(max_plain=MAX_SINGLE_PARTS)
        self._highest = 0
        self._all_numbered = True
        self._after_gap: Marker | None = None
        self._is_check = False
        self._last_number = 0
        self._skips_as_many = False

    def accept(self, page: Page[Part]) -> Collection[Part]:
        """Take the page that was requested; returns the parts to count. Raises StoreError (bad_response)."""
        new = super().accept(page)
        return page.items if isinstance(page.items, Parts) else new

    def _recall(self, identities: Sequence[Hashable], distinct: set[Hashable]) -> set[Hashable]:  # noqa: ARG002
        named = {hash((each,)): each for each in distinct if each is not None}
        known = {named[each] for each in self._listed.add_new(named)}
        if len(self._listed) > MAX_PARTS_PER_UPLOAD:
            raise too_many_parts(MAX_PARTS_PER_UPLOAD)
        numbers = [number for number in distinct if isinstance(number, int)]
        self._highest = max(self._highest, *numbers, 0)
        self._all_numbered = self._all_numbered and len(numbers) == len(distinct)
        return known

    def _follow(self, page: Page[Part], *, moved: bool) -> None:
        is_check, self._is_check = self._is_check, False
        last = self._last_number
        if self._skips_as_many or (is_check and moved and self.marker != (str(last),)):
            self._skips_as_many = True
            self._count_on(page, moved=moved)
        elif is_check and not moved:
            self._check(self._other_ways)
        else:
            super()._follow(page, moved=moved)
            self._look_for_gaps(page)
        self._last_number = self._highest_number()

    def _look_for_gaps(self, page: Page[Part]) -> None:
        """At the end of the list, check it where markers may have been taken for something else."""
        last, counted = self._highest_number(), len(self._listed) + self._skipped_parts
        if not last:
            return
        if not self.done:
            self._after_gap = self._after_gap or ((str(counted),) if last > counted else None)
            return
        ways = [self._after_gap] if self._after_gap else []
        if not page.items:
            ways = [(str(last),), *ways, (str(counted),)]
        elif page.full and last > counted:
            ways.append((str(counted),))
        self._check(ways)

    def _count_on(self, page: Page[Part], *, moved: bool) -> None:
        """Go on by the number of parts to leave out, as which the store takes a marker."""
        self._stalled_pages = 0 if moved else self._stalled_pages + 1
        if self._stalled_pages >= MAX_STALLED_PAGES:
            raise does_not_move()
        self.done = not page.items
        if self.marker:
            self.marker = (str(int(self.marker[0]) + len(page.items)),)

    def _highest_number(self) -> int:
        """Return the highest part number listed; 0 where a part has none."""
        return self._highest if self._all_numbered else 0

    def _check(self, ways: Sequence[Marker]) -> None:
        """Ask for a page that shows nothing new if the list is complete, unless all were asked for."""
        self._is_check = self._go_on(ways)
        self.done = not self._is_check
