"""Tells errors that a limit of memory, threads or open files causes from bugs."""

from __future__ import annotations

import errno

TOO_LITTLE = (
    "the system gives too little memory, or too few threads or open files: raise the limit "
    "(ulimit -v, -u or -n, or that of the container)"
)
_NUMBERS = {errno.ENOMEM, errno.EMFILE, errno.ENFILE}
_SIGNS = (
    "the system gives too little memory",
    "no thread can be started",
    "failed to map segment",
    "cannot allocate memory",
    "can't start new thread",
    "can't allocate lock",
    "malloc failure",
    "memory allocation failed",
    "initializing curl",
    "curl_easy_init",
)
"""Words of ours, the loader, the C library, Python, OpenSSL and libcurl, in lower case."""


class ScarcityError(Exception):
    """The system gives too little to do any work."""

    def __init__(self) -> None:
        """Make an error whose text says what to do."""
        super().__init__(TOO_LITTLE)


def is_scarcity(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, says that the system gives no more."""
    while error is not None:
        if isinstance(error, MemoryError | ScarcityError):
            return True
        if isinstance(error, OSError) and error.errno in _NUMBERS:
            return True
        text = str(error).lower()
        if any(sign in text for sign in _SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False
