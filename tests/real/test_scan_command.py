"""`mpu-exporter scan` as a process, on stand-in S3 servers: what it tells, writes and ends with."""

import json
import re
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from docs.documents import ROOT, code, table
from prometheus_client.parser import text_string_to_metric_families
from servers import free_port, need, running, wait_until
from servers.commands import cells, command, run
from servers.exporter import serving, target
from servers.s3 import BUCKETS, PARTS, S3, UPLOADS, Fault, Part, Upload, error
from servers.standin import Reply, StandIn

DAY = 86400.0


def uploads(number: int, days: float, size: int = 100) -> list[Upload]:
    """Return uploads initiated so long ago, each with a part of a day later."""
    initiated = time.time() - days * DAY
    parts = [Part(1, size, initiated + DAY)]
    return [Upload(f"{n:06}", f"id-{n}", initiated, parts=parts) for n in range(number)]


@pytest.fixture
def s3() -> S3:
    s3 = S3()
    s3.buckets["media"] = uploads(1200, days=11)
    s3.buckets["big"] = uploads(1, days=3, size=5 * 2**30)
    s3.buckets["empty"] = []
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server
    assert s3.refused == []


def documented(head: str) -> set[str]:
    """Return the fields that a table of docs/http-api.md names."""
    text = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    return {name for cell, *_ in table(text, head, "type", "meaning") for name in code(cell)}


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


class TestTable:
    def test_each_bucket_has_a_row_for_people(self, server, tmp_path):
        done = run("scan", tmp_path, target("prod", server.url, "media", "big", "empty"))
        assert (done.returncode, done.stderr) == (0, "")
        rows = cells(done.stdout)
        assert rows["prod", "media"][:-1] == ["1,200", "117.2 KiB", "11d 0h", "1,200", "1,200", "10d 0h", "0"]
        assert rows["prod", "big"][:4] == ["1", "5.0 GiB", "3d 0h", "0"]
        assert rows["prod", "empty"][:4] == ["0", "0 B", "–", "0"]  # noqa: RUF001

    def test_what_fails_is_named_there_and_on_standard_error_and_the_rest_is_told(self, server, tmp_path):
        port = free_port()
        down = target("down", f"http://127.0.0.1:{port}", "unreachable")
        done = run("scan", tmp_path, down, target("prod", server.url, "missing", "big"))
        assert done.returncode == 2
        rows = cells(done.stdout)
        assert rows["down", "unreachable"][0].startswith("failed: connection: ")
        assert rows["prod", "missing"][0].startswith("failed: not_found: ")
        assert rows["prod", "big"][0] == "1"
        first, second = done.stderr.splitlines()
        assert first.startswith("down/unreachable: connection: ")
        assert str(port) in first
        assert second.startswith("prod/missing: not_found: ")

    def test_uploads_that_could_not_be_sized_are_counted_and_fail_nothing(self, s3, server, tmp_path):
        s3.faults.add(Fault(PARTS, on={1}, reply=lambda _: error(403, "AccessDenied")))
        done = run("scan", tmp_path, target("prod", server.url, "media"))
        assert done.returncode == 0
        assert cells(done.stdout)["prod", "media"][6] == "1"

    def test_a_key_gives_the_terminal_no_orders(self, s3, server, tmp_path):
        s3.faults.add(Fault(UPLOADS, reply=lambda _: error(403, "\x9b31mEvil", "\x7f\u202e\x9b2J")))
        done = run("scan", tmp_path, target("prod", server.url, "big"))
        assert done.returncode == 2
        assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())


class TestChoice:
    def test_only_the_named_targets_and_buckets_are_asked(self, server, tmp_path):
        targets = [target(name, server.url, "big", "empty") for name in ("one", "two", "three")]
        flags = ("--target=one", "--target=three", "--bucket=big")
        done = run("scan", tmp_path, *targets, flags=flags)
        assert list(cells(done.stdout)) == [("one", "big"), ("three", "big")]
        assert {request.path for request in server.requests} == {"/big", "/big/000000"}

    @pytest.mark.parametrize(
        ("flag", "message"),
        [
            ("--target=prd", "--target: no target is called 'prd'; the config has prod, test\n"),
            ("--bucket=bog", "--bucket: no bucket is called 'bog'; there is big, empty\n"),
        ],
    )
    def test_an_unknown_name_ends_with_1_and_names_the_known(self, server, tmp_path, flag, message):
        targets = [target(name, server.url, "big", "empty") for name in ("prod", "test")]
        done = run("scan", tmp_path, *targets, flags=(flag,))
        assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
        assert server.requests == []


class TestDiscovery:
    def finding(self, server: StandIn, **settings: object) -> dict[str, object]:
        made = target("prod", server.url, discover={"include": ["^b", "^e"], **settings})
        del made["buckets"]
        return made

    def test_buckets_are_found(self, server, tmp_path):
        done = run("scan", tmp_path, self.finding(server))
        assert (done.returncode, list(cells(done.stdout))) == (0, [("prod", "big"), ("prod", "empty")])

    @pytest.mark.parametrize(("name", "code"), [("big", 0), ("media", 1)])
    def test_a_named_one_has_to_be_among_them(self, server, tmp_path, name, code):
        done = run("scan", tmp_path, self.finding(server), flags=(f"--bucket={name}",))
        assert done.returncode == code
        if code:
            assert done.stderr == "--bucket: no target has a bucket called 'media'\n"

    def test_where_they_cannot_be_found_the_target_has_failed_as_a_whole(self, s3, server, tmp_path):
        s3.faults.add(Fault(BUCKETS, reply=lambda _: error(403, "AccessDenied")))
        done = run("scan", tmp_path, self.finding(server), flags=("--bucket=big",))
        assert done.returncode == 2
        assert cells(done.stdout)["prod", "(all)"][0].startswith(
            "failed: access_denied: ListBuckets: HTTP 403"
        )
        assert done.stderr.startswith("prod: access_denied: ListBuckets: ")

    def test_the_estimate_and_the_probe_find_them_too(self, s3, server, tmp_path):
        done = run("check", tmp_path, self.finding(server), flags=("--estimate",))
        assert done.returncode == 0
        assert "valid; targets: 1, buckets: 0, targets whose buckets are found: 1\n" in done.stdout
        assert list(cells(done.stdout.partition("\n")[2].partition("\n\n")[0]))[:2] == [
            ("prod", "big"),
            ("prod", "empty"),
        ]
        s3.faults.add(Fault(BUCKETS, reply=lambda _: error(403, "AccessDenied")))
        done = run("check", tmp_path, self.finding(server), flags=("--probe",))
        assert done.returncode == 2
        row = done.stdout.splitlines()[2].split()
        assert row == ["prod", "(all)", "ListBuckets", "access_denied", "s3:ListAllMyBuckets", "on", "*"]


class TestJson:
    def test_it_is_exact(self, server, tmp_path):
        done = run("scan", tmp_path, target("prod", server.url, "big"), flags=("--format=json",))
        document = json.loads(done.stdout)
        [entry] = document["buckets"]
        assert document.keys() == documented("field of `scan`")
        assert entry.keys() == documented("field of its buckets") - {"reason"}
        assert abs(time.time() - document["time"]) < 120
        assert entry["finished"] <= document["time"]
        assert (entry["target"], entry["store"], entry["bucket"]) == ("prod", "s3", "big")
        assert (entry["success"], entry["message"], entry["requests"]) == (True, None, 2)
        values = entry["values"]
        assert (values["uploads"], values["bytes"], values["parts"]) == (1, 5 * 2**30, 1)
        assert abs(document["time"] - values["oldest_initiated"] - 3 * DAY) < 120
        assert values["bytes_by_class"] == {"STANDARD": 5 * 2**30}
        assert [age["at_most_seconds"] for age in values["ages"]][-2:] == [2592000.0, None]
        assert sum(age["uploads"] for age in values["ages"]) == 1

    def test_its_values_are_called_what_the_api_calls_them(self, server, tmp_path):
        watched = target("prod", server.url, "big")
        done = run("scan", tmp_path, watched, flags=("--format=json",))
        [entry] = json.loads(done.stdout)["buckets"]
        with serving(tmp_path, {"targets": [watched]}) as exporter:
            exporter.wait_tried("big")
            [told] = json.loads(exporter.text("/api/v1/targets"))["data"]["targets"]
        [bucket] = told["buckets"]
        assert bucket["values"] == entry["values"]

    def test_a_failure_has_its_reason_and_no_numbers(self, server, tmp_path):
        done = run("scan", tmp_path, target("prod", server.url, "missing"), flags=("--format=json",))
        [entry] = json.loads(done.stdout)["buckets"]
        assert (done.returncode, entry["success"], entry["reason"]) == (2, False, "not_found")
        assert "NoSuchBucket" in entry["message"]
        assert entry.keys() == {"target", "store", "bucket", "success", "reason", "message"}


def families(text: str) -> dict[str, set[tuple[str, ...]]]:
    """Return the sample names of our own families, and the buckets they are of."""
    return {
        family.name: {(sample.name, sample.labels.get("bucket", "")) for sample in family.samples}
        for family in text_string_to_metric_families(text)
        if family.name.startswith("mpu_")
    }


class TestPrometheus:
    def test_promtool_takes_it_for_metrics(self, server, tmp_path):
        need("promtool")
        done = run(
            "scan", tmp_path, target("prod", server.url, "media", "missing"), flags=("--format=prometheus",)
        )
        check = subprocess.run(
            ["promtool", "check", "metrics"],
            input=done.stdout,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (check.returncode, check.stdout, check.stderr) == (0, "", "")

    def test_it_has_what_serve_shows_of_buckets_and_targets(self, server, tmp_path):
        watched = target("prod", server.url, "media", "missing")
        done = run("scan", tmp_path, watched, flags=("--format=prometheus",))
        found = families(done.stdout)
        with serving(tmp_path, {"targets": [watched]}) as exporter:
            exporter.wait_tried("media", "missing")
            shown = families(exporter.text())
        shown["mpu_scan_duration_seconds"].discard(("mpu_scan_duration_seconds", "missing"))
        # what counts on from scan to scan has no meaning in one, nor have reloads and shards
        left_out = {name for name in shown if name.startswith(("mpu_shard", "mpu_config_last_reload"))}
        left_out |= {
            name for name, samples in shown.items() if any(each.endswith("_total") for each, _ in samples)
        }
        kept = {name: samples for name, samples in shown.items() if samples and name not in left_out}
        assert {name: samples for name, samples in found.items() if samples} == kept
        assert {"mpu_scan_interval_seconds", "mpu_exporter_build_info", "mpu_target_info"} < found.keys()
        assert (
            'mpu_scan_failing{bucket="missing",reason="not_found",store="s3",target="prod"} 1.0'
            in done.stdout
        )
        assert "process_" not in done.stdout


class TestOutput:
    def test_the_file_is_written_as_a_whole_and_may_be_read_by_others(self, server, tmp_path):
        flags = ("--format=prometheus", "--output=mpu.prom")
        done = run("scan", tmp_path, target("prod", server.url, "big"), flags=flags)
        assert (done.returncode, done.stdout) == (0, "")
        file = tmp_path / "mpu.prom"
        assert "mpu_pending_bytes{" in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert names(tmp_path) == ["config.yaml", "mpu.prom"]

    def test_a_file_that_is_there_keeps_its_mode_and_readers_of_the_old_one_keep_that(self, server, tmp_path):
        file = tmp_path / "mpu.prom"
        file.write_text("old\n")
        file.chmod(0o640)
        with file.open() as reader:
            run("scan", tmp_path, target("prod", server.url, "big"), flags=("--output=mpu.prom",))
            assert reader.read() == "old\n"
        assert file.read_text().startswith("target ")
        assert stat.S_IMODE(file.stat().st_mode) == 0o640

    def test_what_is_no_file_is_simply_written_to(self, server, tmp_path):
        flags = ("--format=json", "--output=/dev/stdout")
        done = run("scan", tmp_path, target("prod", server.url, "big"), flags=flags)
        assert json.loads(done.stdout)["buckets"][0]["values"]["uploads"] == 1

    def test_a_folder_that_is_not_there_is_told_before_anything_is_asked(self, server, tmp_path):
        done = run("scan", tmp_path, target("prod", server.url, "big"), flags=("--output=no/such/file",))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "--output: no/such/file: there is no folder no/such to write to\n"
        assert server.requests == []

    def test_who_has_seen_enough_may_go(self, server, tmp_path):
        line = command("scan", tmp_path, target("prod", server.url, "big"))
        script = f"{' '.join(line)} | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout in {"141\n", "0\n"}  # 0 where it wrote before the pipe was closed
        assert done.stderr == ""


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_one_in_the_middle_leaves_no_trace(self, s3, server, tmp_path, number):
        s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, hang=True)))
        file, log = tmp_path / "mpu.prom", tmp_path / "log"
        file.write_text("old\n")
        line = command("scan", tmp_path, target("hangs", server.url, "media"), flags=(f"--output={file}",))
        with running(line, log) as process:
            wait_until("listing", lambda: len(server.requests) > 0, log=log)
            process.send_signal(number)
            assert process.wait(20) == 128 + number
        assert log.read_text() == ""
        assert file.read_text() == "old\n"
        assert names(tmp_path) == ["config.yaml", "log", "mpu.prom"]


def test_targets_are_scanned_side_by_side_and_buckets_by_their_workers(s3, server, tmp_path):
    buckets = [f"b{n}" for n in range(4)]
    for name in buckets:
        s3.buckets[name] = []
    together = threading.Barrier(8, timeout=60)

    def once_all_ask(reply: Reply) -> Reply:
        together.wait()
        return reply

    s3.faults.add(Fault(UPLOADS, reply=once_all_ask))
    scan = {"workers": 4, "request_timeout": "60s"}
    wide, other = (target(name, server.url, *buckets, scan=scan) for name in ("wide", "other"))
    done = run("scan", tmp_path, wide, other)
    assert done.returncode == 0
    assert len(cells(done.stdout)) == 8
    assert re.fullmatch(r"(.*\n){9}", done.stdout)


def test_as_many_calls_are_made_at_once_as_files_may_be_open(s3, tmp_path):
    s3.buckets = {"media": uploads(200, days=11)}
    with StandIn(lambda request: replace(s3(request), delay_before_headers=0.05)) as server:
        watched = target("prod", server.url, "media", scan={"concurrency": 300, "workers": 1})
        line = command("scan", tmp_path, watched, flags=("--format=json",))
        few = ["sh", "-c", 'ulimit -Sn 32; ulimit -Hn 160; exec "$@"', "sh", *line]
        done = subprocess.run(few, capture_output=True, text=True, timeout=60, check=False)
    [entry] = json.loads(done.stdout)["buckets"]
    assert (done.returncode, entry["success"], entry["message"]) == (0, True, None)
    assert done.stderr.count("too few files may be open") == 1
