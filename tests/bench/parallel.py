"""A large bucket whose every page comes late, listed in segments side by side, against one stream."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh
from bench.ledger import BEGINS
from bench.measure import alternate, ratio
from bench.ours import target
from bench.pages import Bucket
from bench.verdict import Row, at_most, figure, median_figure, verdict
from servers import free_port, listens, running, wait_until

BUCKET = Bucket("media", 200_000)
LATE_SECONDS = 0.05
SERVER = Path(__file__).with_name("lateserver.py")
LIMITS = {8: 1 / 6, 16: 1 / 11}
"""Of the time, by the number of segments at a time."""


def parallel_200k(rounds: int) -> Row:
    """Compare scans of a process that has listed the bucket before."""
    port = free_port()
    with TemporaryDirectory() as name:
        folder = Path(name)
        server = [sys.executable, str(SERVER), str(port), str(BUCKET.uploads), str(LATE_SECONDS)]
        with running(server, folder / "server"):
            wait_until("server", lambda: listens(port), log=folder / "server")

            def scan(segments: int) -> dict[str, float]:
                settings = {"parts": "never", "listing_concurrency": segments}
                watched = target(f"http://127.0.0.1:{port}", BUCKET.name, **settings)
                return fresh.ledger_scan(folder, watched, BUCKET, str(BEGINS))

            one, *many = alternate(rounds, *(lambda n=n: scan(n) for n in (1, *LIMITS)))
    walls = [[report["wall_s"] for report in side] for side in (one, *many)]
    checks = [
        at_most(f"times as long in {segments} segments at a time", ratio(wall, walls[0]), limit)
        for (segments, limit), wall in zip(LIMITS.items(), walls[1:], strict=True)
    ]
    shown = {
        str(segments): {"wall_s": median_figure(wall), "requests": figure(reports[-1]["requests"])}
        for segments, wall, reports in zip((1, *LIMITS), walls, (one, *many), strict=True)
    }
    return verdict(checks, baseline=shown.pop("1"), ours=shown)
