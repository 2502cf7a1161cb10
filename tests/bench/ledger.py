"""What it costs to remember a million uploads: time and memory of a steady scan, and the state file."""

import statistics
from itertools import pairwise
from pathlib import Path

from bench import fresh, nginx
from bench.ours import target
from bench.pages import Bucket
from bench.statefile import fill
from bench.verdict import Check, Row, at_most, figure, verdict
from bench.virtual import INTERVAL

SIZES = (10_000, 100_000, 1_000_000)
BEGINS = 1_790_000_000.0
TIMES, MORE_MIB, FILE_BYTES, GROWTH = 3.0, 40.0, 80.0, 12.0
Report = dict[str, float]


def ledger_1m(rounds: int) -> Row:
    """Compare scans in fresh processes: by what a state file remembers, and listed only (`parts: never`).

    Each scan is one interval after the one before, so that about one upload in 288 is due and asked about.
    """
    buckets = [Bucket(f"of-{uploads}", uploads, 3) for uploads in SIZES]
    with nginx.serving(*buckets) as server:
        files = [_filled(server.folder, bucket) for bucket in buckets]
        bytes_each = [
            file.stat().st_size / bucket.uploads for file, bucket in zip(files, buckets, strict=True)
        ]
        turns = [
            [
                _listed(server, buckets[-1]),
                *(_remembered(server, *side, number) for side in zip(buckets, files, strict=True)),
            ]
            for number in range(1, rounds + 1)
        ]
    listed, *remembered = (_median(side) for side in zip(*turns, strict=True))
    million = remembered[-1]
    checks = [
        at_most("times as long as listed only", million["seconds"] / listed["seconds"], TIMES),
        at_most("MiB more than listed only", million["grown_mib"] - listed["grown_mib"], MORE_MIB),
        at_most("bytes of file an upload", bytes_each[-1], FILE_BYTES),
        *_growth("seconds", [report["seconds"] for report in remembered]),
        *_growth("bytes of file", [each * size for each, size in zip(bytes_each, SIZES, strict=True)]),
    ]
    shown = {str(size): _shown(report) for size, report in zip(SIZES, remembered, strict=True)}
    return verdict(checks, ours=shown, baseline=_shown(listed))


def _filled(folder: Path, bucket: Bucket) -> Path:
    file = folder / f"{bucket.name}.sqlite"
    fill(file, bucket, BEGINS)
    return file


def _listed(server: nginx.Nginx, bucket: Bucket) -> Report:
    return fresh.ledger_scan(server.folder, target(server.url, bucket.name, parts="never"), bucket)


def _remembered(server: nginx.Nginx, bucket: Bucket, file: Path, number: int) -> Report:
    scan = target(server.url, bucket.name, parts="remembered")
    return fresh.ledger_scan(server.folder, scan, bucket, str(file), str(BEGINS + number * INTERVAL))


def _median(reports: tuple[Report, ...]) -> Report:
    return {name: statistics.median(report[name] for report in reports) for name in reports[0]}


def _growth(what: str, values: list[float]) -> list[Check]:
    steps = zip(pairwise(SIZES), pairwise(values), strict=True)
    return [
        at_most(f"times the {what} of {less} uploads at {more}", high / low, GROWTH)
        for (less, more), (low, high) in steps
    ]


def _shown(report: Report) -> Row:
    return {name: figure(value) for name, value in report.items()}
