"""`mpu-exporter serve` with a state file: restarts carry on, and two processes never share it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from servers import running, wait_until
from servers.exporter import Exporter, serving, target
from servers.s3 import EPOCH, S3, UPLOADS, Fault, Part, Upload
from servers.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 40
SIZED = ("mpu_uploads_in_progress", "mpu_pending_bytes", "mpu_scan_last_success_timestamp_seconds")


@pytest.fixture
def s3() -> S3:
    """Return a server's state: uploads that have been idle for years."""
    s3 = S3()
    s3.buckets["media"] = [
        Upload(f"key-{n:02}", f"id-{n:02}", initiated=EPOCH + n, parts=[Part(1, 100 + n)])
        for n in range(COUNT)
    ]
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server


@pytest.fixture
def config(server: StandIn, tmp_path: Path) -> dict[str, object]:
    watched = target("prod", server.url, "media", scan={"interval": "1h", "retries": 0})
    return {"state": {"path": str(tmp_path / "state.db")}, "targets": [watched]}


def folder(tmp_path: Path, name: str) -> Path:
    """Return a folder of one exporter's own, for its config and its log."""
    made = tmp_path / name
    made.mkdir()
    return made


def values(exporter: Exporter) -> list[float | None]:
    samples = exporter.samples()
    return [samples.get((name, "media")) for name in SIZED]


def parts_asked(server: StandIn) -> int:
    return sum("uploadId" in request.query for request in server.requests)


def status_of(exporter: Exporter, path: str) -> int:
    try:
        with urllib.request.urlopen(exporter.url + path, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_restart_shows_the_last_results_at_once_and_asks_no_burst(
    s3: S3, server: StandIn, config: dict[str, object], tmp_path: Path, how: str
):
    known = run_until_scanned(config, folder(tmp_path, "first"), how)
    assert known[:2] == [COUNT, sum(100 + n for n in range(COUNT))]
    assert parts_asked(server) == COUNT
    hang = Fault(UPLOADS, reply=lambda reply: replace(reply, hang=True))
    s3.faults.add(hang)
    with serving(folder(tmp_path, "second"), config) as exporter:
        wait_until("results", lambda: values(exporter) == known, seconds=20, log=exporter.log)
        assert ("mpu_scan_success", "media") not in exporter.samples()
        assert status_of(exporter, "/-/ready") == 200
        assert "not scanned</span><small>since the start</small>" in exporter.text("/")
    s3.faults.clear()
    with serving(folder(tmp_path, "third"), config) as exporter:
        exporter.wait_tried("media")
        assert values(exporter)[:2] == known[:2]
        assert values(exporter)[2] > known[2]
        assert f'mpu_api_requests_saved_total{{target="prod"}} {float(COUNT)}' in exporter.text()
    assert parts_asked(server) == COUNT


def run_until_scanned(config: dict[str, object], place: Path, how: str) -> list[float | None]:
    """Run an exporter until its first scan has ended; return what it showed."""
    file, log = place / "config.yaml", place / "exporter.log"
    file.write_text(json.dumps(config))
    command = [sys.executable, "-m", "exporter", f"--config.file={file}", "--web.listen-address=127.0.0.1:0"]
    with running(command, log) as process:
        wait_until("start", lambda: b"is listening" in log.read_bytes(), log=log)
        port = log.read_text().partition("port=")[2].split()[0]
        exporter = Exporter(f"http://127.0.0.1:{port}", log, process)
        exporter.wait_tried("media")
        known = values(exporter)
        process.kill() if how == "SIGKILL" else process.terminate()
        process.wait(10)
    return known


def test_a_second_process_waits_serving_and_takes_over(
    server: StandIn, config: dict[str, object], tmp_path: Path
):
    with serving(folder(tmp_path, "first"), config) as first:
        first.wait_tried("media")
        known = values(first)
        asked = len(server.requests)
        with serving(folder(tmp_path, "second"), config) as second:
            waits = "the state file is used by another process: waiting for it"
            wait_until("the wait", lambda: waits in second.log.read_text(), log=second.log)
            assert [status_of(second, path) for path in ("/-/healthy", "/-/ready", "/metrics")] == [
                200,
                503,
                200,
            ]
            assert (values(second), len(server.requests)) == ([None] * 3, asked)
            first.process.terminate()
            second.wait_tried("media")
            assert values(second)[:2] == known[:2]
            assert parts_asked(server) == COUNT
    assert first.process.returncode == 0


def test_a_process_that_waits_ends_when_told_to(config: dict[str, object], tmp_path: Path):
    with serving(folder(tmp_path, "first"), config) as first:
        first.wait_tried("media")
        with serving(folder(tmp_path, "second"), config) as second:
            wait_until("the wait", lambda: "waiting for it" in second.log.read_text(), log=second.log)
            second.process.terminate()
            assert second.process.wait(5) == 0


def test_a_process_that_waited_in_vain_says_so_and_exits_1(config: dict[str, object], tmp_path: Path):
    """The wait of a minute is made a short one."""
    code = "import sys; from exporter.state.database import StateDatabase"
    code += "; StateDatabase.open.__kwdefaults__['wait'] = 0.5"
    code += "; from exporter.cli.main import main; sys.exit(main(sys.argv[1:]))"
    with serving(folder(tmp_path, "first"), config) as first:
        first.wait_tried("media")
        file = tmp_path / "first" / "config.yaml"
        command = [sys.executable, "-c", code, f"--config.file={file}", "--web.listen-address=127.0.0.1:0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    path = tmp_path / "state.db"
    last = f"state.path: {path} is used by another process: each needs a file of its own"
    assert done.stderr.splitlines()[-1] == last


def test_a_folder_that_is_gone_is_said_before_anything_is_served(config: dict[str, object], tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({**config, "state": {"path": "gone/state.db"}}))
    command = [sys.executable, "-m", "exporter", f"--config.file={file}", "--web.listen-address=127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    expected = f"{file}:1: state.path: its folder is not there: make it, or name another\n"
    assert (done.returncode, done.stderr) == (1, expected)
