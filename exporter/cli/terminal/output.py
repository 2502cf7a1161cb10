"""Writes a command's result to standard output, or atomically to a file."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.cli.errors import UsageError
from exporter.cli.standard_output import write_standard
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from pathlib import Path

_NEW_FILE_MODE = 0o644
"""Mode of a new file: readable for other users, such as node_exporter."""


def write_output(text: str, file: Path | None) -> None:
    """Write the text to the file, else to standard output. Raises UsageError, and BrokenPipeError.

    Lone surrogates (from keys that are not UTF-8) are written as backslash escapes.
    """
    data = text.encode("utf-8", "backslashreplace")
    if file is not None:
        try:
            write_atomically(data, file)
        except OSError as error:
            raise UsageError(f"--output: {file}: {because(error)}") from None
    elif data:
        write_standard(data)


def write_atomically(data: bytes, file: Path) -> None:
    """Replace the file's content atomically, also across a crash.

    The mode is kept and links are followed; a pipe or device is written to directly. Raises OSError.
    """
    from tempfile import mkstemp  # noqa: PLC0415 - only --output needs it

    before = _mode_of(file)
    if before is not None and not stat.S_ISREG(before):
        file.write_bytes(data)
        return
    file = file.resolve()
    mode = _NEW_FILE_MODE if before is None else stat.S_IMODE(before)
    descriptor, temporary = mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(data)
            written.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, file)  # noqa: PTH105 - one call, no Path in between
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108 - likewise
        raise
    _sync_folder(file.parent)


def _mode_of(file: Path) -> int | None:
    """Return kind and mode of a file, None where there is none. Raises OSError where it cannot be told."""
    with suppress(FileNotFoundError):  # Path.exists takes any error for it, from Python 3.14 on
        return file.stat().st_mode
    return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
