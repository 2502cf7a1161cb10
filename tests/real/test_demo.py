"""The demo as a newcomer meets it: one command, a few hundred uploads, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import need, wait_until
from servers.exporter import Exporter

from exporter.cli.demo.uploads import BUCKETS, GROWING

PLANNED = {bucket: len(plans) + (GROWING if bucket == "media" else 0) for bucket, plans in BUCKETS.items()}
PLANNED_BYTES = {bucket: sum(parts * size for _, parts, size in plans) for bucket, plans in BUCKETS.items()}


def processes_of(session: int) -> set[int]:
    """Return the processes of a session and of all the sessions that it started, by their parents."""
    parents: dict[int, int] = {}
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, of_session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # ended meanwhile
            continue
        pid = int(stat.parent.name)
        if state == "Z":
            continue
        parents[pid] = int(parent)
        if int(of_session) == session:
            found.add(pid)
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found}
        grown = not children <= found
        found |= children
    return found


@dataclass
class Demo:
    """A running demo: its process, what it prints, and the folder its temporary files go to."""

    process: subprocess.Popen[bytes]
    output: Path
    temporary: Path

    @property
    def printed(self) -> str:
        return self.output.read_text()

    def gauges(self, name: str) -> dict[str, float]:
        """Return a metric's value of each bucket."""
        address = re.search(r"^ {2}Metrics +(http://\S+)/metrics$", self.printed, re.MULTILINE)
        assert address, self.printed
        samples = Exporter(address[1], self.output, self.process).samples()
        return {bucket: value for (metric, bucket), value in samples.items() if metric == name}

    def end(self, number: int = signal.SIGINT) -> float:
        """Send a signal and return the seconds until the demo has ended, with exit code 0."""
        started = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(20) == 0, self.printed
        return time.monotonic() - started

    def assert_nothing_left(self, before: set[int]) -> None:
        wait_until("ends", lambda: not any(Path(f"/proc/{pid}").exists() for pid in before), seconds=5)
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Start a demo; what a failed test leaves of it is killed."""
    output, temporary = tmp_path / "output", tmp_path / "tmp"
    temporary.mkdir()
    # what the user's SDK is set up with is no concern of the demo
    sdk = {"AWS_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": "", "AWS_PROFILE": "nowhere"}
    environment = {**os.environ, **sdk, "TMPDIR": str(temporary)}
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        yield Demo(process, output, temporary)
    finally:
        left = processes_of(process.pid) if process.poll() is None else set()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        process.wait()


def test_the_demo_shows_what_it_made_and_leaves_nothing(demo: Demo):
    wait_until("greeting", lambda: "Ctrl-C ends the demo" in demo.printed, log=demo.output)
    assert f"{sum(PLANNED.values())} uploads in {len(PLANNED)} buckets" in demo.printed

    wait_until("first scans", lambda: demo.gauges("mpu_uploads_in_progress") == PLANNED, log=demo.output)
    sizes = demo.gauges("mpu_pending_bytes")
    assert {bucket: sizes[bucket] for bucket in PLANNED if bucket != "media"} == {
        bucket: size for bucket, size in PLANNED_BYTES.items() if bucket != "media"
    }
    assert sizes["media"] > PLANNED_BYTES["media"]
    assert set(demo.gauges("mpu_scan_success").values()) == {1.0}
    assert set(demo.gauges("mpu_unsized_uploads").values()) == {0.0}

    wait_until("growth", lambda: demo.gauges("mpu_pending_bytes")["media"] > sizes["media"], log=demo.output)
    assert demo.gauges("mpu_uploads_in_progress") == PLANNED

    need("curl", "grep")
    [line] = re.findall(r"^ +(curl .*)$", demo.printed, re.MULTILINE)
    shown = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30, check=True).stdout
    assert all(row.startswith("mpu_") for row in shown.splitlines())
    assert 'mpu_uploads_in_progress{bucket="backups",store="s3",target="demo"} 24.0' in shown

    left = {bucket: count for bucket, count in PLANNED.items() if bucket != "media"}
    left["media"] = len(BUCKETS["media"])  # the growing ones are not stale
    wait_until("staleness", lambda: demo.gauges("mpu_stale_uploads") == left, log=demo.output)

    running = processes_of(demo.process.pid)
    assert len(running) >= 2
    assert demo.end(signal.SIGINT) < 5
    demo.assert_nothing_left(running)
    assert "Traceback" not in demo.printed
    assert "level=error" not in demo.printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_also_when_ended_while_it_still_starts(demo: Demo, number: int):
    wait_until("start", lambda: "starting an S3 server" in demo.printed, log=demo.output)
    running = processes_of(demo.process.pid)
    assert demo.end(number) < 5
    demo.assert_nothing_left(running)
    assert "Traceback" not in demo.printed


def test_it_says_why_its_server_does_not_start(tmp_path: Path):
    """A stand-in for a broken installation: a hypercorn that ends at once."""
    (tmp_path / "hypercorn.py").write_text("raise SystemExit('this hypercorn is broken')\n")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "the demo's server did not start: this hypercorn is broken" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(temporary.iterdir()) == []
