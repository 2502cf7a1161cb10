"""What it costs to remember a million uploads: CPU and memory of a steady scan, and the state file."""

import statistics
from itertools import pairwise
from pathlib import Path

from bench import fresh, nginx
from bench.ledgeronce import SCANS
from bench.measure import Ratio, alternate, ratio
from bench.ours import target
from bench.pages import Bucket
from bench.statefile import LAST_PART, fill, fill_with, random_uploads
from bench.verdict import Check, Row, at_most, figure, verdict
from bench.virtual import INTERVAL

from exporter.model.uploads import PartTotals
from exporter.state.database import MAX_NAMES

SIZES = (10_000, 100_000, 1_000_000)
BEGINS = 1_790_000_000.0
TIMES, MORE_MIB, FILE_BYTES, GROWTH = 1.5, 40.0, 80.0, 12.0
NAMED_TIMES, NAMED_MORE_MIB, NAMED_FILE_MIB = 1.1, 10.0, 250.0
Report = dict[str, float]


def ledger_1m(rounds: int) -> Row:
    """Compare steady scans in fresh processes: by what a state file remembers, and listed only.

    Each scan is one interval after the one before, so that about one upload in 288 is due and asked about.
    Of the million, scans by a file that knows all of them by name are compared with scans by hashes only.
    """
    buckets = [Bucket(f"of-{uploads}", uploads, 3) for uploads in SIZES]
    million = buckets[-1]
    with nginx.serving(*buckets) as server:
        files = [_filled(server.folder, bucket) for bucket in buckets]
        sides = [_Side(server, bucket, file).scan for bucket, file in zip(buckets, files, strict=True)]
        listed, *remembered = alternate(rounds, _Side(server, million).scan, *sides)
        names = [(number, _filled(server.folder, million, number)) for number in (0, SIZES[-1])]
        hashed, named = alternate(
            rounds, *(_Side(server, million, file, number).scan for number, file in names)
        )
        named_mib = _mib_of_random_names(server.folder / "random.sqlite")
        bytes_each = [
            file.stat().st_size / bucket.uploads for file, bucket in zip(files, buckets, strict=True)
        ]
    medians = [_median(reports) for reports in remembered]
    more_mib = medians[-1]["grown_mib"] - _median(listed)["grown_mib"]
    named_more_mib = _median(named)["grown_mib"] - _median(hashed)["grown_mib"]
    checks = [
        at_most("times the CPU of listed only", _cpu_ratio(remembered[-1], listed), TIMES),
        at_most("MiB more than listed only", more_mib, MORE_MIB),
        at_most("bytes of file an upload", bytes_each[-1], FILE_BYTES),
        at_most("times the CPU with all names as with none", _cpu_ratio(named, hashed), NAMED_TIMES),
        at_most("MiB more with all names", named_more_mib, NAMED_MORE_MIB),
        at_most("MiB of file with a million names in which nothing repeats", named_mib, NAMED_FILE_MIB),
        *_growth("CPU", [report["cpu_s"] for report in medians]),
        *_growth("bytes of file", [each * size for each, size in zip(bytes_each, SIZES, strict=True)]),
    ]
    shown = {str(size): _shown(report) for size, report in zip(SIZES, medians, strict=True)}
    shown |= {"hashed": _shown(_median(hashed)), "named": _shown(_median(named))}
    return verdict(checks, ours=shown, baseline=_shown(_median(listed)))


class _Side:
    """Scans of one bucket, by a state file or listed only; each process goes on where the last one ended."""

    def __init__(
        self, server: nginx.Nginx, bucket: Bucket, file: Path | None = None, max_names: int = MAX_NAMES
    ) -> None:
        self._folder = server.folder
        # one stream: canned pages begin where they were cut, not behind any key
        scan = {"parts": "remembered" if file else "never", "listing_concurrency": 1}
        self._target = target(server.url, bucket.name, **scan)
        self._bucket = bucket
        self._state = (str(file), str(max_names)) if file else ()
        self._now = BEGINS + INTERVAL

    def scan(self) -> Report:
        """Scan in a process of its own, and return its report."""
        report = fresh.ledger_scan(self._folder, self._target, self._bucket, str(self._now), *self._state)
        self._now += SCANS * INTERVAL
        return report


def _filled(folder: Path, bucket: Bucket, max_names: int = MAX_NAMES) -> Path:
    file = folder / f"{bucket.name}-{max_names}.sqlite"
    fill(file, bucket, BEGINS, max_names)
    return file


def _mib_of_random_names(file: Path) -> float:
    fill_with(file, random_uploads(SIZES[-1]), PartTotals(3, 3000, LAST_PART), BEGINS, SIZES[-1])
    return file.stat().st_size / 2**20


def _cpu_ratio(over: tuple[Report, ...], under: tuple[Report, ...]) -> Ratio:
    return ratio([report["cpu_s"] for report in over], [report["cpu_s"] for report in under])


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
