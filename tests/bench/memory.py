"""What memory a scan of a million uploads takes, against that of ten thousand."""

import json
import statistics

from bench import fresh, nginx
from bench.ours import target
from bench.pages import Bucket
from bench.verdict import Row, at_most, figure, verdict

LIMIT_MIB = 60.0


def memory_1m(rounds: int) -> Row:
    """Compare, each in a fresh process, the peak above what the process has before it makes its client."""
    million, few = Bucket("million", 1_000_000), Bucket("few", 10_000)
    with nginx.serving(million, few) as server:
        reports = [(_report(server, million), _report(server, few)) for _ in range(rounds)]
    mine, baseline = (
        {name: statistics.median(report[name] for report in column) for name in column[0]}
        for column in zip(*reports, strict=True)
    )
    grown = at_most("MiB at the peak above the start", mine["grown_mib"], LIMIT_MIB)
    return verdict([grown], ours=mine, baseline=baseline)


def _report(server: nginx.Nginx, bucket: Bucket) -> dict[str, float]:
    fresh.scan(server.folder, target(server.url, bucket.name, parts="never"), bucket)
    report = json.loads((server.folder / "scan.json").read_text(encoding="utf-8"))
    return {name: figure(value) for name, value in report.items()}
