"""What one scan found in one bucket, added up upload by upload; no upload is held on to.

The words, and the rules for what cannot be known, are those of docs/metrics.md: a number that
is not known is None, never 0.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from exporter.model.results import DEFAULT_CLASS, OTHER_CLASS, Summary
from exporter.model.uploads import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.model.uploads import PartTotals, Upload

CLASSES_LIMIT = 20
"""So many storage classes of a bucket keep their name; a store that invents more makes no more series."""

_CLASS_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
# of Amazon S3 and Glacier, and Huawei OBS: names that a flood of invented ones must not push out
_USUAL_CLASSES = frozenset(
    {
        *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"),
        *("GLACIER", "GLACIER_IR", "DEEP_ARCHIVE", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW", "WARM", "COLD"),
    }
)
OVERDUE_SECONDS = 2 * 86400
"""A store may take so long to abort what its rules say."""
_MICROSECONDS = 1_000_000


class Tally:
    """Adds uploads up to a Summary. For one thread; tallies with the same settings can be merged.

    The order of adding and merging changes nothing.
    """

    def __init__(
        self,
        *,
        now: float,
        stale_after: float,
        ages: Sequence[float],
        with_parts: bool,
        observer: Callable[[Found], None] | None = None,
    ) -> None:
        """Make an empty tally of a scan that started at `now` (Unix seconds).

        An upload is stale `stale_after` seconds after its last activity; `ages` are the bounds of the age
        histogram, ascending seconds; `with_parts` is False for a target with `parts: never`. `observer` is
        called with each upload that is counted.
        """
        self.now = now
        self._stale_after = stale_after
        self._ages = tuple(ages)
        self.with_parts = with_parts
        self._observer = observer
        self._uploads = self._undated = self._sized = self._unsized = 0
        self._empty = self._parts = self._bytes = self._overdue = 0
        self._abort_scheduled = self._abort_overdue = 0
        self._stale = self._stale_sized = self._stale_bytes = 0
        self._oldest_initiated: float | None = None
        self._oldest_activity: float | None = None
        self._age_counts = [0] * (len(self._ages) + 1)
        self._age_sum = 0  # microseconds: whole numbers add up alike in any order
        self._classes: dict[str, int] = {}

    def blank(self) -> Tally:
        """Return an empty tally with the same settings."""
        return Tally(now=self.now, stale_after=self._stale_after, ages=self._ages, with_parts=self.with_parts)

    def add_sized(self, upload: Upload, totals: PartTotals, activity: float | None = None) -> None:
        """Count an upload whose parts were listed.

        `activity` (Unix seconds) stands for the newest part's time where the store gives none. Totals
        without bytes (a malformed size) leave the upload unsized, though its parts tell its activity.
        """
        self._add_initiation(upload)
        last = totals.last_modified if totals.last_modified is not None else activity
        if last is None or totals.parts == 0:
            last = upload.initiated
        stale = self._add_activity(last)
        if self._observer:
            parts = totals.parts if totals.bytes is not None else None
            storage_class = totals.storage_class or upload.storage_class or DEFAULT_CLASS
            self._observer(Found(upload, last, parts, totals.bytes, storage_class, totals.abort_at))
        if totals.bytes is None:
            self._unsized += 1
            return
        self._sized += 1
        self._add_abort(totals.abort_at)
        self._empty += totals.parts == 0
        self._parts += totals.parts
        self._bytes += totals.bytes
        self._stale_sized += stale
        self._stale_bytes += totals.bytes if stale else 0
        self._add_class(_label(totals.storage_class or upload.storage_class or DEFAULT_CLASS), totals.bytes)

    def add_overdue(self, upload: Upload, totals: PartTotals) -> None:
        """Count an upload by the parts that it had when it was asked about last, which is too long ago."""
        self._overdue += 1
        self.add_sized(upload, totals)

    def add_unsized(self, upload: Upload) -> None:
        """Count an upload whose bytes are not known; its initiation stands for its activity."""
        self._unsized += 1
        self.add_counted(upload)

    def add_counted(self, upload: Upload) -> None:
        """Count an upload whose parts are not asked for; its initiation stands for its activity."""
        self._add_initiation(upload)
        self._add_activity(upload.initiated)
        if self._observer:
            storage_class = upload.storage_class or DEFAULT_CLASS
            self._observer(Found(upload, upload.initiated, None, None, storage_class))

    def add_counted_all(self, uploads: Collection[Upload]) -> None:
        """Count a page of uploads whose parts are not asked for."""
        for upload in uploads:
            self.add_counted(upload)

    def merge(self, other: Tally) -> None:
        """Add all that `other` counted; it has to have been made with the same settings."""
        for name in (
            *("_uploads", "_undated", "_sized", "_unsized", "_empty", "_parts", "_bytes"),
            *("_stale", "_stale_sized", "_stale_bytes", "_age_sum", "_overdue"),
            *("_abort_scheduled", "_abort_overdue"),
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._oldest_initiated = _earlier(self._oldest_initiated, other._oldest_initiated)
        self._oldest_activity = _earlier(self._oldest_activity, other._oldest_activity)
        self._age_counts = [a + b for a, b in zip(self._age_counts, other._age_counts, strict=True)]
        for label, size in other._classes.items():
            self._add_class(label, size)

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
            oldest_initiated=self._oldest_initiated,
            oldest_activity=self._oldest_activity,
            age_counts=tuple(accumulate(self._age_counts)) if self._ages else (),
            age_sum=self._age_sum / _MICROSECONDS,
            bytes_by_class=tuple(sorted(self._classes.items())) if self.with_parts else (),
            parts_known=self.with_parts,
            overdue=self._overdue,
            abort_scheduled=self._abort_scheduled if sizes_known else None,
            abort_overdue=self._abort_overdue if sizes_known else None,
        )

    def _add_initiation(self, upload: Upload) -> None:
        self._uploads += 1
        if upload.initiated is None:
            self._undated += 1
            return
        age = self._age(upload.initiated)
        self._age_counts[bisect_left(self._ages, age)] += 1
        self._age_sum += round(age * _MICROSECONDS)
        if self._oldest_initiated is None or upload.initiated < self._oldest_initiated:
            self._oldest_initiated = upload.initiated

    def _add_activity(self, activity: float | None) -> bool:
        """Judge by the last activity, None where it is not known; return whether the upload is stale."""
        if activity is None:
            return False
        if self._oldest_activity is None or activity < self._oldest_activity:
            self._oldest_activity = activity
        stale = self._age(activity) >= self._stale_after
        self._stale += stale
        return stale

    def _age(self, moment: float) -> float:
        return max(0.0, self.now - moment)

    def _add_abort(self, moment: float | None) -> None:
        if moment is not None:
            self._abort_scheduled += 1
            self._abort_overdue += self.now > moment + OVERDUE_SECONDS

    def _add_class(self, label: str, size: int) -> None:
        """Add bytes to a class; of too many classes the last in rank goes under `other`, for good."""
        classes = self._classes
        classes[label] = classes.get(label, 0) + size
        if len(classes) > CLASSES_LIMIT + (OTHER_CLASS in classes):
            last = max((name for name in classes if name != OTHER_CLASS), key=_rank)
            classes[OTHER_CLASS] = classes.get(OTHER_CLASS, 0) + classes.pop(last)


@lru_cache(maxsize=64)
def _label(storage_class: str) -> str:
    return storage_class if _CLASS_NAME.fullmatch(storage_class) else OTHER_CLASS


def _rank(label: str) -> tuple[bool, str]:
    return (label not in _USUAL_CLASSES, label)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
