"""What memory answers take that are made to take it, and a bucket that a store lists in one page."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.builds import Build, Builds
from bench.measure import alternate
from bench.ours import target
from bench.procfs import memory_mib
from bench.verdict import Row, at_most, figure, median_figure, verdict
from servers.exporter import Exporter, Samples, serving

BEFORE = "d4e8681"
"""The last build without bounds of memory for answers."""
LIMIT_MIB = 150.0
SECONDS = 300.0
BUCKET = "media"
SERVER = Path(__file__).with_name("hostileserver.py")
ATTACKS = (
    "bomb",
    "elements",
    "texts",
    "attributes",
    "names",
    "forbidden",
    "uploads",
    "random",
    "blanks",
    "nested",
    "refusal",
    "two million",
    "parts",
    "large parts",
    "tiny pieces",
    "tiny pieces of parts",
    "tiny pieces of parts, four targets",
    "heads",
)
ONE_PAGE = ("page-100000", "page-500000")
IDLE = "page-3"


def hostile(rounds: int, builds: Builds) -> Row:
    """Measure the peak over idle under each attack, of the present build and of an older one."""
    return _compared(rounds, builds, ATTACKS)


def one_page(rounds: int, builds: Builds) -> Row:
    """Measure the same of a bucket that is listed in one page, as MinIO does."""
    return _compared(rounds, builds, ONE_PAGE)


@dataclass(frozen=True)
class Peak:
    """What memory a process had: at the most, and at the end; how long it took to that."""

    mib: float
    resident_mib: float
    seconds: float
    ended: bool


def scan_once(build: Build, attack: str) -> Peak:
    """Scan a bucket whose store answers with this attack."""
    with served(SERVER, attack) as url, TemporaryDirectory() as folder:
        parts = "never" if attack.startswith("page") else "remembered"
        buckets = [BUCKET, *(f"{BUCKET}-{each}" for each in range(1, 4))] if "four" in attack else [BUCKET]
        targets = [target(url, each, name=each, parts=parts, retries=0) for each in buckets]
        started = time.monotonic()
        with serving(Path(folder), {"targets": targets}, program=build.program()) as exporter:
            found = _first_scan(exporter, *buckets)
            uploads = attack.partition("page-")[2]
            assert not uploads or found["mpu_uploads_in_progress", BUCKET] == int(uploads), found
            most, now = (memory_mib(exporter.process.pid, name) for name in ("VmHWM", "VmRSS"))
            return Peak(most, now, time.monotonic() - started, ended=bool(found))


def idle_mib(build: Build) -> float:
    """Return the memory of a process that has scanned a bucket with three uploads."""
    return scan_once(build, IDLE).resident_mib


def _first_scan(exporter: Exporter, *buckets: str) -> Samples:
    """Return the samples once the first scan of each has ended, none where it takes too long."""
    try:
        return exporter.wait_tried(*buckets, seconds=SECONDS)
    except TimeoutError:
        return {}


def _compared(rounds: int, builds: Builds, attacks: Sequence[str]) -> Row:
    builds_by_side = {"ours": builds.present, "baseline": builds.older(BEFORE)}
    idle = {side: idle_mib(build) for side, build in builds_by_side.items()}
    checks, figures = [], {}
    for attack in attacks:
        measure = [partial(scan_once, build, attack) for build in builds_by_side.values()]
        sides = dict(zip(builds_by_side, alternate(rounds, *measure), strict=True))
        figures[attack] = {side: _figures(taken, idle[side]) for side, taken in sides.items()}
        over = figures[attack]["ours"]["mib_over_idle"]
        checks.append(at_most(f"MiB over idle, {attack}", over, LIMIT_MIB))
    return verdict(checks, **figures)


def _figures(taken: Sequence[Peak], idle: float) -> dict[str, float]:
    seconds = median_figure([each.seconds for each in taken])
    unended = sum(not each.ended for each in taken)
    most = figure(max(each.mib for each in taken) - idle)
    return {"mib_over_idle": most, "s": seconds} | ({"not_ended": unended} if unended else {})


@contextmanager
def served(script: Path | str, *arguments: str) -> Iterator[str]:
    """Run a script that serves and first prints its port, in a process of its own; yields the URL."""
    command = [sys.executable, str(script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()
