"""Benchmarks: `python tests/bench/run.py [--rounds N] [ROW ...]` prints a line of JSON per row.

All rows by default. Both sides of a row are measured in the same run, in turns, and the medians of the rounds
are compared: only ratios carry over from one machine to another. A row is ok where all its checks are.
"""

import argparse
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.growth import growth
from bench.idle import ceph_20000_idle
from bench.latency import latency_30ms
from bench.ledger import ledger_1m
from bench.listparts import listparts_3_cpu, listparts_3_rate, listparts_1000_cpu
from bench.listuploads import listuploads_1000_cpu
from bench.memory import memory_1m, memory_one_page
from bench.month import month_10k
from bench.page import page_2000_buckets
from bench.perbucket import memory_per_bucket
from bench.rclone import rclone_100k
from bench.real import ceph_3000x3
from bench.scrape import scrape_2000_buckets
from bench.targets import targets_200, targets_200_roles
from bench.underscan import scrape_under_scan
from bench.verdict import Row

ROUNDS = 5
PROGRAMS = ("nginx", "wrk", "rclone")
ROWS: dict[str, Callable[[int], Row]] = {
    "listparts-3-cpu": listparts_3_cpu,
    "listparts-3-rate": listparts_3_rate,
    "listparts-1000-cpu": listparts_1000_cpu,
    "listuploads-1000-cpu": listuploads_1000_cpu,
    "ceph-3000x3": ceph_3000x3,
    "latency-30ms": latency_30ms,
    "memory-1m": memory_1m,
    "memory-one-page": memory_one_page,
    "scrape-2000-buckets": scrape_2000_buckets,
    "page-2000-buckets": page_2000_buckets,
    "scrape-under-scan": scrape_under_scan,
    "targets-200": targets_200,
    "targets-200-roles": targets_200_roles,
    "memory-per-bucket": memory_per_bucket,
    "rclone-100k": rclone_100k,
    "growth": growth,
    "ceph-20000-idle": ceph_20000_idle,
    "month-10k": month_10k,
    "ledger-1m": ledger_1m,
}


def main() -> int:
    """Run the rows asked for; 1 where one is not ok."""
    parser = argparse.ArgumentParser(description="Measure, each figure beside its baseline.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="fewer are for trials (default: %(default)s)"
    )
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(unknown)}")
    # rclone is installed beside Python, nginx where only root looks
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        parser.error(f"not installed: {', '.join(missing)} (tests/bench/run installs them)")
    fine = [_print(name, options.rounds) for name in options.rows or ROWS]
    return 0 if all(fine) else 1


def _print(name: str, rounds: int) -> bool:
    """Measure a row and print it; one that cannot be measured is not ok, and the others go on."""
    started = time.monotonic()
    try:
        row = ROWS[name](rounds)
    except Exception as error:  # noqa: BLE001 - whatever it is
        traceback.print_exc()
        row = {"error": f"{type(error).__name__}: {error}", "ok": False}
    took = {"rounds": rounds, "took_s": round(time.monotonic() - started)}
    sys.stdout.write(json.dumps({"row": name, **row, **took}) + "\n")
    sys.stdout.flush()
    return row["ok"] is True


if __name__ == "__main__":
    sys.exit(main())
