"""What an exporter of 200 targets, each with its own credentials, takes from its start to first requests."""

import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh, nginx
from bench.ours import target
from bench.pages import Bucket
from bench.procfs import cpu_seconds, memory_mib
from bench.verdict import Row, at_most, figure, verdict
from servers import wait_until
from servers.exporter import serving

BUCKETS = [Bucket(f"bucket-{number:03}", 1) for number in range(200)]
PLAIN = Path(__file__).with_name("plainonce.py")
Start = tuple[float, float]
"""Seconds of CPU, and MiB of memory at most."""


def targets_200(rounds: int) -> Row:
    """Compare the exporter with a script that makes 200 plain clients and calls each once."""
    starts = [(_exporter(), _plain()) for _ in range(rounds)]
    (cpu, memory), baseline = (_median(side) for side in zip(*starts, strict=True))
    checks = [at_most("seconds of CPU", cpu, 5), at_most("MiB at the peak", memory, 300)]
    return verdict(checks, ours=_shown((cpu, memory)), baseline=_shown(baseline))


def _exporter() -> Start:
    """Return what the process took from its start until every target's first request had come in."""
    with nginx.serving(*BUCKETS, log=True) as server, TemporaryDirectory() as folder:
        names = [bucket.name for bucket in BUCKETS]
        targets = [
            target(server.url, name, name=name, keys=(f"key-{name}", f"secret-{name}"), parts="remembered")
            for name in names
        ]
        with serving(Path(folder), {"targets": targets}) as exporter:
            wait_until("first requests", lambda: server.asked() == set(names), log=exporter.log)
            return cpu_seconds(exporter.process.pid), memory_mib(exporter.process.pid)


def _plain() -> Start:
    with nginx.serving(*BUCKETS) as server:
        output = server.folder / "plain.json"
        command = [sys.executable, str(PLAIN), server.url, *(bucket.name for bucket in BUCKETS)]
        used = fresh.run(command, output)
        return used.cpu, json.loads(output.read_text(encoding="utf-8"))["mib"]


def _median(starts: tuple[Start, ...]) -> Start:
    cpu, memory = (statistics.median(column) for column in zip(*starts, strict=True))
    return cpu, memory


def _shown(start: Start) -> dict[str, float]:
    return {"cpu_s": figure(start[0]), "peak_mib": figure(start[1])}
