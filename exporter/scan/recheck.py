"""When an upload is asked about again: the longer it has been idle, the later, but never later than a cap."""

from __future__ import annotations

from dataclasses import dataclass

_PHASES = 2**32


@dataclass(frozen=True, slots=True)
class Recheck:
    """The rule of one target: `factor` of the time an upload had been idle, at most `at_least` seconds.

    What was read is thus never older than one scan interval plus that. Uploads whose delay has reached the
    cap are asked at a phase of their own, so that those first seen together do not stay due together.
    """

    factor: float = 0.1
    at_least: float = 86400.0

    def due(self, identity: int, asked: float, activity: float) -> float:
        """Return the Unix time from which on to ask again.

        `asked` is when the upload was last asked about, `activity` its last activity as it was then known.
        """
        delay = self.delay(asked, activity)
        if delay < self.at_least:
            return asked + delay
        phase = identity % _PHASES / _PHASES * self.at_least
        return asked + self.at_least - (asked - phase) % self.at_least

    def delay(self, asked: float, activity: float) -> float:
        """Return for how many seconds at most an upload is left alone that was asked about at `asked`."""
        return min(self.at_least, self.factor * max(0.0, asked - activity))
