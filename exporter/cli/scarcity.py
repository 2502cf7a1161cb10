"""Tells errors that a limit of memory or of threads causes from bugs."""

from __future__ import annotations

import errno

TOO_LITTLE = (
    "mpu-exporter: the system gives it too little memory or too few threads: raise the limit "
    "(ulimit -v, ulimit -u, or that of the container)"
)
_SIGNS = (
    "failed to map segment",
    "cannot allocate memory",
    "can't start new thread",
    "initializing curl",
    "curl_easy_init",
)


def is_scarcity(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, says that the system gives no more."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, MemoryError) or (isinstance(each, OSError) and each.errno == errno.ENOMEM):
            return True
        text = str(each).lower()
        if any(sign in text for sign in _SIGNS):
            return True
        each = each.__cause__ or each.__context__
    return False
