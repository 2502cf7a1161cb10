"""How SIGTERM, SIGINT and SIGHUP end a command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from exporter.cli.exit_codes import OK, SIGNAL_BASE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

FORCED_EXIT_SECONDS = 4.5
"""A stopping process exits after this time whatever still runs; people wait no longer than 5 s."""


def handle_termination(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Install one handler for SIGTERM, SIGINT and SIGHUP."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handler)


def exit_quietly(*_: object) -> None:
    """Signal handler before serving has begun: exit with 0; open context managers clean up."""
    handle_termination(signal.SIG_IGN)
    sys.exit(OK)


def exit_interrupted(number: int, _: FrameType | None) -> None:
    """Signal handler of a one-shot command: exit with 128 plus the signal's number."""
    handle_termination(signal.SIG_IGN)
    force_exit_later(SIGNAL_BASE + number)
    sys.exit(SIGNAL_BASE + number)


def force_exit_later(code: int) -> None:
    """Start a timer that ends the process with `code` if it still runs after FORCED_EXIT_SECONDS."""
    timer = threading.Timer(FORCED_EXIT_SECONDS, os._exit, [code])
    timer.daemon = True
    timer.start()
