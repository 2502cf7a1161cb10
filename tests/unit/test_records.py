"""What is not known is null in JSON, and commands and API say the same of a bucket."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from unit.example_board import AGES, SUMMARY, ExampleBoard

from exporter.cli.formats.scan import scan_json
from exporter.cli.oneshot import Outcome
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.results import ScanResult
from exporter.model.targets import TargetStatus
from exporter.model.uploads import CountedUpload, Upload
from exporter.state.board import Entry
from exporter.web import api
from exporter.web.bucket_rows import make_rows
from exporter.web.query import Query
from exporter.web.records import upload_record

if TYPE_CHECKING:
    from exporter.model.results import Summary


def values_of_both(kind: StoreKind, summary: Summary) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of a bucket as `scan --format=json` and as `/api/v1/targets` write them."""
    target, result = TargetSettings("t", kind, (BucketSettings("b"),)), ScanResult(summary, 2.0, 1.0)
    [by_command] = json.loads(scan_json(AGES, [Outcome(target, "b", result)]))["buckets"]
    board = ExampleBoard().board
    board.declare([Entry("t", "b", kind.value, 60.0, AGES)])
    board.publish(("t", "b"), result)
    statuses = [TargetStatus(target, target.buckets)]
    answer = api.targets(statuses, make_rows(board.entries(), statuses), Query({}))
    by_api = json.loads(json.dumps(answer))["targets"][0]["buckets"][0]
    return by_command["values"], by_api["values"]


@pytest.mark.parametrize("kind", list(StoreKind))
def test_commands_and_api_write_the_same_values(kind: StoreKind):
    by_command, by_api = values_of_both(kind, replace(SUMMARY, overdue=1))
    assert by_api == by_command


@pytest.mark.parametrize(
    ("kind", "expected"), [("s3", (3, 1)), ("obs", (None, None)), ("glacier", (None, None))]
)
def test_abort_dates_are_null_where_the_store_never_says_them(
    kind: str, expected: tuple[int | None, int | None]
):
    for values in values_of_both(StoreKind(kind), SUMMARY):
        assert expected == (values["abort_scheduled_uploads"], values["abort_overdue_uploads"])


@pytest.mark.parametrize(
    ("kind", "parts_known", "expected"),
    [
        ("s3", True, (2, 3)),
        ("obs", True, (2, 3)),
        ("glacier", True, (None, None)),
        ("s3", False, (None, None)),
    ],
)
def test_what_a_listing_hides_is_null_where_nothing_is_asked_by_name(
    kind: str, parts_known: object, expected: tuple[int | None, int | None]
):
    summary = replace(SUMMARY, unlisted=2, denied=3, parts_known=parts_known)
    for values in values_of_both(StoreKind(kind), summary):
        assert expected == (values["unlisted_uploads"], values["denied_uploads"])


@pytest.mark.parametrize("kind", list(StoreKind))
def test_ages_are_marked_as_the_least_where_the_store_does_not_tell_initiations(kind: StoreKind):
    found = CountedUpload(Upload("blob", "", 0.0), 0.0, 1, 1, "")
    upload = upload_record("t", kind.value, "b", found, now=1.0, abort_command=None)
    for record in (*values_of_both(kind, SUMMARY), upload):
        assert record["first_sight"] == (kind is StoreKind.AZURE)


def test_what_needs_parts_is_null_where_parts_are_not_asked_for():
    counted = replace(
        SUMMARY,
        parts_known=False,
        unsized=0,
        **dict.fromkeys(("parts", "fullest_upload_parts", "bytes", "empty", "stale_bytes")),
    )
    names = (
        *("bytes", "parts", "fullest_upload_parts", "stale_bytes"),
        *("empty_uploads", "unsized_uploads", "recheck_overdue_uploads"),
    )
    for values in values_of_both(StoreKind.S3, counted):
        assert dict.fromkeys((*names, "bytes_by_class")) == {
            name: values[name] for name in (*names, "bytes_by_class")
        }
