"""The circuit breaker of a target: opens when scans of several buckets in a row cannot reach it."""

from __future__ import annotations

import logging

from exporter.model.errors import Failure, Reason

log = logging.getLogger(__name__)

FAILURES_TO_OPEN = 3
"""Number of buckets that newly fail, with no success between them, before the breaker opens."""
PROBE_SECONDS = 60.0
"""Maximum time between two probes while the breaker is open."""
TARGET_REASONS = frozenset({Reason.CONNECTION, Reason.TLS, Reason.TIMEOUT, Reason.CREDENTIALS})
"""Failures that concern the target as a whole rather than one of its buckets."""


class CircuitBreaker:
    """While it is open, the target is scanned by one probe at a time; a scan that reaches it closes it.

    Times are seconds of the monotonic clock. Not safe to use from many threads: the queue holds its lock.
    """

    def __init__(self, target: str, interval: float) -> None:
        """Make a closed one for the target of this name, whose buckets are scanned every `interval`."""
        self._target = target
        self._pause = min(interval, PROBE_SECONDS)
        self._failures = 0
        self._failure: Failure | None = None
        self._probed_bucket: str | None = None
        self._next_probe = 0.0

    @property
    def failure(self) -> Failure | None:
        """The last failure of the target while the breaker is open, None while it is closed."""
        return self._failure

    def may_probe(self, now: float) -> bool:
        """Whether a bucket may be scanned as a probe: none is under way, and the pause is over."""
        return self._probed_bucket is None and now >= self._next_probe

    def begin_probe(self, bucket: str) -> None:
        """Note that the scan of this bucket is the probe."""
        self._probed_bucket = bucket

    def end_scan(self, bucket: str) -> None:
        """Note that the scan of a bucket ended, whatever came of it."""
        if self._probed_bucket == bucket:
            self._probed_bucket = None

    def note_failure(self, failure: Failure, now: float, *, repeated: bool) -> None:
        """Count a failure with one of TARGET_REASONS, unless the bucket's scan before had one, too.

        A bucket that fails at every scan is no sign that the target fails.
        """
        self._failures += not repeated
        if self._failures < FAILURES_TO_OPEN:
            return
        if self._failure is None:
            log.warning(
                "the whole target fails: one bucket at a time is tried until the target answers",
                extra={"fields": {"target": self._target, "reason": failure.reason.value}},
            )
        self._failure = failure
        self._next_probe = now + self._pause

    def note_success(self) -> bool:
        """Note that a scan reached the target, failed or not; returns whether that closes the breaker."""
        self._failures = 0
        if self._failure is None:
            return False
        self._failure = None
        log.info("target answers again", extra={"fields": {"target": self._target}})
        return True
