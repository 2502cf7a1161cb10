"""When an upload is checked again: the longer it has been idle, the later, up to a maximum delay."""

from __future__ import annotations

from dataclasses import dataclass

_PHASES = 2**32


@dataclass(frozen=True, slots=True)
class Recheck:
    """The delay between two checks of an upload: `factor` times its idle time, at most `max_delay` seconds.

    A record is thus never older than `max_delay` plus one scan interval. Uploads that have reached it are due
    at a phase of their own, so that those first seen together do not stay due together.
    """

    factor: float = 0.1
    max_delay: float = 86400.0

    def due(self, row_id: int, checked_at: float, idle_since: float) -> float:
        """Return the Unix time of the next check, from the times of the last one and of the last activity."""
        delay = self.delay(checked_at, idle_since)
        if delay < self.max_delay:
            return checked_at + delay
        phase = row_id % _PHASES / _PHASES * self.max_delay
        return checked_at + self.max_delay - (checked_at - phase) % self.max_delay

    def delay(self, checked_at: float, idle_since: float) -> float:
        """Return the maximum number of seconds from the last check to the next one."""
        delay = self.factor * (checked_at - idle_since)
        return min(self.max_delay, delay) if delay > 0 else 0.0


def is_current(now: float, checked_at: float, due_at: float) -> bool:
    """Whether a check still counts at `now`; one that is later than `now` does not, as a clock was wrong."""
    return checked_at == now or checked_at < now < due_at
