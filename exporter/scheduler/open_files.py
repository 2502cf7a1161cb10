"""Divides the files that the process may open: HTTP clients, calls to stores, and a reserve for all else."""

from __future__ import annotations

import logging
import resource
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.settings import TargetSettings

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


def calls_share(allowed: int) -> int:
    """Return how many files calls to stores may take, of `allowed`, where HTTP clients are served."""
    return allowed - clients_share(allowed) - RESERVE


def fit_calls(
    targets: Sequence[TargetSettings], share: int, at_once: int | None = None
) -> tuple[TargetSettings, ...]:
    """Return the targets with as many calls in flight as `share` files allow; log where these are fewer.

    At most `at_once` targets are scanned at once, None: all. Each keeps its part of the share: a scan makes
    at least two calls at once, one that lists and one that sizes.
    """
    needed = sum(sorted(map(_files, targets), reverse=True)[:at_once])
    if needed <= share:
        return tuple(targets)
    log.warning(
        "too few files may be open for so many calls at once, so fewer are made: raise the limit (ulimit -n)",
        extra={"fields": {"allowed": max(0, share), "needed": needed}},
    )
    part = max(0, share) / needed
    return tuple(
        replace(target, scan=replace(scan, concurrency=max(1, int((1 + scan.concurrency) * part) - 1)))
        for target in targets
        for scan in (target.scan,)
    )


def _files(target: TargetSettings) -> int:
    """Return how many files a target's calls take: each node keeps connections of its own."""
    nodes = max(1, len(target.endpoint_urls))
    return FILES_PER_CALL * target.scan.workers * (1 + target.scan.concurrency) * nodes
