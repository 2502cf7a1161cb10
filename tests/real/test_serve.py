"""`mpu-exporter serve` as a process: several targets, broken ones among them, on stand-in S3 servers."""

import json
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from servers import free_port, wait_until
from servers.exporter import SECRET_KEY, Exporter, serving, target
from servers.promtool import promtool_check_metrics
from servers.s3 import EPOCH, PARTS, S3, UPLOADS, Fault, Part, Upload
from servers.standin import Reply, StandIn

SECRETS = (SECRET_KEY, "s3cr3t-of-the-proxy", "a-wrong-secret-key")
LOGIN = Reply(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Please log in</title>")
Serve = Callable[..., Exporter]


@pytest.fixture
def s3() -> S3:
    """Return a server's state with two buckets in it."""
    s3 = S3()
    s3.buckets["media"] = [
        Upload("a", "1", parts=[Part(1, 100), Part(2, 50)]),
        Upload("a", "2", initiated=EPOCH + 3600),
        Upload("b", "3", initiated=EPOCH + 60, parts=[Part(7, 1000)], storage_class="STANDARD_IA"),
    ]
    s3.buckets["empty"] = []
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server
    assert s3.refused == []


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that runs an exporter of the targets it is given; it ends with the test."""
    with ExitStack() as started:

        def start(*targets: dict[str, object], flags: tuple[str, ...] = (), **settings: object) -> Exporter:
            scan = {"retries": 0, "request_timeout": "5s"}
            config = {"scan": scan, **settings, "targets": targets}
            return started.enter_context(serving(tmp_path, config, *flags))

        yield start


def lines(exporter: Exporter, message: str) -> list[str]:
    return [line for line in exporter.log.read_text().splitlines() if f'msg="{message}"' in line]


class TestNumbers:
    def test_what_is_served_is_what_the_server_holds(self, server: StandIn, serve: Serve):
        exporter = serve(target("prod", server.url, "media", "empty"))
        samples = exporter.wait_tried("media", "empty")
        assert samples["mpu_uploads_in_progress", "media"] == 3
        assert samples["mpu_pending_bytes", "media"] == 1150
        assert samples["mpu_pending_parts", "media"] == 3
        assert samples["mpu_fullest_upload_parts", "media"] == 2
        assert samples["mpu_empty_uploads", "media"] == 1
        assert samples["mpu_oldest_initiated_timestamp_seconds", "media"] == EPOCH
        assert samples["mpu_scan_complete", "media"] == 1
        assert samples["mpu_uploads_in_progress", "empty"] == samples["mpu_pending_bytes", "empty"] == 0
        assert ("mpu_oldest_initiated_timestamp_seconds", "empty") not in samples
        assert exporter.text("/-/ready") == "mpu-exporter is ready.\n"
        assert promtool_check_metrics(exporter.text()) == ""

    def test_serve_need_not_be_said(self, server: StandIn, tmp_path: Path):
        config = {"targets": [target("prod", server.url, "media")]}
        with serving(tmp_path, config, command=()) as exporter:
            log = exporter.log
            wait_until("first scan", lambda: "scan finished" in log.read_text(), log=log)
            assert ">media<" in exporter.text("/")

    def test_the_metrics_live_where_the_flag_says(self, server: StandIn, serve: Serve):
        exporter = serve(target("prod", server.url, "media"), flags=("--web.telemetry-path=/probe",))
        assert "mpu_exporter_build_info" in exporter.text("/probe")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            exporter.text("/metrics")

    def test_the_log_may_be_json_and_has_a_line_for_each_address(self, server: StandIn, serve: Serve):
        flags = ("--log.format=json", "--web.listen-address=127.0.0.2:0")
        exporter = serve(target("prod", server.url, "media"), flags=flags)
        exporter.wait_tried("media")
        wait_until("log", lambda: "scan finished" in exporter.log.read_text())
        told = [json.loads(line) for line in exporter.log.read_text().splitlines()]
        [scan] = [line for line in told if line["msg"] == "scan finished"]
        assert (scan["target"], scan["bucket"], scan["uploads"], scan["bytes"]) == ("prod", "media", 3, 1150)
        listening = [line for line in told if line["msg"] == "mpu-exporter is listening"]
        assert [line["address"] for line in listening] == ["127.0.0.1", "127.0.0.2"]
        other = f"http://127.0.0.2:{listening[1]['port']}/-/healthy"
        with urllib.request.urlopen(other, timeout=10) as answer:
            assert answer.status == 200


class TestTrouble:
    def test_each_is_named_and_the_rest_is_untouched(self, s3: S3, server: StandIn, serve: Serve):
        s3.buckets["broken"] = []
        s3.faults.add(Fault(UPLOADS, reply=lambda reply: LOGIN if b">broken<" in reply.body else reply))
        wrong = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRETS[2]}
        port = free_port()
        exporter = serve(
            target("prod", server.url, "media", "missing", "broken"),
            target("down", f"http://127.0.0.1:{port}", "unreachable"),
            target("keys", server.url, "wrong-keys", credentials=wrong),
        )
        samples = exporter.wait_tried("media", "missing", "broken", "unreachable", "wrong-keys")
        assert samples["mpu_uploads_in_progress", "media"] == 3
        assert samples["mpu_scan_success", "media"] == 1
        reasons = {
            "missing": "not_found",
            "broken": "bad_response",
            "unreachable": "connection",
            "wrong-keys": "credentials",
        }
        for bucket, reason in reasons.items():
            assert samples["mpu_scan_success", bucket] == 0
            assert ("mpu_uploads_in_progress", bucket) not in samples
            assert exporter.reason(bucket) == reason
        assert exporter.reason("media") is None

        wait_until("log", lambda: len(lines(exporter, "scan failed")) >= len(reasons), log=exporter.log)
        told = {
            bucket: line for line in lines(exporter, "scan failed") for bucket in reasons if bucket in line
        }
        page = exporter.text("/")
        causes = {
            "missing": "NoSuchBucket",
            "broken": "ListMultipartUploads",
            "unreachable": f"connect to 127.0.0.1:{port} ",
            "wrong-keys": "SignatureDoesNotMatch",
        }
        for bucket, reason in reasons.items():
            assert f" reason={reason} " in told[bucket]
            assert causes[bucket] in told[bucket].partition(" error=")[2]
            assert reason in page
            assert causes[bucket] in page
        assert "Traceback" not in exporter.log.read_text()

    def test_one_upload_that_cannot_be_sized_does_not_fail_the_bucket(
        self, s3: S3, server: StandIn, serve: Serve
    ):
        s3.faults.add(Fault(PARTS, on={2}, reply=lambda _: Reply(500)))
        samples = serve(target("prod", server.url, "media")).wait_tried("media")
        assert samples["mpu_scan_success", "media"] == 1
        assert samples["mpu_scan_complete", "media"] == 0
        assert samples["mpu_uploads_in_progress", "media"] == 3
        assert samples["mpu_unsized_uploads", "media"] == 1

    def test_no_secret_is_in_any_output(self, server: StandIn, serve: Serve):
        proxy = f"http://user:{SECRETS[1]}@127.0.0.1:{free_port()}"
        wrong = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRETS[2]}
        exporter = serve(
            target("prod", server.url, "media"),
            target("proxied", server.url, "proxied", proxy_url=proxy),
            target("keys", server.url, "wrong-keys", credentials=wrong),
            flags=("--log.level=debug",),
        )
        exporter.wait_tried("media", "proxied", "wrong-keys")
        shown = exporter.text() + exporter.text("/") + exporter.log.read_text()
        assert exporter.reason("proxied") == "connection"
        assert [secret for secret in SECRETS if secret in shown] == []
        assert "Signature=" not in shown


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    @pytest.mark.parametrize("operation", [UPLOADS, PARTS])
    def test_a_signal_ends_it_within_5_seconds_in_the_middle_of_a_scan(
        self, s3: S3, server: StandIn, serve: Serve, operation: str, number: int
    ):
        s3.faults.add(Fault(operation, reply=lambda reply: replace(reply, hang=True)))
        s3.buckets["other"] = []
        hanging = target("hangs", server.url, "media", scan={"request_timeout": "10m"})
        exporter = serve(hanging, target("fine", server.url, "other"))
        asked = "uploads" if operation == UPLOADS else "uploadId"
        wait_until("scan", lambda: any(asked in request.query for request in server.requests))
        if operation == PARTS:
            exporter.wait_tried("other")
        started = time.monotonic()
        exporter.process.send_signal(number)
        assert exporter.process.wait(20) == 0
        assert time.monotonic() - started < 5
        log = exporter.log.read_text()
        assert "mpu-exporter has stopped" in log
        assert "scan failed" not in log
        assert "Traceback" not in log

    def test_a_second_signal_changes_nothing(self, s3: S3, server: StandIn, serve: Serve):
        s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, hang=True)))
        exporter = serve(target("hangs", server.url, "media", scan={"request_timeout": "10m"}))
        wait_until("scan", lambda: bool(server.requests))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            exporter.process.send_signal(number)
        assert exporter.process.wait(10) == 0
        assert "Traceback" not in exporter.log.read_text()


def test_own_work_and_targets_are_shown(s3, server, serve):
    s3.buckets["broken"] = []
    s3.faults.add(Fault(UPLOADS, reply=lambda reply: LOGIN if b">broken<" in reply.body else reply))
    exporter = serve(target("prod", server.url, "media", "broken", labels={"team": "x"}))
    exporter.wait_tried("media", "broken")
    text = exporter.text()
    for line in (
        'mpu_api_requests_total{operation="ListMultipartUploads",target="prod"} 2.0',
        'mpu_api_requests_total{operation="ListParts",target="prod"} 3.0',
        (
            'mpu_api_request_failures_total{operation="ListMultipartUploads",reason="bad_response",target="prod"}'
            " 1.0"
        ),
        'mpu_scan_failures_total{reason="bad_response",target="prod"} 1.0',
        'mpu_target_buckets{target="prod"} 2.0',
    ):
        assert f"{line}\n" in text
    assert 'team="x"' in text.partition("\nmpu_target_info{")[2].partition("\n")[0]


def test_values_outlive_a_failing_store_and_scans_keep_to_the_interval(s3, server, serve):
    exporter = serve(target("prod", server.url, "media"), scan={"interval": "1s", "retries": 0})
    exporter.wait_tried("media")
    s3.faults.add(Fault(UPLOADS, reply=lambda _: Reply(403)))
    wait_until("failure", lambda: exporter.samples()["mpu_scan_success", "media"] == 0, seconds=10)
    head = '\nmpu_scan_failures_total{reason="access_denied",target="prod"} '
    wait_until(
        "three failures", lambda: float(exporter.text().partition(head)[2].split()[0]) >= 3, seconds=30
    )
    assert exporter.samples()["mpu_uploads_in_progress", "media"] == 3


def test_it_is_not_ready_while_first_scans_run(s3, server, serve):
    s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, hang=True)))
    exporter = serve(target("hangs", server.url, "media", scan={"request_timeout": "10m"}))
    with pytest.raises(urllib.error.HTTPError, match="503"):
        exporter.text("/-/ready")


def test_tls_and_proxy_settings_reach_the_requests(s3: S3, serve: Serve, tmp_path: Path):
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    s3.buckets["distrusted"], s3.buckets["proxied"] = [], []
    with StandIn(s3, tls=context) as server:
        exporter = serve(
            target("trusts", server.url, "media", tls={"ca_file": str(file)}),
            target("does-not", server.url, "distrusted"),
            target("by-proxy", server.url, "proxied", proxy_url="http://127.0.0.1:1"),
        )
        exporter.wait_tried("media", "distrusted", "proxied")
        reasons = [exporter.reason(bucket) for bucket in ("media", "distrusted", "proxied")]
        assert reasons == [None, "tls", "connection"]
