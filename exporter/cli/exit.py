"""Exit codes, and what signals do to a command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

FINE, BAD_USAGE, TARGET_FAILED = 0, 1, 2
SIGNALLED = 128
"""Added to the number of the signal that cut a command short: what shells make of it."""
LAST_RESORT_SECONDS = 4.5
"""After so long a stopping process ends whatever still runs; Kubernetes and people wait no longer than 5."""


def on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Have the signals that end a process handled so."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handler)


def leave(*_: object) -> None:
    """End a process that has not begun to serve; what it has begun is cleaned up on the way out."""
    on_signals(signal.SIG_IGN)
    sys.exit(FINE)


def break_off(number: int, _: FrameType | None) -> None:
    """End a process that has told nothing yet: not with 0, which would say that all is fine."""
    on_signals(signal.SIG_IGN)
    end_at_last(SIGNALLED + number)
    sys.exit(SIGNALLED + number)


def end_at_last(code: int) -> None:
    """End the process some seconds from now, if it then still runs."""
    last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, [code])
    last_resort.daemon = True
    last_resort.start()
