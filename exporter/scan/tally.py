"""Sums over the uploads that a scan found in one bucket; no upload is kept.

What each sum means, and when it is not known (None, never 0), is described in docs/metrics.md.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from exporter.model.results import DEFAULT_CLASS, OTHER_CLASS, Summary
from exporter.model.uploads import CountedUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.model.uploads import PartTotals, Upload

MAX_CLASSES = 20
"""Maximum number of storage classes of a bucket that keep their name; the others are counted as `other`."""

_CLASS_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
# of Amazon S3 and Glacier, and Huawei OBS: names that a flood of invented ones must not push out
_WELL_KNOWN_CLASSES = frozenset(
    {
        *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"),
        *("GLACIER", "GLACIER_IR", "DEEP_ARCHIVE", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW", "WARM", "COLD"),
    }
)
ABORT_GRACE_SECONDS = 2 * 86400
"""Time that a store may take to abort an upload after its abort date."""
_MICROSECONDS = 1_000_000


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
        self._stale_after = stale_after
        self._ages = tuple(ages)
        self.with_parts = with_parts
        self._observer = observer
        self._uploads = self._undated = self._sized = self._unsized = 0
        self._unlisted = self._denied = 0
        self._unlisted_marks: set[int] = set()
        self._empty = self._parts = self._bytes = self._overdue = 0
        self._abort_scheduled = self._abort_overdue = 0
        self._stale = self._stale_sized = self._stale_bytes = 0
        self._oldest_initiated: float | None = None
        self._oldest_activity: float | None = None
        self._age_counts = [0] * (len(self._ages) + 1)
        self._age_microseconds = 0  # whole numbers add up alike in any order
        self._classes: dict[str, int] = {}

    def mark_unlisted(self, upload: Upload) -> None:
        """Note that an upload is lacking in the listing; it is counted as such when it is counted.

        One without upload id stands for any whose name is not known; it is given to no observer.
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
        self._add_initiation(upload)
        last = totals.last_modified if totals.last_modified is not None else activity
        if last is None or totals.parts == 0:
            last = upload.initiated
        stale = self._add_activity(last)
        if self._observer:
            parts = totals.parts if totals.bytes is not None else None
            storage_class = totals.storage_class or upload.storage_class or DEFAULT_CLASS
            self._observe(CountedUpload(upload, last, parts, totals.bytes, storage_class, totals.abort_at))
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
        self._add_activity(upload.initiated)
        if self._observer:
            storage_class = upload.storage_class or DEFAULT_CLASS
            self._observe(CountedUpload(upload, upload.initiated, None, None, storage_class))

    def add_counted_all(self, uploads: Collection[Upload]) -> None:
        """Count a page of uploads of a target without parts."""
        for upload in uploads:
            self.add_counted(upload)

    def _observe(self, found: CountedUpload) -> None:
        if self._observer and found.upload.upload_id:
            self._observer(found._replace(unlisted=True) if self._is_unlisted(found.upload) else found)

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
            oldest_initiated=self._oldest_initiated,
            oldest_activity=self._oldest_activity,
            age_counts=tuple(accumulate(self._age_counts)) if self._ages else (),
            age_sum=self._age_microseconds / _MICROSECONDS,
            bytes_by_class=tuple(sorted(self._classes.items())) if self.with_parts else (),
            parts_known=self.with_parts,
            overdue=self._overdue,
            abort_scheduled=self._abort_scheduled if sizes_known else None,
            abort_overdue=self._abort_overdue if sizes_known else None,
            unlisted=self._unlisted,
            denied=self._denied,
        )

    def _add_initiation(self, upload: Upload) -> None:
        self._uploads += 1
        self._unlisted += self._is_unlisted(upload)
        if upload.initiated is None:
            self._undated += 1
            return
        age = self._age(upload.initiated)
        self._age_counts[bisect_left(self._ages, age)] += 1
        self._age_microseconds += round(age * _MICROSECONDS)
        if self._oldest_initiated is None or upload.initiated < self._oldest_initiated:
            self._oldest_initiated = upload.initiated

    def _add_activity(self, activity: float | None) -> bool:
        """Count the last activity, None where it is not known; returns whether the upload is stale."""
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
            self._abort_overdue += self.now > moment + ABORT_GRACE_SECONDS

    def _add_class(self, label: str, size: int) -> None:
        """Add bytes to a class; beyond MAX_CLASSES the last in rank is merged into `other` for good."""
        classes = self._classes
        classes[label] = classes.get(label, 0) + size
        if len(classes) > MAX_CLASSES + (OTHER_CLASS in classes):
            last = max((name for name in classes if name != OTHER_CLASS), key=_rank)
            classes[OTHER_CLASS] = classes.get(OTHER_CLASS, 0) + classes.pop(last)


@lru_cache(maxsize=64)
def _label(storage_class: str) -> str:
    return storage_class if _CLASS_NAME.fullmatch(storage_class) else OTHER_CLASS


def _rank(label: str) -> tuple[bool, str]:
    return (label not in _WELL_KNOWN_CLASSES, label)
