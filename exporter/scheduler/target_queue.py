"""One target's turn-taking: which bucket is due, and what a failure means for the others."""

from __future__ import annotations

import logging
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason
from exporter.model.targets import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.settings import BucketSettings

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 3
"""So many scans that newly fail for the target's own reasons, and its other buckets wait for a probe."""
PROBE_SECONDS = 60.0
"""The longest pause between two probes of a target that cannot be reached."""
TARGET_REASONS = {Reason.CONNECTION, Reason.TLS, Reason.TIMEOUT, Reason.CREDENTIALS}


@dataclass(slots=True)
class _Slot:
    bucket: BucketSettings
    phase: float
    due: float
    began: float
    running: bool = False
    changed: bool = False
    """While it runs, its settings became others."""
    failing: bool = False
    overdue: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A bucket that is not scanned, because its target fails as a whole."""

    bucket: BucketSettings
    failure: Failure


class TargetQueue:
    """Hands out the buckets of one target, each to one scan at a time.

    Times are seconds of the monotonic clock. First scans are due at once; later ones at the bucket's own
    phase of the interval, so that they stay spread however they began.
    """

    def __init__(self, name: str, buckets: Sequence[BucketSettings], interval: float, start: float) -> None:
        """Make a lane whose buckets are first due at `start`."""
        self._name = name
        self._interval = interval
        self._start = start
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._leaving: dict[str, _Slot] = {}
        self.watch(buckets, start)
        self._failures = 0
        self._failure: Failure | None = None
        self._probing: _Slot | None = None
        self._next_probe = start

    def watch(self, buckets: Sequence[BucketSettings], now: float) -> None:
        """Hand out these buckets from now on; what is new or has other settings is due at once.

        One that is out while its scan runs, and comes back, waits for the end of that scan.
        """
        with self._lock:
            before = self._leaving | self._slots
            self._slots = {}
            for bucket in buckets:
                slot = before.pop(bucket.name, None)
                if slot is None:
                    slot = _Slot(bucket, self._phase(bucket.name), now, now)
                elif slot.bucket != bucket:
                    slot.bucket, slot.due, slot.changed = bucket, now, slot.running
                self._slots[bucket.name] = slot
            self._leaving = {name: slot for name, slot in before.items() if slot.running}

    def watches(self, bucket: BucketSettings) -> bool:
        """Whether the bucket is handed out, with these settings."""
        with self._lock:
            slot = self._slots.get(bucket.name)
            return slot is not None and slot.bucket == bucket

    def buckets(self) -> tuple[BucketSettings, ...]:
        """Return the buckets that are handed out."""
        with self._lock:
            return tuple(slot.bucket for slot in self._slots.values())

    def turns(self, now: float, wall: float) -> dict[str, Turn]:
        """Return when each bucket is due and since when it runs; `wall` is `now` in Unix seconds."""
        ahead = wall - now
        with self._lock:
            return {
                name: Turn(slot.due + ahead, slot.began + ahead if slot.running else None)
                for name, slot in self._slots.items()
            }

    def take(self, now: float) -> BucketSettings | None:
        """Return a bucket to scan now, which then counts as running, or None."""
        with self._lock:
            slot = self._probe(now) if self._failure else self._due(now)
            if slot is None:
                return None
            slot.running = True
            slot.held = False
            slot.began = now
            return slot.bucket

    def holds(self, now: float) -> list[Hold]:
        """Return the buckets that came due while the target cannot be reached; each once an interval."""
        with self._lock:
            if not self._failure:
                return []
            due = [slot for slot in self._slots.values() if not slot.running and slot.due <= now]
            for slot in due:
                slot.held = True
                slot.due = self._next_due(slot, now)
            text = f"not tried, the target fails as a whole: {self._failure.message}"
            failure = Failure(self._failure.reason, text)
            return [Hold(slot.bucket, failure) for slot in due]

    def overdue(self, now: float, limit: float) -> list[BucketSettings]:
        """Return the buckets whose scan has run for longer than `limit` seconds, each once a scan."""
        with self._lock:
            slots = [slot for slot in self._slots.values() if slot.running and not slot.overdue]
            late = [slot for slot in slots if now - slot.began > limit]
            for slot in late:
                slot.overdue = True
            return [slot.bucket for slot in late]

    def finish(self, bucket: BucketSettings, now: float, failure: Failure | None) -> None:
        """Note that the bucket's scan ended, and how."""
        with self._lock:
            slot = self._slots.get(bucket.name) or self._leaving.pop(bucket.name)
            slot.running = False
            slot.due = now if slot.changed else self._next_due(slot, now)
            slot.changed = False
            if self._probing is slot:
                self._probing = None
            slot.overdue = False
            known, slot.failing = slot.failing, failure is not None and failure.reason in TARGET_REASONS
            if failure and slot.failing:
                self._note_unreachable(failure, now, known=known)
            elif not failure or failure.reason is not Reason.INTERNAL:  # which says nothing of the target
                self._note_reachable(now)

    def _note_unreachable(self, failure: Failure, now: float, *, known: bool) -> None:
        """Count the failure, but not that of a bucket which failed so before: it says nothing new."""
        self._failures += not known
        if self._failures < FAILURES_IN_A_ROW:
            return
        if not self._failure:
            log.warning(
                "target fails as a whole; its buckets wait for one scan to succeed",
                extra={"fields": {"target": self._name, "reason": failure.reason.value}},
            )
        self._failure = failure
        self._next_probe = now + min(self._interval, PROBE_SECONDS)

    def _note_reachable(self, now: float) -> None:
        self._failures = 0
        if not self._failure:
            return
        self._failure = None
        log.info("target answers again", extra={"fields": {"target": self._name}})
        for slot in self._slots.values():
            if slot.held:
                slot.held = False
                slot.due = now

    def _due(self, now: float) -> _Slot | None:
        slot = min(self._idle(), key=lambda slot: slot.due, default=None)
        return slot if slot and slot.due <= now else None

    def _probe(self, now: float) -> _Slot | None:
        if self._probing or now < self._next_probe:
            return None
        self._probing = min(self._idle(), key=lambda slot: (slot.failing, slot.due), default=None)
        return self._probing

    def _idle(self) -> list[_Slot]:
        return [slot for slot in self._slots.values() if not slot.running]

    def _phase(self, name: str) -> float:
        return zlib.crc32(f"{self._name}/{name}".encode()) / 2**32 * self._interval

    def _next_due(self, slot: _Slot, now: float) -> float:
        """Return the first moment at the slot's phase, half an interval after its last start or later."""
        earliest = max(now, slot.began + self._interval / 2)
        phase = self._start + slot.phase
        rounds = -((phase - earliest) // self._interval)
        return phase + rounds * self._interval
