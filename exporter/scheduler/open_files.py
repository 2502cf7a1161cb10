"""Divides the files that the process may open: HTTP clients, calls to stores, and a reserve for all else."""

from __future__ import annotations

import logging
import resource
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.config.settings import Settings

log = logging.getLogger(__name__)

FILES_PER_CALL = 3
"""File descriptors of one call in flight: its connection, and those by which libcurl wakes its threads."""
RESERVE = 128
"""File descriptors for the state file, files that are read, libraries, and clients who are being refused."""
MOST_CLIENTS = 512
"""Maximum number of HTTP clients' connections, where enough files may be open."""
ENOUGH = 1 << 20
"""More files are never needed, and programs that are started may close each possible one."""


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one; return how many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a system that allows less than it says
        return soft
    return wanted


def clients_share(allowed: int) -> int:
    """Return how many HTTP clients may be connected, of `allowed` files: a quarter at most."""
    return max(1, min(MOST_CLIENTS, allowed // 4))


def fit_calls(settings: Settings, allowed: int) -> Settings:
    """Return the settings with as many calls in flight as `allowed` files leave; log where these are fewer.

    Each target keeps its share: a scan makes at least two calls at once, one that lists and one that sizes.
    """
    left = allowed - clients_share(allowed) - RESERVE
    needed = FILES_PER_CALL * sum(
        target.scan.workers * (1 + target.scan.concurrency) for target in settings.targets
    )
    if needed <= left:
        return settings
    log.warning(
        "too few files may be open for so many calls at once, so fewer are made: allow more files",
        extra={"fields": {"allowed": allowed, "needed": needed + allowed - left}},
    )
    share = max(0, left) / needed
    lowered = (
        replace(target, scan=replace(scan, concurrency=max(1, int((1 + scan.concurrency) * share) - 1)))
        for target in settings.targets
        for scan in (target.scan,)
    )
    return replace(settings, targets=tuple(lowered))
