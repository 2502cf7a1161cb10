"""What memory a watched bucket takes: the exporter with 2,000 buckets, against that with 200."""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import nginx
from bench.ours import target
from bench.pages import Bucket
from bench.procfs import memory_mib
from bench.verdict import Row, at_most, figure, verdict
from servers import wait_until
from servers.exporter import serving

MANY, FEW = 2000, 200
LIMIT_KIB = 20.0


def memory_per_bucket(rounds: int) -> Row:
    """Compare what both processes hold after every bucket was scanned and its lines were rendered."""
    found = [(_exporter(MANY), _exporter(FEW)) for _ in range(rounds)]
    many, few = (statistics.median(column) for column in zip(*found, strict=True))
    each = (many - few) * 1024 / (MANY - FEW)
    check = at_most("KiB per bucket", each, LIMIT_KIB)
    return verdict([check], ours={"mib": figure(many)}, baseline={"mib": figure(few)})


def _exporter(count: int) -> float:
    """Return the MiB of a process that watches so many buckets of one target."""
    buckets = [Bucket(f"bucket-{number:04}", 1) for number in range(count)]
    with nginx.serving(*buckets) as server, TemporaryDirectory() as folder:
        watched = target(server.url, *(bucket.name for bucket in buckets), parts="remembered")
        with serving(Path(folder), {"targets": [watched]}) as exporter:

            def scanned() -> bool:
                return exporter.text().count("mpu_scan_success{") == count

            wait_until("first scans", scanned, seconds=300, log=exporter.log)
            return memory_mib(exporter.process.pid, "VmRSS")
