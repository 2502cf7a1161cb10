"""Requests to scan now: names in, buckets made due out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.model.targets import ScanRequest, UnknownNameError
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from exporter.scheduler.watched_target import WatchedTarget

log = logging.getLogger(__name__)

NAMES_LIMIT = 20
"""Maximum number of names that are listed to someone who gave another one."""


def request_scans(
    watched: Sequence[WatchedTarget], targets: Collection[str], buckets: Collection[str], now: float
) -> ScanRequest:
    """Have buckets scanned now: those of these names, of the targets of these names; () stands for all.

    Without names of buckets the lists of buckets are read anew, too. `now` is of the monotonic clock. Raises
    UnknownNameError, and changes nothing, for a name that is not watched.
    """
    known = {each.settings.name: each for each in watched}
    if unknown := sorted(set(targets) - known.keys()):
        raise UnknownNameError(_no_such("target", unknown[0], known))
    meant = [each for name, each in known.items() if not targets or name in targets]
    names = {each.settings.name: {bucket.name for bucket in each.queue.buckets()} for each in meant}
    there = set().union(*names.values())
    if unknown := sorted(set(buckets) - there):
        raise UnknownNameError(_no_such("bucket", unknown[0], there))
    selected = {name: found & set(buckets) if buckets else found for name, found in names.items()}
    request = ScanRequest(
        targets=sum(bool(selected[each.settings.name]) for each in meant),
        buckets=sum(map(len, selected.values())),
        running=sum(each.queue.request(selected[each.settings.name], now) for each in meant),
        lists=0 if buckets else sum(bool(each.discovery and each.discovery.request(now)) for each in meant),
    )
    log.info("scans are requested", extra={"fields": request._asdict()})
    return request


def _no_such(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    listed = ", ".join(map(one_line, names[:NAMES_LIMIT])) or "none"
    more = len(names) - NAMES_LIMIT
    rest = f" and {more:,} more" if more > 0 else ""
    return f'no {kind} that is watched here is called "{one_line(name)}"; there are: {listed}{rest}'
