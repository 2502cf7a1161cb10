"""The first thing that a process does: what signals mean until its command handles them, and no core dumps.

Standard library only, and little of it: a signal that arrives before this module has run still does what
the system does with it.
"""

from __future__ import annotations

import os
import resource
import signal

ONE_SHOT = ("check", "scan", "uploads", "config", "completion")
"""Commands that a signal ends as it ends other programs: with 128 plus its number."""


def guess_command(words: list[str]) -> str:
    """Return the command on a command line, before its flags are known: `serve` where none is named."""
    return next((word for word in words if word in ONE_SHOT or word == "demo"), "serve")


def prepare_process(command: str) -> None:
    """Turn core dumps off, which would hold secrets, and install the signals of a command that starts.

    SIGTERM and Ctrl-C end `serve` and `demo` at once with 0: nothing is open yet. The signals that ask
    `serve` for work are ignored; config and buckets are about to be read anyway. What the parent has
    blocked is blocked no longer: nothing else would end the process.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    _install_handlers(command)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _install_handlers(command: str) -> None:
    if command in ONE_SHOT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would write a traceback
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit_at_once)
    if command == "serve":
        for number in (signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)


def _exit_at_once(*_: object) -> None:
    os._exit(0)  # an exception would get lost where the signal interrupts a callback of an import
