"""What memory answers take that are made to take it, and a bucket that a store lists in one page."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.builds import Build, Builds
from bench.measure import alternate
from bench.ours import target
from bench.procfs import memory_mib
from bench.verdict import Row, at_most, figure, median_figure, verdict
from servers.exporter import serving

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
)
ONE_PAGE = ("page-100000", "page-500000")
IDLE = "page-3"


def hostile(rounds: int, builds: Builds) -> Row:
    """Measure the peak over idle under each attack, of the present build and of an older one."""
    return _compared(rounds, builds, ATTACKS)


def one_page(rounds: int, builds: Builds) -> Row:
    """Measure the same of a bucket that is listed in one page, as MinIO does."""
    return _compared(rounds, builds, ONE_PAGE)


def _compared(rounds: int, builds: Builds, attacks: Sequence[str]) -> Row:
    builds_by_side = {"ours": builds.present, "baseline": builds.older(BEFORE)}
    with _served(IDLE) as url:
        idle = {side: _scanned(build, url, "VmRSS")[0] for side, build in builds_by_side.items()}
    checks, figures = [], {}
    for attack in attacks:
        with _served(attack) as url:
            measure = [partial(_scanned, build, url) for build in builds_by_side.values()]
            sides = dict(zip(builds_by_side, alternate(rounds, *measure), strict=True))
        figures[attack] = {side: _figures(taken, idle[side]) for side, taken in sides.items()}
        over = figures[attack]["ours"]["mib_over_idle"]
        checks.append(at_most(f"MiB over idle, {attack}", over, LIMIT_MIB))
    return verdict(checks, **figures)


def _figures(taken: Sequence[tuple[float, float]], idle_mib: float) -> dict[str, float]:
    peaks, seconds = zip(*taken, strict=True)
    return {"mib_over_idle": figure(max(peaks) - idle_mib), "s": median_figure(seconds)}


def _scanned(build: Build, url: str, memory: str = "VmHWM") -> tuple[float, float]:
    """Return the MiB of a process once its first scan is over, and the seconds until then."""
    with TemporaryDirectory() as folder:
        parts = "never" if "page" in url else "remembered"
        settings = target(url.partition("#")[0], BUCKET, parts=parts, retries=0)
        started = time.monotonic()
        with serving(Path(folder), {"targets": [settings]}, program=build.program()) as exporter:
            found = exporter.wait_tried(BUCKET, seconds=SECONDS)
            uploads = url.partition("#page-")[2]
            assert not uploads or found["mpu_uploads_in_progress", BUCKET] == int(uploads), found
            return memory_mib(exporter.process.pid, memory), time.monotonic() - started


@contextmanager
def _served(attack: str) -> Iterator[str]:
    """Serve an attack in a process of its own; yields the URL, whose fragment names it."""
    command = [sys.executable, str(SERVER), attack]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}#{attack}"
        finally:
            process.kill()
