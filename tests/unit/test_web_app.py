"""What may be asked over HTTP and what is answered, without a server."""

import asyncio
import gzip
import re
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from unit.app_requests import ask
from unit.example_board import HOSTILE, ExampleBoard

from exporter.metrics.exposition import CONTENT_TYPE_OPENMETRICS, CONTENT_TYPE_TEXT, CONTENT_TYPE_TEXT_1
from exporter.model.errors import Failure, Reason
from exporter.model.scarcity import TOO_LITTLE
from exporter.text.humanize import human_bytes
from exporter.web.app import App

OPENMETRICS = f"{CONTENT_TYPE_OPENMETRICS}; escaping=underscores"
OPENMETRICS_UTF_8 = f"{CONTENT_TYPE_OPENMETRICS}; escaping=allow-utf-8"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.fixture
def drawn() -> ExampleBoard:
    drawn = ExampleBoard("media", HOSTILE)
    drawn.publish("media")
    drawn.publish(HOSTILE)
    return drawn


def test_a_scrape_for_which_there_is_no_memory_is_told_so(drawn: ExampleBoard):
    class Full:
        def render(self) -> bytes:
            raise MemoryError

    answer = ask(replace(drawn.app, text=Full()), "/metrics")
    assert (answer.status, answer.body.decode()) == (503, f"503 {TOO_LITTLE}\n")


class TestRoutes:
    @pytest.mark.parametrize(
        ("path", "content_type"),
        [
            ("/", "text/html; charset=utf-8"),
            ("/api/v1/targets", "application/json"),
            ("/metrics", CONTENT_TYPE_TEXT),
            ("/-/healthy", "text/plain; charset=utf-8"),
            ("/-/ready", "text/plain; charset=utf-8"),
        ],
    )
    def test_these_are_there(self, drawn: ExampleBoard, path: str, content_type: str):
        answer = ask(drawn.app, path)
        assert answer.status == 200
        assert answer.headers["content-type"] == content_type

    @pytest.mark.parametrize(
        "path",
        ["", "/metrics/", "/Metrics", "//", "/favicon.ico", "/-/reload/", "/api/v1", "/../metrics"],
    )
    def test_anything_else_is_not(self, drawn: ExampleBoard, path: str):
        answer = ask(drawn.app, path)
        assert (answer.status, answer.body) == (404, b"404 not found; see / for what is here\n")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"])
    @pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy"])
    def test_only_get_and_head_are_allowed(self, drawn: ExampleBoard, method: str, path: str):
        answer = ask(drawn.app, path, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")

    def test_a_post_to_nowhere_is_not_found(self, drawn: ExampleBoard):
        assert ask(drawn.app, "/nowhere", method="POST").status == 404

    @pytest.mark.parametrize(
        ("path", "flag"),
        [
            ("/-/reload", "lifecycle"),
            ("/-/scan", "lifecycle"),
            ("/uploads", "uploads"),
            ("/api/v1/uploads", "uploads"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_what_is_off_says_how_to_have_it(self, drawn: ExampleBoard, path: str, flag: str, method: str):
        answer = ask(drawn.app, path, method=method)
        assert (404, f"404 off: start with --web.enable-{flag} to have it\n".encode()) == (
            answer.status,
            answer.body,
        )

    @pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/nowhere"])
    def test_head_is_get_without_the_body(self, drawn: ExampleBoard, path: str):
        head, get = ask(drawn.app, path, method="HEAD"), ask(drawn.app, path)
        assert head.body == b""
        assert replace(head, body=get.body) == get
        assert head.headers["content-length"] == str(len(get.body))

    def test_the_metrics_may_live_elsewhere(self, drawn: ExampleBoard):
        app = App(drawn.board, drawn.text, drawn.openmetrics, lambda: True, "/probe/metrics")
        assert ask(app, "/probe/metrics").body == drawn.text.render()
        assert ask(app, "/metrics").status == 404
        assert b'href="probe/metrics"' in ask(app, "/").body

    def test_what_is_not_http_is_not_answered(self, drawn: ExampleBoard):
        asyncio.run(drawn.app({"type": "websocket"}, None, None))

    @pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/nowhere"])
    def test_every_answer_carries_security_headers(self, drawn: ExampleBoard, path: str):
        headers = ask(drawn.app, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert re.findall(r"script[^;]*", policy) == re.findall(r"script-src 'sha256-[\w+/]{43}='", policy)
        assert not {"unsafe", "http"} & set(re.findall(r"\w+", policy))


class TestFormats:
    @pytest.mark.parametrize(
        ("accept", "content_type"),
        [
            ("", CONTENT_TYPE_TEXT),
            ("*/*", CONTENT_TYPE_TEXT),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", CONTENT_TYPE_TEXT),
            ("text/plain;version=0.0.4", CONTENT_TYPE_TEXT),
            (PROMETHEUS_2, OPENMETRICS),
            (PROMETHEUS_3, OPENMETRICS_UTF_8),
            ("Application/OpenMetrics-Text ; Version=1.0.0", OPENMETRICS),
            ("application/openmetrics-text, text/plain", OPENMETRICS),
            ("application/openmetrics-text;version=0.0.1", OPENMETRICS),
            ("application/openmetrics-text; version=1.0.0 ;q=1; escaping = allow-utf-8", OPENMETRICS_UTF_8),
            ("application/openmetrics-text;version=1.0.0;escaping=dots", OPENMETRICS),
            ("application/openmetrics-text;version=1.0.0;escaping=evil\r\nx: y", OPENMETRICS),
            (PROMETHEUS_3.replace("openmetrics", "other"), f"{CONTENT_TYPE_TEXT_1}; escaping=allow-utf-8"),
            ("text/plain;version=1.0.0", f"{CONTENT_TYPE_TEXT_1}; escaping=underscores"),
            ("text/plain;version=1.0.0;escaping=values", f"{CONTENT_TYPE_TEXT_1}; escaping=values"),
            ("text/plain;version=1.0.0;q=0.1, text/plain;version=0.0.4;q=0.2", CONTENT_TYPE_TEXT),
            ("text/plain;version=1.0.0;q=0", CONTENT_TYPE_TEXT),
            ("application/openmetrics-text;q=0.1, text/plain;q=0.9", CONTENT_TYPE_TEXT),
            ("application/openmetrics-text;q=0.1, */*", CONTENT_TYPE_TEXT),
            ("application/openmetrics-text;q=0", CONTENT_TYPE_TEXT),
            ("application/openmetrics-text;q=much", CONTENT_TYPE_TEXT),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", CONTENT_TYPE_TEXT),
            (",;,;=\x00\xff", CONTENT_TYPE_TEXT),
        ],
    )
    def test_the_format_is_what_the_client_likes_best(
        self, drawn: ExampleBoard, accept: str, content_type: str
    ):
        answer = ask(drawn.app, "/metrics", ("accept", accept))
        assert (answer.status, answer.headers["content-type"]) == (200, content_type)
        assert answer.body.endswith(b"# EOF\n") == content_type.startswith(CONTENT_TYPE_OPENMETRICS)

    def test_a_header_sent_twice_counts_as_one_list(self, drawn: ExampleBoard):
        headers = (("accept", "application/openmetrics-text"), ("accept", "text/plain;q=0.1"))
        answer = ask(drawn.app, "/metrics", *headers)
        assert answer.headers["content-type"] == OPENMETRICS

    def test_both_formats_say_the_same_by_the_librarys_own_parsers(self, drawn: ExampleBoard):
        drawn.counter.inc()
        drawn.board.fail(("prod", "media"), Failure(Reason.TIMEOUT, "too slow"), 1.0)
        text = parse_text(drawn.text.render().decode())
        openmetrics = parse_openmetrics(drawn.openmetrics.render().decode())
        said = [
            {
                (sample.name, tuple(sorted(sample.labels.items())), sample.value)
                for family in families
                for sample in family.samples
            }
            for families in (text, openmetrics)
        ]
        assert said[0] == said[1]
        assert ("mpu_uploads_in_progress", 5.0, HOSTILE) in {
            (name, value, dict(labels).get("bucket")) for name, labels, value in said[0]
        }

    @pytest.mark.parametrize(
        ("accept_encoding", "packed"),
        [
            ("gzip", True),
            ("GZIP", True),
            ("deflate, gzip;q=1.0, *;q=0.5", True),
            ("br;q=1, gzip;q=0.001", True),
            ("*", True),
            ("", False),
            ("identity", False),
            ("deflate, br", False),
            ("gzip;q=0", False),
            ("gzip; q=0.000", False),
            ("*, gzip;q=0", False),
            ("*;q=0", False),
            ("xgzip", False),
        ],
    )
    def test_gzip_is_sent_to_who_takes_it(self, drawn: ExampleBoard, accept_encoding: str, packed: bool):  # noqa: FBT001
        answer = ask(drawn.app, "/metrics", ("accept-encoding", accept_encoding))
        assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
        assert answer.headers["content-length"] == str(len(answer.body))
        assert (gzip.decompress(answer.body) if packed else answer.body) == drawn.text.render()


class TestHealth:
    def test_ready_says_whether_first_scans_are_done_healthy_does_not_care(self, drawn: ExampleBoard):
        assert ask(drawn.app, "/-/ready").status == 200
        drawn.ready = False
        answer = ask(drawn.app, "/-/ready")
        assert (answer.status, answer.body) == (
            503,
            b"mpu-exporter is not ready: first scans are under way.\n",
        )
        assert ask(drawn.app, "/-/healthy").status == 200
        assert ask(drawn.app, "/metrics").status == 200


class TestSizes:
    @pytest.mark.parametrize(
        ("size", "text"),
        [
            (None, "–"),  # noqa: RUF001
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (5 * 1024**3, "5.0 GiB"),
            (3 * 1024**6, "3072.0 PiB"),
        ],
    )
    def test_sizes_are_in_binary_units(self, size: int | None, text: str):
        assert human_bytes(size) == text
