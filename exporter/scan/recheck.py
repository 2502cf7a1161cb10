"""When an upload is checked again: the longer it has been idle, the later, up to a maximum delay."""

from __future__ import annotations

from dataclasses import dataclass

_PHASES = 2**32


@dataclass(frozen=True, slots=True)
class Recheck:
    """The delay of one target's uploads: `factor` times their idle time, `at_least` seconds at most.

    A record is thus never older than `at_least` plus one scan interval. Uploads that have reached the maximum
    are due at a phase of their own, so that those first seen together do not stay due together.
    """

    factor: float = 0.1
    at_least: float = 86400.0

    def due(self, row_id: int, checked_at: float, idle_since: float) -> float:
        """Return the Unix time of the next check, from the times of the last one and of the last activity."""
        delay = self.delay(checked_at, idle_since)
        if delay < self.at_least:
            return checked_at + delay
        phase = row_id % _PHASES / _PHASES * self.at_least
        return checked_at + self.at_least - (checked_at - phase) % self.at_least

    def delay(self, checked_at: float, idle_since: float) -> float:
        """Return the number of seconds from the last check to the next one, at most."""
        return min(self.at_least, self.factor * max(0.0, checked_at - idle_since))
