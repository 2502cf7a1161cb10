"""Processes of their own: what one costs from its start to its end, and one that scans a bucket once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.measure import Cost
from bench.ours import write_config
from bench.pages import Bucket

SCAN = Path(__file__).with_name("scanonce.py")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
"""Of a process that is to find no settings of whoever runs the benchmarks."""
LEDGER_SCAN = Path(__file__).with_name("ledgeronce.py")


def run(
    command: list[str], output: Path, env: Mapping[str, str] | None = None, *, errors: bool = False
) -> Cost:
    """Run a command to its end, its output into a file; raises RuntimeError where it fails.

    With `errors` what it writes to standard error goes there, too.
    """
    other = subprocess.STDOUT if errors else None
    started = time.perf_counter()
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=other, env=env) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: exit code {process.returncode}")
    return Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime)


def scan(folder: Path, target: dict[str, object], bucket: Bucket) -> Cost:
    """Run a process that loads a config and scans its bucket; its report is in `scan.json`."""
    file = write_config(folder, target)
    return run([sys.executable, str(SCAN), str(file), str(bucket.uploads)], folder / "scan.json")


def ledger_scan(
    folder: Path, target: dict[str, object], bucket: Bucket, now: str, *state: str
) -> dict[str, float]:
    """Run a process as `ledgeronce.py` describes it, and return its report."""
    file, output = write_config(folder, target), folder / "ledger.json"
    arguments = [str(file), str(bucket.uploads), str(bucket.parts), now, *state]
    run([sys.executable, str(LEDGER_SCAN), *arguments], output)
    return json.loads(output.read_text(encoding="utf-8"))
