"""The log of the exporter as a process: a line a scan, one for failures that are the same, and their end."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

from servers import wait_until
from servers.exporter import serving, target
from servers.s3 import S3, UPLOADS, Fault, error
from servers.standin import StandIn


def test_failures_that_repeat_make_one_line_and_their_end_another(tmp_path: Path):
    s3 = S3()
    s3.buckets["media"] = []
    s3.faults.add(Fault(UPLOADS, reply=lambda _: error(403, "AccessDenied", "No.\nlevel=error msg=forged")))
    with StandIn(s3) as server:
        config = {"scan": {"interval": "1s", "retries": 0}, "targets": [target("prod", server.url, "media")]}
        with serving(tmp_path, config, "--log.format=json") as exporter:

            def told(message: str) -> list[dict[str, object]]:
                lines = map(json.loads, exporter.log.read_text().splitlines())
                return [line for line in lines if line["msg"] == message]

            wait_until("failures", lambda: len(server.requests) >= 5, log=exporter.log)
            [failed] = told("scan failed")
            s3.faults.clear()
            wait_until("a recovery", lambda: bool(told("scans succeed again")), log=exporter.log)
            wait_until("a scan", lambda: bool(told("scan finished")), log=exporter.log)
            [recovered], [finished, *_] = told("scans succeed again"), told("scan finished")
    assert (recovered["requests"], recovered["uploads"]) == (1, 0)
    assert failed.keys() >= {"target", "bucket", "reason", "duration", "requests", "error"}
    assert (failed["level"], failed["reason"], failed["requests"]) == ("error", "access_denied", 1)
    assert recovered["failures"] >= 4
    assert (finished["level"], finished["requests"], finished["uploads"]) == ("info", 1, 0)


def test_scans_go_on_though_nobody_reads_the_log_and_it_is_whole_in_the_end(tmp_path: Path):
    """Python's buffer is switched on: its lock is what all threads would wait for."""
    s3 = S3()
    s3.buckets |= {f"bucket-{number}": [] for number in range(20)}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    file = tmp_path / "config.yaml"
    line = [sys.executable, "-m", "exporter", f"--config.file={file}", "--web.listen-address=127.0.0.1:0"]
    with StandIn(s3) as server:
        targets = [target("prod", server.url, *s3.buckets)]
        file.write_text(json.dumps({"scan": {"interval": "1s", "retries": 0}, "targets": targets}))
        with subprocess.Popen(line, stderr=subprocess.PIPE, env=environment) as exporter:
            try:
                fcntl.fcntl(exporter.stderr, fcntl.F_SETPIPE_SZ, 4096)
                wait_until("scans", lambda: len(server.requests) >= 60, seconds=20)
                exporter.terminate()
                log = exporter.stderr.read().decode().splitlines()
                assert exporter.wait(10) == 0
            finally:
                exporter.kill()
    assert 'msg="mpu-exporter has stopped"' in log[-1]
    assert sum('msg="scan finished"' in each for each in log) >= 40
