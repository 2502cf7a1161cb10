"""The way of log lines to a descriptor that may take none for long: nothing else waits for it.

A pipe that nobody reads takes about 64 KiB; whoever writes then waits, and with it every thread that logs.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUED_CHARACTERS = 2**20
"""Length of the lines that may wait; one more line may go beyond it."""
FULL_PAUSE_SECONDS = 0.1
"""Time between two tries on a descriptor that does not block, and is full."""


class _Line(NamedTuple):
    text: str
    stands_for: int = 1
    """The number of lines that are lost with this one."""


class LogQueue:
    """A stream whose `write` never waits: a thread writes the lines, in their order, to a descriptor.

    Lines are lost where too many wait, and where the descriptor refuses one; as soon as it takes lines again,
    `tell_lost` makes the line that says how many. Safe with many threads and in signal handlers.
    """

    def __init__(self, descriptor: int, tell_lost: Callable[[int], str]) -> None:
        """Make one, and start its thread. Raises RuntimeError or MemoryError where there is none."""
        self._descriptor = descriptor
        self._tell_lost = tell_lost
        self._lines: deque[_Line] = deque()
        self._characters = 0
        self._lost = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="log", daemon=True).start()

    def write(self, text: str) -> None:
        """Have a line written, or count it as lost."""
        with self._changed:
            if self._characters > QUEUED_CHARACTERS:
                self._lost += 1
                return
            self._add_count()
            self._add(_Line(text))

    def flush(self) -> None:
        """Do nothing: lines are written at once, and waiting for that is what this class avoids."""

    def drain(self, seconds: float) -> None:
        """Wait, no longer than `seconds`, until all lines are written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                line = self._lines[0]  # stays there until it is written: `drain` waits for it
            written = self._write(line.text.encode("utf-8", "backslashreplace"))
            with self._changed:
                self._characters -= len(self._lines.popleft().text)
                if not written:
                    self._lost += line.stands_for
                elif not self._lines:
                    self._add_count()
                self._changed.notify_all()

    def _add_count(self) -> None:
        if self._lost:
            self._add(_Line(self._tell_lost(self._lost), self._lost))
            self._lost = 0

    def _add(self, line: _Line) -> None:
        self._lines.append(line)
        self._characters += len(line.text)
        self._changed.notify_all()

    def _write(self, data: bytes) -> bool:
        """Write past Python's buffer, whose lock Python itself takes as it ends; return whether all went."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                time.sleep(FULL_PAUSE_SECONDS)
            except OSError:  # its reader is gone, a disk is full
                return False
        return True
