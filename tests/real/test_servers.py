"""The servers that other tests rely on do what those tests take for granted."""

import html
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from botocore.exceptions import ClientError
from servers import listens, need, running, wait_until
from servers.ceph import MPU, OTHER, Ceph, User, cluster
from servers.fill import BIG, Truth, fill, odd_keys
from servers.prometheus import Prometheus
from servers.promtool import promtool_check_metrics


class TestProcesses:
    def test_a_missing_program_skips_the_test_but_fails_it_in_ci(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="not installed: no-such-program"):
            need("sh", "no-such-program")
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="not installed: no-such-program"):
            need("sh", "no-such-program")

    def test_a_server_ends_with_its_block(self, tmp_path: Path):
        with running(["sleep", "60"], tmp_path / "log") as server:
            assert server.poll() is None
        assert server.poll() == -9

    def test_a_server_dies_with_a_killed_test_run(self, tmp_path: Path):
        program = (
            "import os, sys, pathlib, servers\n"
            "with servers.running(['sleep', '60'], pathlib.Path(sys.argv[1])) as server:\n"
            "    servers.wait_until('sleep', lambda: name(server.pid) == 'sleep')\n"
            "    print(server.pid, flush=True)\n"
            "    os.kill(os.getpid(), 9)\n"
        )
        name = "def name(pid): return pathlib.Path(f'/proc/{pid}/comm').read_text().strip()\n"
        tests = Path(__file__).parents[1]
        command = [sys.executable, "-c", name + program, str(tmp_path / "log")]
        run = subprocess.run(command, cwd=tests, capture_output=True, text=True, timeout=60, check=False)
        state = Path(f"/proc/{int(run.stdout)}/stat")
        wait_until("end of sleep", lambda: not state.exists() or " Z " in state.read_text(), seconds=10)

    def test_no_two_processes_get_the_same_free_port(self):
        program = "import servers; print(*(servers.free_port() for _ in range(400)), flush=True); input()"
        command, tests = [sys.executable, "-c", program], Path(__file__).parents[1]
        with (
            subprocess.Popen(command, cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one,
            subprocess.Popen(command, cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
        ):
            ports = [set(process.stdout.readline().split()) for process in (one, other)]
            one.communicate(b"\n")
            other.communicate(b"\n")
        assert [len(each) for each in ports] == [400, 400]
        assert ports[0].isdisjoint(ports[1])

    def test_a_wait_that_fails_shows_the_end_of_the_log(self, tmp_path: Path):
        log = tmp_path / "log"
        log.write_text("cannot bind")
        with pytest.raises(TimeoutError, match="the server: not within 0 s\ncannot bind"):
            wait_until("the server", lambda: False, seconds=0, log=log)


class TestCeph:
    def test_its_own_count_follows_the_uploads(self, ceph: Ceph, ceph_bucket: str):
        assert ceph.oracle(ceph_bucket) == 0
        made = fill(ceph.client(), ceph_bucket, ["a", "a", "b"])
        assert ceph.oracle(ceph_bucket) == 3
        ceph.client().abort_multipart_upload(Bucket=ceph_bucket, Key="a", UploadId=made[0].upload_id)
        assert ceph.oracle(ceph_bucket) == 2

    @pytest.mark.parametrize(
        ("user", "code"),
        [
            (replace(MPU, secret_key="wrong"), "SignatureDoesNotMatch"),
            (replace(MPU, access_key="unknown"), "InvalidAccessKeyId"),
            (OTHER, "AccessDenied"),
        ],
    )
    def test_who_has_no_right_is_refused(self, ceph: Ceph, ceph_bucket: str, user: User, code: str):
        with pytest.raises(ClientError) as refused:
            ceph.client(user).list_multipart_uploads(Bucket=ceph_bucket)
        assert refused.value.response["Error"]["Code"] == code

    def test_a_second_one_runs_beside_the_first_and_leaves_nothing(self, ceph: Ceph, ceph_bucket: str):
        with cluster() as second:
            assert second.client().list_buckets()["Buckets"] == []
            assert ceph.oracle(ceph_bucket) == 0
            folder, port = second.conf.parent, int(second.endpoint_url.rpartition(":")[2])
            assert processes_of(folder) == {"ceph-mon", "ceph-osd", "radosgw"}
        assert processes_of(folder) == set()
        assert not folder.exists()
        assert not listens(port)


class TestFill:
    def test_odd_keys_are_many_different_and_always_the_same(self):
        keys = odd_keys(3_000)
        assert len(set(keys)) == 3_000
        assert keys[:200] == odd_keys(200)
        assert max(len(key.encode()) for key in keys) <= 1_024

    def test_ceph_holds_the_very_keys_and_parts_that_were_sent(self, ceph: Ceph, ceph_bucket: str):
        client = ceph.client()
        made = fill(client, ceph_bucket, odd_keys(200), lambda n: {1: n % 3, 7: 100} if n % 2 else {})
        assert {upload.key for upload in made} == set(keys_listed(ceph, ceph_bucket))
        for upload in made[:100]:
            if not upload.parts or not upload.key.isprintable():
                continue
            listed = client.list_parts(Bucket=ceph_bucket, Key=upload.key, UploadId=upload.upload_id)["Parts"]
            assert {part["PartNumber"]: part["Size"] for part in listed} == upload.parts

    def test_the_big_bucket_is_what_it_says(self, ceph: Ceph, big_bucket: Truth):
        counts = [len(upload.parts) for upload in big_bucket.uploads]
        assert {number: counts.count(number) for number in set(counts)} == {0: 720, 1: 360, 3: 118, 1200: 2}
        assert big_bucket.parts == sum(counts)
        assert ceph.oracle(big_bucket.bucket) == len(counts) == BIG
        assert sum(upload.key == "one key, many uploads" for upload in big_bucket.uploads) == 150
        client, first = ceph.client(), big_bucket.uploads[0]
        [oldest] = client.list_multipart_uploads(Bucket=big_bucket.bucket, Prefix=first.key)["Uploads"]
        assert (oldest["UploadId"], oldest["Initiated"]) == (first.upload_id, big_bucket.oldest)


class TestPrometheus:
    def test_it_scrapes_and_answers(self, prometheus: Callable[[str], Prometheus]):
        with ThreadingHTTPServer(("127.0.0.1", 0), OneMetric) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            address = f"127.0.0.1:{server.server_port}"
            asked = prometheus(f"http://{address}/some/path")
            asked.wait_for("up", lambda found: [value for _, value in found] == [1.0])
            labels = {"__name__": "answer", "instance": address, "job": "test", "path": "/some/path"}
            assert asked.query("answer") == [(labels, 42.0)]
            server.shutdown()
        asked.wait_for("up == 0")
        with pytest.raises(TimeoutError, match="the last answer was"):
            asked.wait_for("up == 1", timeout=0)

    def test_the_linter_finds_a_bad_metric_and_only_that(self):
        good = "# HELP things_total Things.\n# TYPE things_total counter\nthings_total 1\n"
        assert promtool_check_metrics(good) == ""
        assert "things_total" in promtool_check_metrics(good.replace("counter", "gauge"))
        assert promtool_check_metrics("no exposition") != ""


def processes_of(folder: Path) -> set[str]:
    """Name the running programs whose command line mentions this folder."""
    lines = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(command.read_text(errors="replace").split("\0"))
        except OSError:  # ended meanwhile
            continue
    return {line[0] for line in lines if any(str(folder) in argument for argument in line)}


def keys_listed(ceph: Ceph, bucket: str) -> list[str]:
    """List a bucket's one page of keys without an XML reader, which would refuse some of them."""
    url = ceph.client().generate_presigned_url("list_multipart_uploads", Params={"Bucket": bucket})
    with urllib.request.urlopen(url, timeout=60) as answer:
        page = answer.read().decode()
    found = re.findall(r"<Key>(.*?)</Key>", page, re.DOTALL)
    # By number first: html.unescape() drops the references that XML forbids.
    return [
        re.sub(r"&#x(\w+);|&\w+;", lambda ref: chr(int(ref[1], 16)) if ref[1] else html.unescape(ref[0]), key)
        for key in found
    ]


class OneMetric(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f'# TYPE answer gauge\nanswer{{path="{self.path}"}} 42\n'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object):
        """Say nothing."""
