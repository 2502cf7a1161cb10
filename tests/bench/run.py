"""Benchmarks: `python tests/bench/run.py [--rounds N] [--against COMMIT] [ROW ...]`, a line of JSON per row.

All rows by default. Both sides of a row are measured in the same run, in turns, and compared: only ratios
carry over from one machine to another. A check that says min and max has the ratio of each round; any other
compares the medians of the rounds. A row is ok where all its checks are.
"""

import argparse
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.blobs import azure_10000
from bench.breakdown import breakdown
from bench.builds import TODAY, Builds
from bench.growth import growth
from bench.hostile import hostile, one_page
from bench.idle import ceph_20000_idle
from bench.idlememory import idle_rss
from bench.imports import imports
from bench.latency import latency_30ms
from bench.ledger import ledger_1m
from bench.memory import memory_1m
from bench.month import month_10k
from bench.page import page_2000_buckets
from bench.parallel import parallel_200k
from bench.perbucket import memory_per_bucket
from bench.reading import read_3_parts, read_1000_parts, read_1000_uploads
from bench.real import ceph_3000x3
from bench.scans import BY_OBS_SDK, gcs_20000x3, list_100k, obs_5000x3, size_200x1000, size_20000x3
from bench.scrape import scrape_2000_buckets
from bench.startup import startup
from bench.targets import targets_200_roles, targets_200x10
from bench.underscan import scrape_under_scan
from bench.verdict import Row

ROUNDS = 5
PROGRAMS = ("nginx", "wrk", "rclone", "py-spy")
BUILD_ROWS: dict[str, Callable[[int, Builds], Row]] = {
    "size-20000x3": size_20000x3,
    "size-200x1000": size_200x1000,
    "list-100k": list_100k,
    "read-3-parts": read_3_parts,
    "read-1000-parts": read_1000_parts,
    "read-1000-uploads": read_1000_uploads,
    "startup": startup,
    "idle-rss": idle_rss,
    "obs-5000x3": obs_5000x3,
    "gcs-20000x3": gcs_20000x3,
    "azure-10000": azure_10000,
    "targets-200x10": targets_200x10,
    "breakdown": breakdown,
    "imports": imports,
    "scrape-2000-buckets": scrape_2000_buckets,
    "hostile": hostile,
    "onepage": one_page,
}
"""Rows of whole processes, of builds that start alike."""
ROWS: dict[str, Callable[[int], Row]] = {
    "ceph-3000x3": ceph_3000x3,
    "latency-30ms": latency_30ms,
    "memory-1m": memory_1m,
    "page-2000-buckets": page_2000_buckets,
    "scrape-under-scan": scrape_under_scan,
    "targets-200-roles": targets_200_roles,
    "memory-per-bucket": memory_per_bucket,
    "growth": growth,
    "ceph-20000-idle": ceph_20000_idle,
    "month-10k": month_10k,
    "ledger-1m": ledger_1m,
    "parallel-200k": parallel_200k,
}


def main() -> int:
    """Run the rows asked for; 1 where one is not ok."""
    parser = argparse.ArgumentParser(description="Measure, each figure beside its baseline.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join((*BUILD_ROWS, *ROWS)))
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="fewer are for trials (default: %(default)s)"
    )
    parser.add_argument(
        "--against",
        metavar="COMMIT",
        help=f"the older build of rows that have one (default: {TODAY}, and of obs-5000x3 {BY_OBS_SDK}, too)",
    )
    options = parser.parse_args()
    if unknown := set(options.rows) - {*BUILD_ROWS, *ROWS}:
        parser.error(f"no such row: {', '.join(unknown)}")
    # rclone is installed beside Python, nginx where only root looks
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        parser.error(f"not installed: {', '.join(missing)} (tests/bench/run installs them)")
    with TemporaryDirectory(prefix="mpu-bench-builds-") as folder:
        builds = Builds(Path(folder), options.against)
        rows = {name: partial(row, builds=builds) for name, row in BUILD_ROWS.items()} | ROWS
        fine = [_print(name, rows[name], options.rounds) for name in options.rows or rows]
    return 0 if all(fine) else 1


def _print(name: str, measure: Callable[[int], Row], rounds: int) -> bool:
    """Measure a row and print it; one that cannot be measured is not ok, and the others go on."""
    started = time.monotonic()
    try:
        row = measure(rounds)
    except Exception as error:  # noqa: BLE001 - whatever it is
        traceback.print_exc()
        row = {"error": f"{type(error).__name__}: {error}", "ok": False}
    took = {"rounds": rounds, "took_s": round(time.monotonic() - started)}
    sys.stdout.write(json.dumps({"row": name, **row, **took}) + "\n")
    sys.stdout.flush()
    return row["ok"] is True


if __name__ == "__main__":
    sys.exit(main())
