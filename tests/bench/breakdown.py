"""Where the CPU of a call goes, from the listing to what is remembered: by samples of a running exporter.

`serve` sizes a bucket and remembers it in a state file. What that costs a call, start-up included, is
measured without a profiler; how it is divided by py-spy, which looks at the stack of each thread again and
again and does not stop the process for it. A sample belongs to the part of the program whose function is
innermost, and what that does in C belongs to it.
"""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import nginx
from bench.builds import TODAY, Build, Builds
from bench.measure import alternate
from bench.ours import target
from bench.pages import Bucket
from bench.procfs import cpu_seconds
from bench.verdict import Row, median_figure, verdict
from servers import wait_until
from servers.exporter import Exporter, serving

BUCKET = Bucket("media", 20_000, 3)
RATE = 250
"""Samples a second."""
PARTS = {
    "start": r"<frozen importlib",
    "signing": r"/stores/(aws|obs)/|sign \(.*/stores/s3/|/page_arguments \(",
    "reading": r"/stores/parsing/|/stores/timestamps|/stores/s3/",
    "libcurl": r"/stores/transport/",
    "summing": r"/stores/pagination/part_sums|/exporter/(model|scan/(tally|groups|outcomes))",
    "remembering": r"/exporter/state/|/scan/recheck",
    "executor": r"/exporter/",
}
"""Whose a scan's sample is: by the innermost frame that matches. What is done before is the start's."""


def breakdown(rounds: int, builds: Builds) -> Row:
    """Show microseconds of CPU a call, by part, of this build and of an older one."""
    older = builds.older(TODAY)
    mine, before = alternate(rounds, lambda: _divided(builds.present), lambda: _divided(older))
    return verdict([], ours=_medians(mine), baseline=_medians(before))


def _divided(build: Build) -> dict[str, float]:
    """Return the microseconds of each part, for one call; `all` is their sum."""
    with nginx.serving(BUCKET) as server:
        with _exporter(server, build.program()) as exporter:
            each = cpu_seconds(exporter.process.pid) / BUCKET.uploads * 1e6
        samples = _samples(server, build)
    total = sum(samples.values())
    return {part: count / total * each for part, count in samples.items()} | {"all": each}


def _samples(server: nginx.Nginx, build: Build) -> Counter[str]:
    """Return how many samples each part has, of a process that scans once."""
    output = server.folder / "samples"
    spy = ["py-spy", "record", "--nonblocking", "--format=raw", "--full-filenames", "--function"]
    with _exporter(server, [*spy, f"--rate={RATE}", f"--output={output}", "--", *build.program()]) as spying:
        process = spying.process.pid
        [spied] = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
        os.kill(int(spied), signal.SIGTERM)  # py-spy then writes what it saw, and ends
        spying.process.wait(60)
    return _counted(output)


@contextmanager
def _exporter(server: nginx.Nginx, program: list[str]) -> Iterator[Exporter]:
    """Run an exporter that has scanned the bucket once; it remembers nothing from before."""
    with TemporaryDirectory() as folder:
        watched = target(server.url, BUCKET.name, parts="remembered")
        config = {"targets": [watched], "state": {"path": f"{folder}/state.sqlite"}}
        with serving(Path(folder), config, program=program) as exporter:
            log = exporter.log
            wait_until("scan", lambda: "scan finished" in log.read_text(), seconds=300, log=log)
            yield exporter


def _counted(output: Path) -> Counter[str]:
    """Count py-spy's lines: a stack, outermost frame first, and how often it was seen."""
    counted: Counter[str] = Counter()
    for line in output.read_text(encoding="utf-8").splitlines():
        stack, _, times = line.rpartition(" ")
        if part := _part(stack.split(";")):
            counted[part] += int(times)
    return counted


def _part(stack: list[str]) -> str | None:
    """Return the part a sample belongs to, None where a thread waited, which py-spy may take for work."""
    if not any(frame.startswith("Scanner.scan ") for frame in stack):
        return "start" if "<module>" in stack[0] + stack[-1] or "frozen" in stack[0] + stack[-1] else None
    found = (part for frame in reversed(stack) for part, each in PARTS.items() if re.search(each, frame))
    return next(found, None)


def _medians(sides: tuple[dict[str, float], ...]) -> dict[str, float]:
    return {part: median_figure([side.get(part, 0.0) for side in sides]) for part in (*PARTS, "all")}
