"""Runs the fuzzing programs one after the other, each in a process of its own, and prints what came of it."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PROGRAMS = ("xml_pages", "glacier_pages", "scans", "config_file", "web_config_file", "http_requests")
_STATUS = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)", re.MULTILINE)


class Outcome(NamedTuple):
    """What one program did, as libFuzzer tells it; `findings` are all in its folder, of earlier runs too."""

    program: str
    seconds: float
    executions: int
    edges: int
    features: int
    inputs: int
    size: str
    findings: int

    def __str__(self) -> str:
        """Return the summary line."""
        return (
            f"{self.program}: {self.executions:,} executions in {self.seconds:,.0f} s, corpus of"
            f" {self.inputs:,} inputs ({self.size}), {self.edges:,} edges and"
            f" {self.features:,} features covered, {self.findings} findings"
        )


def run(program: str, folder: Path, seconds: int) -> Outcome:
    """Run one program; log, findings and the corpus, which is kept, are in a folder of its name."""
    home = folder / program
    home.mkdir(parents=True, exist_ok=True)
    log = home / "log"
    command = [sys.executable, "-m", "soak.fuzz.program", program, str(home), str(seconds)]
    start = time.monotonic()
    with log.open("wb") as output:
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    took = time.monotonic() - start
    counts = _STATUS.findall(log.read_text(errors="replace")) or [("0", "0", "0", "0", "0b")]
    executions, edges, features, inputs, size = counts[-1]
    findings = len(list((home / "findings").glob("*.input"))) + (status != 0)
    return Outcome(program, took, int(executions), int(edges), int(features), int(inputs), size, findings)


def main() -> int:
    """Return 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="tests/soak/fuzz/run")
    parser.add_argument("program", nargs="*", choices=[[], *PROGRAMS], default=[])
    parser.add_argument("--seconds", type=int, default=3600, help="time for each program")
    parser.add_argument("--folder", type=Path, required=True, help="where corpora, logs and findings go")
    options = parser.parse_args()
    found = 0
    for program in options.program or PROGRAMS:
        outcome = run(program, options.folder, options.seconds)
        print(outcome, flush=True)  # noqa: T201
        found += outcome.findings
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
