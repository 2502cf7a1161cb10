"""Standard output: written whole, or told why it could not be. Of standard error, what it takes."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from exporter.cli.errors import UsageError

TYPE_CHECKING = False  # importing typing would take longer than all of --help
if TYPE_CHECKING:
    from typing import TextIO

_IS_CLOSED = OSError(errno.EBADF, "it is closed")


def write_line(text: str) -> None:
    """Write a line; raises as `write_standard`."""
    write_standard(f"{text}\n".encode("utf-8", "backslashreplace"))


def write_standard(data: bytes) -> None:
    """Write to standard output. Raises BrokenPipeError where its reader is gone, else UsageError."""
    try:
        if sys.stdout is None:
            raise _IS_CLOSED
        sys.stdout.flush()
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard(sys.stdout)
        raise UsageError(f"standard output: {error.strerror}") from None


def flush_output() -> None:
    """Write what is buffered; raises as `write_standard`."""
    if sys.stdout is not None:
        write_standard(b"")


def write_error(*lines: object) -> None:
    """Write lines to standard error; where it takes nothing, the command goes on without them."""
    with suppress(OSError):
        print(*lines, sep="\n", file=sys.stderr)


def discard_unwritten() -> None:
    """Drop what could not be written: Python would try again when it ends, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            _discard(stream)


def _discard(stream: TextIO | None) -> None:
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
