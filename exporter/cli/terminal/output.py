"""Where a command's result goes: standard output, or a file that is whole or as it was before."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.cli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_MODE = 0o644
"""Of a new file: whoever collects it, node_exporter say, is somebody else."""


def put_out(text: str, file: Path | None) -> None:
    """Write the text to the file, else to standard output. Raises UsageError.

    What cannot be text (a key's bytes that are no UTF-8) stands as an escape.
    """
    data = text.encode("utf-8", "backslashreplace")
    if file is not None:
        try:
            write_whole(data, file)
        except OSError as error:
            raise UsageError(f"--output: {file}: {error.strerror}") from None
    elif data:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def write_whole(data: bytes, file: Path) -> None:
    """Have the file hold these bytes: at no moment, not after a crash either, does it hold a part of them.

    Its mode is kept, a link is followed; what is no file (a pipe, /dev/stdout) is simply written to. Raises
    OSError.
    """
    if file.exists() and not file.is_file():
        file.write_bytes(data)
        return
    file = file.resolve()
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else _MODE
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
