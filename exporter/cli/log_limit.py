"""Limits log lines that come by the thousand: of libraries, of what clients do, and those with tracebacks.

A kind of line is where it is logged (logger, file, line) and the class of its exception. Of each kind the
first lines of a minute are written; the others are counted, and the number is a line of its own.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from exporter.cli.log_queue import LogQueue
from exporter.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 10
"""Number of lines of one kind that are written in PERIOD_SECONDS."""
PERIOD_SECONDS = 60.0
KINDS = 200
"""Number of kinds that are told apart in a period; the others count as one."""
EXAMPLE_LENGTH = 200
DRAIN_SECONDS = 1.0
"""Time that the last lines get to be written."""

_OURS = "exporter"
_CAUSED_BY_CLIENTS = ("exporter.web.", "exporter.config.reload", "exporter.scheduler.scan_now")
"""Loggers of ours whose lines a client can cause as often as it likes."""
_Kind = tuple[object, ...]
_OTHERS: _Kind = ("other kinds",)


@dataclass(slots=True)
class _Period:
    """What came of one kind since `began` (monotonic clock)."""

    began: float
    logger: str
    example: str
    """The first line's message."""
    level: int
    written: int = 0
    left_out: int = 0


class LimitedHandler(logging.StreamHandler["TextIO | LogQueue"]):
    """Writes lines to a stream, of each limited kind no more than LINES a minute. Safe with many threads.

    How many were left out is told once their minute is over: by `tell_overdue`, which is to be called every
    now and then, with the next line of any kind, or at the end of the program.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make one that has written nothing."""
        super().__init__(stream)
        self._monotonic = monotonic
        self._periods: dict[_Kind, _Period] = {}  # those that began earlier come first

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        self._tell_begun_before(self._monotonic() - PERIOD_SECONDS)
        if not _is_limited(record) or self._has_room(record):
            super().emit(record)

    def tell_overdue(self) -> None:
        """Write how many lines were left out in minutes that are over."""
        if self._periods:
            with self.lock:  # type: ignore[union-attr] # every handler has one
                self._tell_begun_before(self._monotonic() - PERIOD_SECONDS)

    def close(self) -> None:
        """Write how many lines were left out."""
        with self.lock:  # type: ignore[union-attr] # likewise
            self._tell_begun_before(float("inf"))
        if isinstance(self.stream, LogQueue):
            self.stream.drain(DRAIN_SECONDS)
        super().close()

    def write_behind(self) -> None:
        """From here on let no thread wait for the reader of the stream, where that is a file or a pipe.

        Lines are written as before where the system has no more threads.
        """
        if isinstance(self.stream, LogQueue):
            return
        with suppress(OSError, RuntimeError, MemoryError):  # OSError: it has no descriptor
            self.setStream(LogQueue(self.stream.fileno(), self._tell_lost))

    def _tell_lost(self, lines: int) -> str:
        return self.format(_count_of_lost(lines)) + self.terminator

    def _has_room(self, record: logging.LogRecord) -> bool:
        """Note a line; return whether to write it."""
        kind = _kind(record)
        if kind not in self._periods and len(self._periods) >= KINDS:
            kind = _OTHERS
        period = self._periods.get(kind)
        if period is None:
            period = self._periods[kind] = _Period(
                self._monotonic(), *_describe(kind, record), record.levelno
            )
        if period.written >= LINES:
            period.left_out += 1
            return False
        period.written += 1
        return True

    def _tell_begun_before(self, moment: float) -> None:
        while (kind := next(iter(self._periods), None)) is not None:
            if self._periods[kind].began > moment:
                return
            period = self._periods.pop(kind)
            if period.left_out:
                super().emit(_count_of(period))


def tell_overdue() -> None:
    """Have the log's handlers tell what they left out in minutes that are over."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LimitedHandler):
            handler.tell_overdue()


def write_behind() -> None:
    """Let no thread wait for the log's reader from here on."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LimitedHandler):
            handler.write_behind()


def _is_limited(record: logging.LogRecord) -> bool:
    """Whether a line may come by the thousand; those about scans are limited where they are logged."""
    if record.name.partition(".")[0] != _OURS:
        return True
    return bool(record.exc_info) or record.name.startswith(_CAUSED_BY_CLIENTS)


def _kind(record: logging.LogRecord) -> _Kind:
    error = record.exc_info[0] if record.exc_info else None
    # by name: SDKs make the classes of some exceptions anew for each client
    return record.name, record.pathname, record.lineno, error and (error.__module__, error.__qualname__)


def _describe(kind: _Kind, record: logging.LogRecord) -> tuple[str, str]:
    """Return the logger of a kind, and an example of its lines."""
    if kind is _OTHERS:
        return "others", "lines of many kinds"
    try:
        # in this order: half a secret does not look like one
        return record.name, redact(record.getMessage())[:EXAMPLE_LENGTH]
    except Exception:  # noqa: BLE001 - a library's fault: arguments that do not suit the text
        return record.name, redact(str(record.msg))[:EXAMPLE_LENGTH]


def _count_of(period: _Period) -> logging.LogRecord:
    text = f"more lines like these were left out: {LINES} a minute are written"
    fields = {"logger": period.logger, "example": period.example, "left_out": period.left_out}
    return _record(period.level, text, fields)


def _count_of_lost(lines: int) -> logging.LogRecord:
    text = "lines of the log were lost: standard error did not take them in time"
    return _record(logging.WARNING, text, {"lost": lines})


def _record(level: int, text: str, fields: dict[str, object]) -> logging.LogRecord:
    values = {"name": __name__, "levelno": level, "levelname": logging.getLevelName(level), "msg": text}
    return logging.makeLogRecord(values | {"fields": fields})
