"""`mpu-exporter serve` with all of its pages on: the process as operators run it, on a stand-in S3 server."""

from __future__ import annotations

import json
import shlex
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from hostile import MALICIOUS_KEYS, listable
from lxml import html
from servers import wait_until
from servers.exporter import serving, target
from servers.s3 import EPOCH, S3, Part, Upload
from servers.standin import StandIn

from exporter.service import TOP_UPLOADS_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.exporter import Exporter

KEYS = [key for key in MALICIOUS_KEYS if listable(key)]
FLAGS = (
    *("--web.enable-uploads", "--web.enable-lifecycle"),
    *("--web.allowed-hosts=mpu.example, *.lan.example", "--web.allowed-hosts=localhost"),
)


@pytest.fixture
def server() -> Iterator[StandIn]:
    s3 = S3()
    uploads = [
        Upload(key, f"id-{number}", initiated=EPOCH + number, parts=[Part(1, 100 + number)])
        for number, key in enumerate(KEYS)
    ]
    s3.buckets["media"] = uploads[:TOP_UPLOADS_LIMIT]
    s3.buckets["more"] = uploads[TOP_UPLOADS_LIMIT:]
    s3.buckets["later"] = []
    with StandIn(s3) as server:
        yield server


def get(exporter: Exporter, path: str) -> dict[str, Any]:
    return json.loads(exporter.text(path))["data"]


def post(exporter: Exporter, path: str) -> tuple[int, str]:
    return send(exporter, path, "POST")


def send(exporter: Exporter, path: str, method: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(exporter.url + path, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_worst_uploads_are_named_with_what_aborts_them(server: StandIn, tmp_path: Path):
    with serving(tmp_path, {"targets": [target("prod", server.url, "media", "more")]}, *FLAGS) as exporter:
        exporter.wait_tried("media", "more")
        uploads = get(exporter, "/api/v1/uploads?limit=1000")["uploads"]
        assert set(KEYS) == {upload["key"] for upload in uploads}
        by_bytes = get(exporter, "/api/v1/uploads?limit=2&sort=bytes")["uploads"]
        assert list(reversed(KEYS[-2:])) == [upload["key"] for upload in by_bytes]
        words = shlex.split(uploads[0]["abort_command"])
        assert words[:4] == ["aws", "s3api", "abort-multipart-upload", "--bucket=media"]
        page = html.document_fromstring(exporter.text("/uploads?limit=1000"))
        assert len(KEYS) == len(page.xpath("//code"))
        assert len(page.xpath("//script")) == 1


def test_targets_say_when_the_next_scan_is_to_who_asks_under_an_allowed_name(server: StandIn, tmp_path: Path):
    with serving(tmp_path, {"targets": [target("prod", server.url, "media")]}, *FLAGS) as exporter:
        exporter.wait_tried("media")
        [prod] = get(exporter, "/api/v1/targets")["targets"]
        [media] = prod["buckets"]
        assert (media["health"], media["values"]["uploads"]) == ("ok", TOP_UPLOADS_LIMIT)
        for host, status in (("a.LAN.example", 200), ("localhost:1", 200), ("evil.example", 421)):
            assert send(exporter, "/api/v1/targets", "GET", Host=host)[0] == status
        assert 0 < media["next_scan"] - media["last_success"] <= prod["scan_interval_seconds"]
        assert "ok" in html.document_fromstring(exporter.text("/")).xpath("string(//tbody[@class='card'])")


def test_without_the_flags_there_are_no_keys_and_no_reload(server: StandIn, tmp_path: Path):
    with serving(tmp_path, {"targets": [target("prod", server.url, "media")]}) as exporter:
        for path, flag in (
            ("/uploads", "uploads"),
            ("/api/v1/uploads", "uploads"),
            ("/-/reload", "lifecycle"),
        ):
            assert (404, f"404 off: start with --web.enable-{flag} to have it\n") == post(exporter, path)


def test_a_post_has_the_config_read_again(server: StandIn, tmp_path: Path):
    config = {"targets": [target("prod", server.url, "media")]}
    with serving(tmp_path, config, *FLAGS) as exporter:
        exporter.wait_tried("media")
        file = tmp_path / "config.yaml"
        file.write_text(json.dumps({"targets": [target("prod", server.url, "media", "later")]}))
        assert post(exporter, "/-/reload") == (200, "The config was read again.\n")
        exporter.wait_tried("later")
        file.write_text("targets: []\nscan: {workers: many}\n")
        status, problems = post(exporter, "/-/reload")
        assert status == 500
        assert [f"{file}:1: targets: needs at least one entry", f"{file}:2: scan.workers: must be"] == [
            line[: len(expected)]
            for line, expected in zip(
                problems.splitlines(),
                (f"{file}:1: targets: needs at least one entry", f"{file}:2: scan.workers: must be"),
                strict=True,
            )
        ]
        wait_until("scans go on", lambda: exporter.reason("media") is None)
