"""The JSON is what its page says, for any key there can be."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from docs.documents import ROOT, cells, code
from fakes import NOW
from hostile import MALICIOUS_KEYS
from unit.app_requests import ask
from unit.example_app import FAILURE, ExampleApp, found, worst
from unit.example_board import HOSTILE

from exporter.config.settings import BucketSettings
from exporter.config.sharding import Shard

if TYPE_CHECKING:
    from exporter.web.app import App

PAGE = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
KINDS = {
    "text": str, "number": int, "span": float, "time": float, "object": dict, "list": list, "boolean": bool,
}  # fmt: skip


def fields(head: str) -> dict[str, tuple[type, bool]]:
    """Return each field of a table with its type, and whether it may be null."""
    lines = PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if cells(line)[:1] == [head])
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        names, kind, _ = cells(line)
        for name in code(names):
            found[name] = KINDS[kind.split(" ")[0]], kind.endswith("or null")
    return found


def conforms(value: dict[str, Any], head: str) -> None:
    documented = fields(head)
    assert documented.keys() == value.keys()
    for name, (kind, nullable) in documented.items():
        found = value[name]
        fits = isinstance(found, int | float if kind is float else kind) or (found is None and nullable)
        assert fits, f"{name}: {found!r}"


def data(app: App, target: str) -> dict[str, Any]:
    answer = ask(app, target)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    document = json.loads(answer.body)
    assert (document["status"], document["version"]) == ("success", 1)
    assert document["time"] > NOW
    return document["data"]


class TestDocumented:
    @pytest.mark.parametrize("path", ["/api/v1/targets", "/api/v1/uploads"])
    def test_shard(self, path: str):
        shown = ExampleApp()
        shown.app.shard = Shard(3, 1)
        shard = data(shown.app, path)["shard"]
        conforms(shard, "field of `shard`")
        assert shard == {"ordinal": 1, "total": 3}

    def test_targets(self):
        [prod, archive] = data(ExampleApp().app, "/api/v1/targets")["targets"]
        for target in (prod, archive):
            conforms(target, "field of a target")
            for bucket in target["buckets"]:
                conforms(bucket, "field of a bucket")
                if bucket["values"]:
                    conforms(bucket["values"], "field of `values`")
        conforms(prod["discovery"], "field of `discovery`")

    def test_uploads(self):
        uploads = data(ExampleApp().app, "/api/v1/uploads?limit=1000")["uploads"]
        assert len(MALICIOUS_KEYS) == len(uploads)
        for upload in uploads:
            conforms(upload, "field of an upload")

    def test_the_envelope(self):
        app = ExampleApp().app
        good, bad = (json.loads(ask(app, f"/api/v1/uploads{query}").body) for query in ("", "?limit=0"))
        assert fields("field").keys() == good.keys() | bad.keys()


class TestTargets:
    def test_a_bucket_in_full(self):
        [prod, archive] = data(ExampleApp().app, "/api/v1/targets")["targets"]
        assert prod["endpoints"] == ["https://ceph.example.com:8443"]
        assert prod["labels"] == {"team": "media"}
        assert prod["discovery"] == {
            "success": True,
            "reason": None,
            "message": None,
            "last_success": NOW - 60,
            "seen": 5,
            "matched": 3,
            "dropped": [
                {"name": "tmp", "why": "no pattern of discover.include finds it"},
                {"name": HOSTILE, "why": "discover.exclude: ^a"},
            ],
        }
        media, backups, logs = prod["buckets"]
        assert {name: value for name, value in logs.items() if name not in {"values", "monthly_cost"}} == {
            "name": "logs",
            "health": "failing",
            "reason": "access_denied",
            "message": FAILURE,
            "notices": [],
            "last_success": NOW,
            "duration_seconds": 0.5,
            "next_scan": NOW + 10,
            "scanning_since": None,
        }
        assert backups["scanning_since"] == NOW - 3
        assert media["values"] == {
            "uploads": 5,
            "bytes": 123_456_789,
            "parts": 7,
            "fullest_upload_parts": 4,
            "stale_uploads": 2,
            "stale_bytes": 1_000_000,
            "empty_uploads": 1,
            "unsized_uploads": 0,
            "undated_uploads": 1,
            "unlisted_uploads": 0,
            "denied_uploads": 0,
            "recheck_overdue_uploads": 0,
            "abort_scheduled_uploads": 3,
            "abort_overdue_uploads": 1,
            "store_reported_uploads": 6,
            "first_sight": False,
            "oldest_initiated": NOW - 90_000.5,
            "oldest_activity": NOW - 7200,
            "ages": [
                {"at_most_seconds": 3600.0, "uploads": 1, "bytes": 1_000_000},
                {"at_most_seconds": 86400.0, "uploads": 2, "bytes": 22_000_000},
                {"at_most_seconds": None, "uploads": 1, "bytes": 100_000_000},
            ],
            "bytes_by_class": {"STANDARD": 123_000_000, "STANDARD_IA": 456_789},
            "abort_rules": {"bucket_seconds": 604800.0, "prefix_seconds": None},
            "tags": {"owner": "storage", "cost center": "é <42>"},
            "prefixes": [
                {"name": "backups/", "uploads": 3, "bytes": 123_000_000},
                {"name": "", "uploads": 2, "bytes": None},
            ],
            "initiators": [
                {"name": "arn:aws:iam::123456789012:user/backup", "uploads": 5, "bytes": 123_456_789},
                {"name": "", "uploads": 0, "bytes": 0},
            ],
        }
        assert media["monthly_cost"]["currency"] == "USD"
        assert pytest.approx(media["monthly_cost"]["amount"]) == 123_456_789 / 2**30 * 0.023
        [tapes] = archive["buckets"]
        assert (tapes["health"], tapes["values"], tapes["next_scan"]) == ("waiting", None, None)
        assert (archive["endpoints"], archive["discovery"]) == ([], None)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("target=prod", {"prod": ["media", "backups", "logs"]}),
            ("bucket=tapes", {"prod": [], "archive": ["tapes"]}),
            ("target=prod&bucket=logs", {"prod": ["logs"]}),
            ("target=nobody", {}),
        ],
    )
    def test_they_are_chosen_by_target_and_bucket(self, query: str, expected: dict[str, list[str]]):
        found = data(ExampleApp().app, f"/api/v1/targets?{query}")["targets"]
        assert expected == {each["name"]: [bucket["name"] for bucket in each["buckets"]] for each in found}

    def test_a_parameter_that_there_is_not_is_told(self):
        answer = ask(ExampleApp().app, "/api/v1/targets?traget=prod")
        assert (answer.status, json.loads(answer.body)["error"]) == (
            400,
            "no such parameter: 'traget'; there are: target, bucket",
        )

    def test_notices_are_in_it(self):
        shown = ExampleApp()
        entry = shown.board.get(("prod", "media"))
        shown.board.declare([replace(entry, notices=("keys outside the prefix are left out: 3",))])
        [media] = data(shown.app, "/api/v1/targets?bucket=media")["targets"][0]["buckets"]
        conforms(media, "field of a bucket")
        assert media["notices"] == ["keys outside the prefix are left out: 3"]

    def test_no_secret_is_in_it(self):
        assert b"pass" not in ask(ExampleApp().app, "/api/v1/targets").body


class TestUploads:
    def test_every_key_comes_back_as_it_is(self):
        uploads = data(ExampleApp().app, "/api/v1/uploads?limit=1000&sort=bytes")["uploads"]
        assert list(reversed(MALICIOUS_KEYS)) == [upload["key"] for upload in uploads]
        assert [
            upload["key"]
            for upload in data(ExampleApp().app, "/api/v1/uploads?limit=1000&sort=age")["uploads"]
        ][::-1] == MALICIOUS_KEYS

    def test_the_bytes_are_plain_ascii_and_no_html(self):
        body = ask(ExampleApp().app, "/api/v1/uploads?limit=1000").body
        assert re.fullmatch(rb"[ -~]*\n", body)
        assert not re.search(b"[<>&]", body)

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("sort=size", "sort must be age, idle or bytes"),
            ("limit=0", "limit must be a whole number from 1 to 1000"),
            ("limit=1001", "limit must be a whole number from 1 to 1000"),
            ("limit=-1", "limit must be a whole number from 1 to 1000"),
            ("limits=3&a%22=", "no such parameter: 'a\"'; there are: sort, limit, target, bucket, stale"),
            ("stale=yes", "stale must be true or false"),
            ("limit=%D9%A3", "limit must be a whole number from 1 to 1000"),
        ],
    )
    def test_what_makes_no_sense_is_told(self, query: str, error: str):
        answer = ask(ExampleApp().app, f"/api/v1/uploads?{query}")
        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
        assert {"status": "error", "version": 1, "error": error} == json.loads(answer.body)

    def test_a_denied_upload_comes_last_without_a_command_and_an_unlisted_one_as_any_other(self):
        shown = ExampleApp([])
        uploads = (found("denied", 9, denied=True), found("there", 1), found("unlisted", 2, unlisted=True))
        entry = shown.board.get(("prod", "media"))
        shown.board.declare([replace(entry, top_uploads=worst(*uploads, limit=2))])
        shown_uploads = data(shown.app, "/api/v1/uploads")["uploads"]
        assert [
            (each["key"], each["unlisted"], each["denied"], each["abort_command"] is None)
            for each in shown_uploads
        ] == [("unlisted", True, False, False), ("there", False, False, False), ("denied", False, True, True)]

    def test_commands_are_for_the_region_that_was_found_or_signed_for(self):
        shown = ExampleApp([])
        entry = shown.board.get(("prod", "media"))
        shown.board.declare([replace(entry, top_uploads=worst(found("a")))])
        amazon = replace(shown.watched[0].settings, endpoint_url=None, region=None)
        regions = []
        for known in (None, "eu-south-2"):
            buckets = (BucketSettings("other", region="x"), BucketSettings("media", region=known))
            shown.watched[0] = replace(shown.watched[0], settings=amazon, buckets=buckets)
            [upload] = data(shown.app, "/api/v1/uploads")["uploads"]
            regions.append(upload["abort_command"].split("--region=")[1])
        assert regions == ["eu-west-1", "eu-south-2"]

    def test_what_was_used_is_told(self):
        used = data(ExampleApp().app, "/api/v1/uploads?sort=idle&limit=3&target=prod&bucket=media")
        assert (used["sort"], used["limit"], len(used["uploads"])) == ("idle", 3, 3)
        assert data(ExampleApp().app, "/api/v1/uploads?bucket=logs")["uploads"] == []

    @pytest.mark.parametrize("sort", ["age", "idle", "bytes"])
    def test_stale_ones_alone_are_shown_although_the_worst_are_others(self, sort: str):
        shown = ExampleApp([])
        uploads = [found(f"new-{number}", 9 - number) for number in range(3)]
        uploads += [found(f"old-{number}", 6 - number, stale=True, activity=0.0) for number in range(2)]
        entry = shown.board.get(("prod", "media"))
        shown.board.declare([replace(entry, top_uploads=worst(*uploads, limit=2))])
        used = data(shown.app, f"/api/v1/uploads?stale=true&sort={sort}")
        assert (used["stale"], [(each["key"], each["stale"]) for each in used["uploads"]]) == (
            True,
            [("old-0", True), ("old-1", True)],
        )
        used = data(shown.app, "/api/v1/uploads?stale=false")
        assert (used["stale"], [each["key"] for each in used["uploads"]]) == (False, ["new-0", "new-1"])
