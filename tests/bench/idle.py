"""Idle uploads on a real store: a steady scan by what is remembered, against one that asks about each."""

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import cost, take_turns
from bench.ours import Ours, calm, ours, target
from bench.pages import Bucket
from bench.real import filled
from bench.verdict import Row, at_least, figure, shown, verdict
from bench.virtual import DAY, INTERVAL, Clock
from servers.ceph import Ceph

from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import Clocks

BUCKET = Bucket("idle", 20_000, 1, part_bytes=16)
IDLE_FOR = 30 * DAY
SCANS = int(DAY / INTERVAL)
FEWER, FASTER = 100.0, 10.0


def ceph_20000_idle(rounds: int) -> Row:
    """Compare the requests of a virtual day of scans, and the time of a scan in turns.

    The wall clock is a month ahead, and an interval further at each steady scan.
    """
    with filled(BUCKET) as ceph, TemporaryDirectory() as folder, ExitStack() as opened:
        clock = Clock(time.time() + IDLE_FOR)
        steady, always = (
            _Side(opened.enter_context(_exporter(ceph, Path(folder), clock, parts)), clock, later)
            for parts, later in (("remembered", INTERVAL), ("always", 0.0))
        )
        first, each_time = steady.scan(), always.scan()
        asked = [steady.scan() for _ in range(SCANS)]
        mine, baseline = take_turns(
            rounds, lambda: cost(steady.scan, around=calm), lambda: cost(always.scan, around=calm)
        )
    mean = sum(asked) / len(asked)
    checks = [
        at_least("times fewer requests", each_time / mean, FEWER),
        at_least("times faster", baseline.wall / mine.wall, FASTER),
    ]
    requests = {"first": first, "mean": figure(mean), "worst": max(asked), "least": min(asked)}
    return verdict(
        checks,
        ours=shown(mine) | {"requests": requests},
        baseline=shown(baseline) | {"requests": each_time},
    )


class _Side:
    """Scans with a ledger of their own, each so many seconds after the one before of either side."""

    def __init__(self, exporter: Ours, clock: Clock, later: float) -> None:
        self._exporter = exporter
        self._clock = clock
        self._later = later
        self._ledger = Ledger()

    def scan(self) -> float:
        """Scan once, and return how many requests it took."""
        before = self._exporter.requests()
        self._clock.now += self._later
        self._exporter.scan(BUCKET, self._ledger)
        return self._exporter.requests() - before


def _exporter(ceph: Ceph, folder: Path, clock: Clock, parts: str) -> Ours:
    keys = (ceph.mpu.access_key, ceph.mpu.secret_key)
    scan = target(ceph.endpoint_url, BUCKET.name, keys=keys, parts=parts)
    return ours(folder, scan, Clocks(wall=clock.read))
