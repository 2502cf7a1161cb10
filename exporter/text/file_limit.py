"""Tells errors that come of the limit of open files, and what to do about it."""

from __future__ import annotations

import errno
import os
import resource

_FEW = 4
"""With fewer free descriptors libcurl cannot make a connection, nor SQLite a transaction."""
_ADVICE = {
    errno.EMFILE: "raise the limit of {limit:,} (ulimit -n, LimitNOFILE= of systemd, or the container's)",
    errno.ENFILE: "the system as a whole has no file descriptor left: raise fs.file-max",
}


def because(error: OSError, advice: str = "") -> str:
    """Return what an error of the system says and the advice: where no file may be opened, what to raise."""
    text, advice = error.strerror or type(error).__name__, _advice(error.errno) or advice
    return f"{text}: {advice}" if advice else text


def shortage() -> str:
    """Return that too many files are open, and what to raise; '' where enough may be opened.

    For errors of libraries that do not tell why they cannot open one.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        left = limit - len(os.listdir("/dev/fd"))  # noqa: PTH208 - nothing but their number
    except OSError as error:
        return _told(error.errno)
    return _told(errno.EMFILE) if limit != resource.RLIM_INFINITY and left < _FEW else ""


def _told(number: int | None) -> str:
    return f"too many files are open: {advice}" if (advice := _advice(number)) else ""


def _advice(number: int | None) -> str:
    return _ADVICE.get(number or 0, "").format(limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0])
