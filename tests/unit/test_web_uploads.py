"""The worst uploads, as a page and as JSON; and what targets and buckets are as JSON."""

from __future__ import annotations

import html
import json
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from docs.documents import README, code, table
from fakes import NOW
from unit.showing import HOSTILE_KEYS, House, found, rows

from exporter.model import Reason
from exporter.web.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def house() -> House:
    return House()


def data(house: House, view: str, query: str = "") -> Any:
    response = house.ask(view, query)
    assert (response.status, response.content_type) == (200, "application/json")
    document = json.loads(response.body)
    assert (document["status"], document["time"]) == ("success", NOW + 60)
    return document["data"]


def keys(house: House, query: str = "") -> list[tuple[str, str]]:
    return [(each["bucket"], each["key"]) for each in data(house, "uploads_json", query)["uploads"]]


class TestWhichUploads:
    def test_the_worst_of_all_buckets_come_first(self, house: House):
        house.publish("media", found("young", age=10.0, size=1), found("old", age=99999.0, size=2))
        house.publish("backups", found("middle", age=500.0, size=3))
        assert keys(house) == [("media", "old"), ("backups", "middle"), ("media", "young")]
        assert keys(house, "sort=idle") == keys(house)
        assert keys(house, "sort=bytes") == [("backups", "middle"), ("media", "old"), ("media", "young")]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("limit=1", 1),
            ("bucket=media", 2),
            ("target=prod", 4),
            ("target=prod&bucket=logs", 0),
            ("target=nobody", 0),
        ],
    )
    def test_they_are_chosen_by_target_bucket_and_number(self, house: House, query: str, expected: int):
        assert len(keys(house, query)) == expected

    def test_of_a_bucket_so_many_are_held_by_each_order(self, house: House):
        house.publish("media", *(found(f"k{n}", age=n, size=1000 - n) for n in range(100)))
        house.publish("backups", found("one"))
        assert len(keys(house, "bucket=media&limit=1000")) == 20
        assert keys(house, "bucket=media&limit=1") == [("media", "k99")]
        assert keys(house, "bucket=media&limit=1&sort=bytes") == [("media", "k0")]

    @pytest.mark.parametrize("sort", ["age", "idle", "bytes"])
    def test_what_an_order_goes_by_and_is_not_known_has_no_place_in_it(self, house: House, sort: str):
        nothing = found("k")._replace(activity=None, bytes=None)
        house.publish("media", nothing._replace(upload=nothing.upload._replace(initiated=None)))
        assert keys(house, f"bucket=media&sort={sort}") == []

    def test_they_go_when_the_bucket_is_gone(self, house: House):
        for _ in range(2):
            assert len(keys(house, "bucket=media")) == 2
            house.board.fail(("prod", "media"), Reason.NOT_FOUND, "no such bucket", 0.1)
        assert keys(house, "bucket=media") == []

    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ("sort=size", "sort: 'size' is none of age, idle, bytes"),
            ("limit=0", "limit: '0' is no whole number from 1 to 1000"),
            ("limit=1001", "limit: '1001' is no whole number from 1 to 1000"),
            ("limit=many", "limit: 'many' is no whole number from 1 to 1000"),
            ("key=x", "no such parameter: 'key'; there are sort, target, bucket, limit"),
        ],
    )
    def test_a_wrong_query_is_told_in_either_form(self, house: House, query: str, told: str):
        response = house.ask("uploads_json", query)
        assert (response.status, json.loads(response.body)) == (400, {"status": "error", "error": told})
        response = house.ask("uploads_page", query)
        assert (response.status, response.body.decode()) == (400, f"400 {told}\n")

    def test_a_wrong_query_for_targets_is_told(self, house: House):
        response = house.ask("targets_json", "limit=1")
        assert (response.status, json.loads(response.body)["status"]) == (400, "error")

    def test_without_the_flag_the_answer_names_it(self):
        house = House(uploads=False)
        page, document = house.ask("uploads_page"), house.ask("uploads_json")
        assert (page.status, document.status) == (404, 404)
        assert b"--web.enable-uploads" in page.body
        assert "--web.enable-uploads" in json.loads(document.body)["error"]
        assert 'href="uploads"' not in house.page()


class TestPage:
    def test_an_upload_is_a_row_and_its_command(self, house: House):
        first, second, *_ = rows(house.page("uploads_page", "bucket=media"))
        assert first == [
            *("k/1upload id id", "media prod", "1d 1h", "12h 30m", "4.8 MiB", "3", "STANDARD"),
            *("arn:aws:iam::123456789012:user/backup", "in 1d 0h"),
        ]
        assert second[0].startswith("Abort: aws s3api abort-multipart-upload --bucket=media --key=k/1")

    def test_what_the_store_should_have_aborted_says_so(self, house: House):
        house.publish("media", found("k")._replace(abort_at=NOW - 86400))
        assert "overdue by 1d 0h" in house.page("uploads_page", "bucket=media")

    def test_a_page_without_uploads_says_whether_to_wait(self, house: House):
        page = house.page("uploads_page", "bucket=nothing")
        assert "No upload is like that. 2 buckets have no scan of this process to show yet." in page


@pytest.mark.parametrize("key", HOSTILE_KEYS)
class TestHostileKeys:
    def test_they_are_text_on_the_page(self, house: House, key: str):
        house.publish("media", found(key, upload_id=key))
        page = house.page("uploads_page", "bucket=media")
        assert not re.search(r"<script|<img|onerror=\w+\(\d\)>", page)
        assert all(char.isprintable() or char == "\n" for char in page)

    def test_the_command_on_the_page_is_the_one_in_the_json(self, house: House, key: str):
        house.publish("media", found(key))
        [upload] = data(house, "uploads_json", "bucket=media")["uploads"]
        page = house.page("uploads_page", "bucket=media")
        [shown] = re.findall(r"<span>Abort:</span> <code>(.*?)</code>", page)
        assert html.unescape(shown) == upload["abort_command"]

    def test_they_come_whole_out_of_the_json(self, house: House, key: str):
        house.publish("media", found(key))
        response = house.ask("uploads_json", "bucket=media")
        assert response.body.isascii()
        assert json.loads(response.body)["data"]["uploads"][0]["key"] == key

    @pytest.mark.skipif("os.name != 'posix'")
    def test_a_shell_passes_the_command_on_as_it_is(self, house: House, key: str):
        house.publish("media", found(key))
        [upload] = data(house, "uploads_json", "bucket=media")["uploads"]
        script = f"aws() {{ printf '%s\\n' \"$@\"; }}; {upload['abort_command']}"
        said = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=60).stdout
        raw = key.encode("utf-8", "surrogatepass")
        assert (b"--key=" + raw in said) or b"--cli-input-json" in said


def documented(of: str) -> set[str]:
    """Return the names in a table of the README."""
    return {name for names, *_ in table(README, of, "type", "meaning") for name in code(names)}


class TestDocumented:
    @pytest.mark.parametrize(
        ("of", "real"),
        [
            ("of a target", lambda house: data(house, "targets_json")["targets"]),
            (
                "of a bucket",
                lambda house: data(house, "targets_json", "bucket=media")["targets"][0]["buckets"],
            ),
            (
                "of a summary",
                lambda house: [
                    data(house, "targets_json", "bucket=media")["targets"][0]["buckets"][0]["summary"]
                ],
            ),
            ("of an upload", lambda house: data(house, "uploads_json")["uploads"]),
        ],
    )
    def test_the_readme_names_every_field_and_no_other(
        self, house: House, of: str, real: Callable[[House], list[dict[str, Any]]]
    ):
        found = real(house)
        assert found
        assert [set(each) for each in found] == [documented(of)] * len(found)


class TestTargets:
    def test_addresses_are_without_users_and_passwords(self, house: House):
        body = house.ask("targets_json").body
        assert b'"endpoints": ["https://s3.example.com:8443"]' in body
        assert b"pw" not in body

    def test_a_bucket_says_when_it_is_scanned(self, house: House):
        [prod] = data(house, "targets_json", "target=prod")["targets"]
        times = {each["bucket"]: (each["next_scan"], each["scanning_since"]) for each in prod["buckets"]}
        assert times == {"media": (NOW + 300, None), "backups": (None, NOW - 42), "logs": (NOW - 1, None)}

    def test_what_fails_says_why_and_what_is_not_known_is_null(self, house: House):
        [prod] = data(house, "targets_json", "bucket=logs&target=prod")["targets"]
        [logs] = prod["buckets"]
        assert (logs["health"], logs["reason"], logs["summary"]) == ("failing", "access_denied", None)

    def test_ages_are_cumulative_and_end_with_all(self, house: House):
        [media] = data(house, "targets_json", "bucket=media&target=prod")["targets"][0]["buckets"]
        assert media["summary"]["ages"] == [
            {"at_most_seconds": 3600.0, "uploads": 1},
            {"at_most_seconds": 86400.0, "uploads": 3},
            {"at_most_seconds": None, "uploads": 4},
        ]

    def test_discovery_that_fails_is_told(self, house: House):
        [target] = data(house, "targets_json", "target=found")["targets"]
        assert target["discovery"] == {
            "success": False,
            "reason": "access_denied",
            "message": "ListBuckets: no",
            "last_success": NOW - 7200,
        }

    def test_a_bucket_that_was_just_taken_out_leaves_no_trace(self, house: House):
        house.views = replace(house.views, watched=list)
        assert isinstance(house.views, Views)
        assert data(house, "targets_json") == {"targets": []}
        assert keys(house) == []
