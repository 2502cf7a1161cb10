"""Sums over the uploads that a scan found in one bucket; no upload is kept.

What each sum means, and when it is not known (None, never 0), is described in docs/metrics.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from exporter.model.results import DEFAULT_CLASS, Summary
from exporter.model.uploads import CountedUpload
from exporter.scan.class_bytes import ClassBytes
from exporter.scan.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.model.uploads import PartTotals, Upload

ABORT_GRACE_SECONDS = 2 * 86400
"""Time that a store may take to abort an upload after its abort date."""
_MICROSECONDS = 1_000_000
_in_microseconds = (1e6).__mul__


class Tally:
    """Adds uploads up to a Summary, in any order. For one thread; tallies of the same scan can be merged."""

    def __init__(
        self,
        *,
        now: float,
        stale_after: float,
        ages: Sequence[float],
        with_parts: bool,
        observer: Callable[[CountedUpload], None] | None = None,
    ) -> None:
        """Make an empty tally of a scan that started at `now` (Unix seconds).

        An upload is stale `stale_after` seconds after its last activity; `ages` are the bounds of the age
        histogram, ascending seconds; `with_parts` is False for a target with `parts: never`. `observer` is
        called with each upload that is counted.
        """
        self.now = now
        self._now_microseconds = round(_in_microseconds(now))
        self.stale_after = stale_after
        self.ages = tuple(ages)
        self.with_parts = with_parts
        self._observer = observer
        self._uploads = self._undated = self._sized = self._unsized = 0
        self._unlisted = self._denied = 0
        self._unlisted_marks: set[int] = set()
        self._empty = self._parts = self._bytes = self._overdue = self._most_parts = 0
        self._abort_scheduled = self._abort_overdue = 0
        self._stale = self._stale_sized = self._stale_bytes = 0
        self._oldest_initiated = self._oldest_activity = math.inf
        self._age_counts = [0] * (len(self.ages) + 1)
        self._age_bytes = [0] * (len(self.ages) + 1)
        self._age_microseconds = 0  # whole numbers add up alike in any order
        self._classes = ClassBytes()

    @property
    def is_observed(self) -> bool:
        """Whether an observer is to be given each upload."""
        return self._observer is not None

    def mark_unlisted(self, upload: Upload) -> None:
        """Note that an upload is lacking in the listing; it is counted as such when it is counted.

        One without a name stands for any whose name is not known; it is given to no observer.
        """
        self._unlisted_marks.add(hash(upload[:2]))

    def add_denied(self, upload: Upload) -> None:
        """Count an upload that the store lists and denies; it is in no other sum."""
        self._denied += 1
        if self._observer:
            storage_class = upload.storage_class or DEFAULT_CLASS
            self._observer(CountedUpload(upload, upload.initiated, None, None, storage_class, denied=True))

    def add_sized(self, upload: Upload, totals: PartTotals, activity: float | None = None) -> None:
        """Count an upload whose parts were listed.

        `activity` (Unix seconds) stands for the newest part's time where the store gives none. Totals
        without bytes (a malformed size) leave the upload unsized, though its parts tell its activity.
        """
        group = self._add_initiation(upload)
        last = last_activity(upload, totals, activity)
        stale = self._add_activity(last)
        if self._observer:
            parts = totals.parts if totals.bytes is not None else None
            storage_class = totals.storage_class or upload.storage_class or DEFAULT_CLASS
            found = CountedUpload(upload, last, parts, totals.bytes, storage_class, totals.abort_at)
            self._observe(found, stale=stale)
        if totals.bytes is None:
            self._unsized += 1
            return
        self._sized += 1
        self._add_abort(totals.abort_at)
        self._empty += totals.parts == 0
        self._parts += totals.parts
        if totals.parts > self._most_parts:  # noqa: PLR1730 - a call for each upload takes time
            self._most_parts = totals.parts
        self._bytes += totals.bytes
        if group is not None:
            self._age_bytes[group] += totals.bytes
        self._stale_sized += stale
        self._stale_bytes += totals.bytes if stale else 0
        self._classes.add(totals.storage_class or upload.storage_class or DEFAULT_CLASS, totals.bytes)

    def add_overdue(self, upload: Upload, totals: PartTotals) -> None:
        """Count an upload by the totals of its last check, though it was due to be checked again."""
        self._overdue += 1
        self.add_sized(upload, totals)

    def add_unsized(self, upload: Upload) -> None:
        """Count an upload whose bytes are not known; its initiation stands for its activity."""
        self._unsized += 1
        self.add_counted(upload)

    def add_counted(self, upload: Upload) -> None:
        """Count an upload of a target without parts; its initiation stands for its activity."""
        self._add_initiation(upload)
        stale = self._add_activity(upload.initiated)
        if self._observer:
            storage_class = upload.storage_class or DEFAULT_CLASS
            self._observe(CountedUpload(upload, upload.initiated, None, None, storage_class), stale=stale)

    def add_counted_all(self, uploads: Collection[Upload]) -> None:
        """Count a page of uploads of a target without parts."""
        if self._observer or self._unlisted_marks:
            for upload in uploads:
                self.add_counted(upload)
            return
        moments = sorted(each.initiated for each in uploads if each.initiated is not None)
        self._uploads += len(uploads)
        self._undated += len(uploads) - len(moments)
        if moments:
            self._add_initiations(moments)
            self._oldest_activity = min(self._oldest_activity, moments[0])
            self._stale += len(moments) - self._younger(moments, self._is_fresh)

    def _add_initiations(self, moments: Sequence[float]) -> None:
        """Count the dates of uploads, in ascending order, as `_add_initiation` counts one."""
        self._oldest_initiated = min(self._oldest_initiated, moments[0])
        past = bisect_right(moments, self.now)
        self._age_microseconds += past * self._now_microseconds - sum(
            map(round, map(_in_microseconds, moments[:past]))
        )
        up_to = [self._younger(moments, partial(self._is_of_age, bound)) for bound in self.ages]
        for group, (fewer, more) in enumerate(pairwise((0, *up_to, len(moments)))):
            self._age_counts[group] += more - fewer

    def new(self) -> Tally:
        """Return an empty tally of the same scan, without observer."""
        now, with_parts = self.now, self.with_parts
        return Tally(now=now, stale_after=self.stale_after, ages=self.ages, with_parts=with_parts)

    def sums(self) -> Sums:
        """Return the sums of sized uploads that are neither overdue nor denied, all initiated by `now`."""
        dated = self._uploads - self._undated
        return Sums(
            uploads=self._uploads,
            undated=self._undated,
            sized=self._sized,
            unsized=self._unsized,
            empty=self._empty,
            stale=self._stale,
            stale_sized=self._stale_sized,
            abort_scheduled=self._abort_scheduled,
            abort_overdue=self._abort_overdue,
            ages=tuple(self._age_counts),
            age_bytes=tuple(self._age_bytes),
            initiated=dated * self._now_microseconds - self._age_microseconds,
            parts=self._parts,
            bytes=self._bytes,
            stale_bytes=self._stale_bytes,
            most_parts=self._most_parts,
            oldest_initiated=self._oldest_initiated,
            oldest_activity=self._oldest_activity,
            classes=self._classes,
        )

    def add_sums(self, sums: Sums) -> None:
        """Count the uploads of these sums, which an earlier scan may have made; see `known_chunks`."""
        dated = sums.uploads - sums.undated
        self._uploads += sums.uploads
        self._undated += sums.undated
        self._sized += sums.sized
        self._unsized += sums.unsized
        self._empty += sums.empty
        self._stale += sums.stale
        self._stale_sized += sums.stale_sized
        self._abort_scheduled += sums.abort_scheduled
        self._abort_overdue += sums.abort_overdue
        self._age_counts = [one + other for one, other in zip(self._age_counts, sums.ages, strict=True)]
        self._age_bytes = [one + other for one, other in zip(self._age_bytes, sums.age_bytes, strict=True)]
        self._age_microseconds += dated * self._now_microseconds - sums.initiated
        self._parts += sums.parts
        self._bytes += sums.bytes
        self._stale_bytes += sums.stale_bytes
        self._most_parts = max(self._most_parts, sums.most_parts)
        self._oldest_initiated = min(self._oldest_initiated, sums.oldest_initiated)
        self._oldest_activity = min(self._oldest_activity, sums.oldest_activity)
        self._classes.add_all(sums.classes)

    def _observe(self, found: CountedUpload, *, stale: bool) -> None:
        if self._observer and not found.nameless:
            unlisted = self._is_unlisted(found.upload)
            self._observer(found._replace(unlisted=unlisted, stale=stale) if unlisted or stale else found)

    def _is_unlisted(self, upload: Upload) -> bool:
        return bool(self._unlisted_marks) and hash(upload[:2]) in self._unlisted_marks

    def summary(self) -> Summary:
        """Return what was added up so far."""
        sizes_known = self.with_parts and (self._sized > 0 or self._uploads == 0)
        stale_known = sizes_known and (self._stale_sized > 0 or self._stale == 0)
        return Summary(
            uploads=self._uploads,
            undated=self._undated,
            unsized=self._unsized if self.with_parts else 0,
            empty=self._empty if sizes_known else None,
            parts=self._parts if sizes_known else None,
            bytes=self._bytes if sizes_known else None,
            stale=self._stale,
            stale_bytes=self._stale_bytes if stale_known else None,
            oldest_initiated=_known(self._oldest_initiated),
            oldest_activity=_known(self._oldest_activity),
            age_counts=tuple(accumulate(self._age_counts)) if self.ages else (),
            age_sum=self._age_microseconds / _MICROSECONDS,
            bytes_by_class=tuple(sorted(self._classes.items())) if self.with_parts else (),
            parts_known=self.with_parts,
            overdue=self._overdue,
            abort_scheduled=self._abort_scheduled if sizes_known else None,
            abort_overdue=self._abort_overdue if sizes_known else None,
            unlisted=self._unlisted,
            denied=self._denied,
            age_bytes=tuple(accumulate(self._age_bytes)) if self.ages and sizes_known else (),
            fullest_upload_parts=self._most_parts if sizes_known else None,
        )

    def _add_initiation(self, upload: Upload) -> int | None:
        """Count an upload and its age; returns the group of its age, None where that is not known."""
        self._uploads += 1
        if self._unlisted_marks:
            self._unlisted += self._is_unlisted(upload)
        initiated = upload.initiated
        if initiated is None:
            self._undated += 1
            return None
        age = self.now - initiated
        group = bisect_left(self.ages, age)
        self._age_counts[group] += 1
        if age > 0:
            self._age_microseconds += self._now_microseconds - round(_in_microseconds(initiated))
        if initiated < self._oldest_initiated:  # noqa: PLR1730 - as above
            self._oldest_initiated = initiated
        return group

    def _add_activity(self, activity: float | None) -> bool:
        """Count the last activity, None where it is not known; returns whether the upload is stale."""
        if activity is None:
            return False
        if activity < self._oldest_activity:  # noqa: PLR1730 - as above
            self._oldest_activity = activity
        stale = not self._is_fresh(activity)
        self._stale += stale
        return stale

    def _is_fresh(self, activity: float) -> bool:
        idle = self.now - activity
        return (idle if idle > 0 else 0.0) < self.stale_after

    def _is_of_age(self, bound: float, moment: float) -> bool:
        return self.now - moment <= bound

    @staticmethod
    def _younger(moments: Sequence[float], is_young: Callable[[float], bool]) -> int:
        """Return how many of these ascending moments are young: all from the first one on that is."""
        return len(moments) - bisect_left(moments, x=True, key=is_young)

    def _add_abort(self, moment: float | None) -> None:
        if moment is not None:
            self._abort_scheduled += 1
            self._abort_overdue += self.now > moment + ABORT_GRACE_SECONDS


def last_activity(upload: Upload, totals: PartTotals, activity: float | None) -> float | None:
    """Return the newest part's time, else `activity`, else, and without parts, the initiation."""
    last = totals.last_modified if totals.last_modified is not None else activity
    return upload.initiated if last is None or totals.parts == 0 else last


def _known(moment: float) -> float | None:
    return None if moment == math.inf else moment
