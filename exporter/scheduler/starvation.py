"""Tells a process that can do no work, for want of memory or threads, from one that is short of them."""

from __future__ import annotations

from exporter.model.scarcity import ScarcityError, is_scarcity

_HOPELESS = 3
"""After so many failures of this kind, and nothing else, no work is to be expected to end well."""


class Starvation:
    """Counts what fails for want of memory or threads, until anything does not. For use from many threads.

    A process that has worked once is never given up: others may take its share for a while, or one bucket may
    be too large for it.
    """

    def __init__(self) -> None:
        """Make one for a process that has not worked yet."""
        self._failures = 0
        self._works = False

    def note(self, error: BaseException | None) -> None:
        """Note how a scan or a list of buckets ended, or that it could not begin; None where it succeeded."""
        if is_scarcity(error):
            self._failures += 1
        else:
            self._works = True

    def check(self) -> None:
        """Raise ScarcityError where nothing but failures is to be expected."""
        if not self._works and self._failures >= _HOPELESS:
            raise ScarcityError
