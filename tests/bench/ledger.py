"""What it costs to remember a million uploads: time and memory of a steady scan, and the state file."""

import statistics
from itertools import pairwise
from pathlib import Path

from bench import fresh, nginx
from bench.ours import target
from bench.pages import Bucket
from bench.statefile import LAST_PART, fill, fill_with, random_uploads
from bench.verdict import Check, Row, at_most, figure, verdict
from bench.virtual import INTERVAL

from exporter.model.uploads import PartTotals
from exporter.state.database import MAX_NAMES

SIZES = (10_000, 100_000, 1_000_000)
BEGINS = 1_790_000_000.0
TIMES, MORE_MIB, FILE_BYTES, GROWTH = 3.0, 40.0, 80.0, 12.0
NAMED_TIMES, NAMED_MORE_MIB, NAMED_FILE_MIB = 1.1, 10.0, 250.0
Report = dict[str, float]


def ledger_1m(rounds: int) -> Row:
    """Compare scans in fresh processes: by what a state file remembers, and listed only (`parts: never`).

    Each scan is one interval after the one before, so that about one upload in 288 is due and asked about.
    Of the million, scans by a file that knows all of them by name are compared with scans by hashes only.
    """
    buckets = [Bucket(f"of-{uploads}", uploads, 3) for uploads in SIZES]
    with nginx.serving(*buckets) as server:
        files = [_filled(server.folder, bucket) for bucket in buckets]
        by_name = [(names, _filled(server.folder, buckets[-1], names)) for names in (0, SIZES[-1])]
        named_mib = _mib_of_random_names(server.folder / "random.sqlite")
        bytes_each = [
            file.stat().st_size / bucket.uploads for file, bucket in zip(files, buckets, strict=True)
        ]
        turns = [
            [
                _listed(server, buckets[-1]),
                *(_remembered(server, buckets[-1], file, number, names) for names, file in by_name),
                *(_remembered(server, *side, number) for side in zip(buckets, files, strict=True)),
            ]
            for number in range(1, rounds + 1)
        ]
    listed, hashed, named, *remembered = (_median(side) for side in zip(*turns, strict=True))
    million = remembered[-1]
    checks = [
        at_most("times as long as listed only", million["seconds"] / listed["seconds"], TIMES),
        at_most("MiB more than listed only", million["grown_mib"] - listed["grown_mib"], MORE_MIB),
        at_most("bytes of file an upload", bytes_each[-1], FILE_BYTES),
        at_most(
            "times as long with all names as with none", named["seconds"] / hashed["seconds"], NAMED_TIMES
        ),
        at_most("MiB more with all names", named["grown_mib"] - hashed["grown_mib"], NAMED_MORE_MIB),
        at_most("MiB of file with a million names in which nothing repeats", named_mib, NAMED_FILE_MIB),
        *_growth("seconds", [report["seconds"] for report in remembered]),
        *_growth("bytes of file", [each * size for each, size in zip(bytes_each, SIZES, strict=True)]),
    ]
    shown = {str(size): _shown(report) for size, report in zip(SIZES, remembered, strict=True)}
    shown |= {"hashed": _shown(hashed), "named": _shown(named)}
    return verdict(checks, ours=shown, baseline=_shown(listed))


def _filled(folder: Path, bucket: Bucket, max_names: int = MAX_NAMES) -> Path:
    file = folder / f"{bucket.name}-{max_names}.sqlite"
    fill(file, bucket, BEGINS, max_names)
    return file


def _mib_of_random_names(file: Path) -> float:
    fill_with(file, random_uploads(SIZES[-1]), PartTotals(3, 3000, LAST_PART), BEGINS, SIZES[-1])
    return file.stat().st_size / 2**20


def _listed(server: nginx.Nginx, bucket: Bucket) -> Report:
    return fresh.ledger_scan(server.folder, target(server.url, bucket.name, parts="never"), bucket)


def _remembered(
    server: nginx.Nginx, bucket: Bucket, file: Path, number: int, max_names: int = MAX_NAMES
) -> Report:
    scan, now = target(server.url, bucket.name, parts="remembered"), str(BEGINS + number * INTERVAL)
    return fresh.ledger_scan(server.folder, scan, bucket, str(file), now, str(max_names))


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
