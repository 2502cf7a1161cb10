"""How SIGTERM, SIGINT and SIGHUP end a command."""

from __future__ import annotations

import faulthandler
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
HELD_EXIT_SECONDS = 4.8
"""After this time it exits even where one thread holds the interpreter, so that no other can run."""
KILLED_SECONDS = 6
"""After this time the system ends it, where not even the stacks of its threads can be written."""


def handle_termination(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Install one handler for SIGTERM, SIGINT and SIGHUP; a SIGHUP that is ignored, as by nohup, stays so."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def exit_quietly(*_: object) -> None:
    """Signal handler before serving has begun: exit with 0; open context managers clean up."""
    handle_termination(signal.SIG_IGN)
    force_exit_later(OK)
    sys.exit(OK)


def exit_interrupted(number: int, _: FrameType | None) -> None:
    """Signal handler of a one-shot command: exit with 128 plus the signal's number."""
    handle_termination(signal.SIG_IGN)
    force_exit_later(SIGNAL_BASE + number)
    sys.exit(SIGNAL_BASE + number)


def force_exit_later(code: int) -> None:
    """End the process with `code` if it still runs after FORCED_EXIT_SECONDS.

    It ends at once where the system has no thread for that. Where the interpreter is held, a thread outside
    Python writes the stacks of all threads to standard error after HELD_EXIT_SECONDS, and exits with 1:
    faulthandler knows no other code. Where nobody reads standard error either, SIGALRM ends it.
    """
    signal.alarm(KILLED_SECONDS)
    timer = threading.Timer(FORCED_EXIT_SECONDS, os._exit, [code])
    timer.daemon = True
    try:
        timer.start()
        if sys.__stderr__ is not None:
            # its number: to flush the file would wait for whoever writes to a log that nobody reads
            file = sys.__stderr__.fileno()
            faulthandler.dump_traceback_later(HELD_EXIT_SECONDS, exit=True, file=file)
    except (RuntimeError, MemoryError):  # the system has no more threads
        os._exit(code)


def start_thread(work: Callable[[], None]) -> bool:
    """Run what a signal has to do not on the main thread, which may hold the very lock that it takes.

    Returns false where the system has no more threads.
    """
    try:
        threading.Thread(target=work, daemon=True).start()
    except (RuntimeError, MemoryError):
        return False
    return True
