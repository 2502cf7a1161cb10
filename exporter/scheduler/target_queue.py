"""The queue of one target: which of its buckets is due for a scan."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason
from exporter.model.targets import ScanTimes
from exporter.scheduler.circuit_breaker import TARGET_REASONS, CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from exporter.config.settings import BucketSettings


@dataclass(slots=True)
class _Slot:
    bucket: BucketSettings
    phase: float
    """Offset of its scans from the queue's start, 0 to the interval."""
    due: float
    began: float
    running: bool = False
    again: bool = False
    """It is to be scanned again as soon as its scan, which runs, has ended."""
    failing: bool = False
    """Its last scan could not reach the target."""
    overdue: bool = False
    """Its scan, which still runs, was returned by `overdue`."""
    held: bool = False
    """It came due while the circuit breaker was open, and waits."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A bucket that is not scanned, because its target fails as a whole."""

    bucket: BucketSettings
    failure: Failure


class TargetQueue:
    """Hands out the buckets of one target, each to one scan at a time. Safe to use from many threads.

    Times are seconds of the monotonic clock. First scans are due at once; later ones at the bucket's own
    phase of the interval, so that they stay spread however they began.
    """

    def __init__(self, name: str, buckets: Sequence[BucketSettings], interval: float, start: float) -> None:
        """Make a queue whose buckets are first due at `start`, and then every `interval`."""
        self._name = name
        self._interval = interval
        self._start = start
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._leaving: dict[str, _Slot] = {}
        self._breaker = CircuitBreaker(name, interval)
        self.watch(buckets, start)

    def watch(self, buckets: Sequence[BucketSettings], now: float) -> None:
        """Hand out these buckets from now on; a new one, or one with other settings, is due at once.

        A bucket that is removed while its scan runs, and added again, waits for the end of that scan.
        """
        with self._lock:
            before = self._leaving | self._slots
            self._slots = {}
            for bucket in buckets:
                slot = before.pop(bucket.name, None)
                if slot is None:
                    slot = _Slot(bucket, self._phase(bucket.name), now, now)
                elif slot.bucket != bucket:
                    slot.bucket, slot.due, slot.again = bucket, now, slot.running
                self._slots[bucket.name] = slot
            self._leaving = {name: slot for name, slot in before.items() if slot.running}

    def __len__(self) -> int:
        """Return the number of buckets that are handed out."""
        return len(self._slots)

    def buckets(self) -> tuple[BucketSettings, ...]:
        """Return the buckets that are handed out."""
        with self._lock:
            return tuple(slot.bucket for slot in self._slots.values())

    def scan_times(self, now: float, wall: float) -> dict[str, ScanTimes]:
        """Return by bucket when it is due and since when it runs; `wall` is `now` in Unix seconds."""
        ahead = wall - now
        with self._lock:
            return {
                name: ScanTimes(slot.due + ahead, slot.began + ahead if slot.running else None)
                for name, slot in self._slots.items()
            }

    def take(self, now: float) -> BucketSettings | None:
        """Return a bucket to scan now, which then counts as running, or None."""
        with self._lock:
            slot = self._probe(now) if self._breaker.failure else self._due(now)
            if slot is None:
                return None
            slot.running = True
            slot.held = False
            slot.began = now
            return slot.bucket

    def request(self, names: Container[str], now: float) -> int:
        """Have the buckets of these names scanned now; return the number of those whose scan runs.

        These are scanned again when it has ended. While the circuit breaker is open, all wait as others do.
        """
        with self._lock:
            slots = [slot for name, slot in self._slots.items() if name in names]
            for slot in slots:
                slot.again = slot.running
                slot.due = min(slot.due, now)
            return sum(slot.running for slot in slots)

    def take_held(self, now: float) -> list[Hold]:
        """Return the buckets that came due while the circuit breaker is open; each once an interval."""
        with self._lock:
            cause = self._breaker.failure
            if cause is None:
                return []
            due = [slot for slot in self._slots.values() if not slot.running and slot.due <= now]
            for slot in due:
                slot.held = True
                slot.due = self._next_due(slot, now)
            failure = Failure(cause.reason, f"not tried, the target fails as a whole: {cause.message}")
            return [Hold(slot.bucket, failure) for slot in due]

    def take_overdue(self, now: float, limit: float) -> list[BucketSettings]:
        """Return the buckets whose scan has run for longer than `limit` seconds, each once a scan."""
        with self._lock:
            slots = [slot for slot in self._slots.values() if slot.running and not slot.overdue]
            late = [slot for slot in slots if now - slot.began > limit]
            for slot in late:
                slot.overdue = True
            return [slot.bucket for slot in late]

    def finish(self, bucket: BucketSettings, now: float, failure: Failure | None) -> None:
        """Note that the bucket's scan ended; `failure` is None where it succeeded."""
        with self._lock:
            slot = self._slots.get(bucket.name) or self._leaving.pop(bucket.name)
            slot.running = slot.overdue = False
            slot.due = now if slot.again else self._next_due(slot, now)
            slot.again = False
            self._breaker.end_scan(bucket.name)
            repeated, slot.failing = slot.failing, failure is not None and failure.reason in TARGET_REASONS
            if failure and slot.failing:
                self._breaker.note_failure(failure, now, repeated=repeated)
            elif not (failure and failure.reason is Reason.INTERNAL) and self._breaker.note_success():
                self._release_held(now)

    def _release_held(self, now: float) -> None:
        for slot in self._slots.values():
            if slot.held:
                slot.held = False
                slot.due = now

    def _due(self, now: float) -> _Slot | None:
        slot = min(self._idle(), key=lambda slot: slot.due, default=None)
        return slot if slot and slot.due <= now else None

    def _probe(self, now: float) -> _Slot | None:
        """Return a bucket to probe the target with, preferably one that did not fail before."""
        if not self._breaker.may_probe(now):
            return None
        slot = min(self._idle(), key=lambda slot: (slot.failing, slot.due), default=None)
        if slot:
            self._breaker.begin_probe(slot.bucket.name)
        return slot

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
