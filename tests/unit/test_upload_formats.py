"""What the commands write of uploads that a listing hides, of those that a store denies, and of notices."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes import NOW
from unit.example_app import found
from unit.example_board import AGES, SUMMARY

from exporter.cli.formats.abort_script import abort_script
from exporter.cli.formats.metrics import scan_metrics
from exporter.cli.formats.scan import scan_json, scan_table
from exporter.cli.formats.uploads import (
    UploadReport,
    uploads_csv,
    uploads_json,
    uploads_table,
)
from exporter.cli.oneshot import Outcome
from exporter.cli.report import report_notices
from exporter.cli.upload_filter import Counts, FoundUpload, UploadFilter, UploadSelection
from exporter.config.settings import BucketSettings, Settings, StoreKind, TargetSettings
from exporter.model.errors import Failure, Reason
from exporter.model.results import ScanResult

if TYPE_CHECKING:
    from exporter.config.settings import AgesAs
    from exporter.model.uploads import CountedUpload

TARGET = TargetSettings("prod", StoreKind.S3, ())
THERE, UNLISTED, DENIED = (
    found("there", 1),
    found("hidden", 2, unlisted=True),
    found("ghost", 3, parts=None, bytes=None, denied=True),
)


def report(*uploads: CountedUpload, denied: int = 0) -> UploadReport:
    rows = [FoundUpload(TARGET, BucketSettings("media"), each) for each in uploads]
    return UploadReport(rows, Counts(matched=2, denied=denied), NOW, [])


def outcomes(*results: ScanResult) -> list[Outcome[ScanResult]]:
    return [Outcome(TARGET, f"bucket-{number}", each) for number, each in enumerate(results)]


def scanned(unlisted: int = 0, denied: int = 0, notices: tuple[str, ...] = ()) -> ScanResult:
    return ScanResult(replace(SUMMARY, unlisted=unlisted, denied=denied), NOW, 1.0, notices=notices)


class TestUploads:
    def test_commands_abort_hidden_uploads_and_leave_denied_ones_out_with_their_number(self):
        text = abort_script(report(THERE, UNLISTED, DENIED, denied=7))
        assert "# Not in it, as the store lists them and then denies them: 7.\n" in text
        commands = [line for line in text.splitlines() if line.startswith("abort ")]
        assert ["--key=there" in line for line in commands] == [True, False]
        assert ["--key=hidden" in line for line in commands] == [False, True]

    def test_commands_say_nothing_of_denied_ones_where_there_are_none(self):
        assert "denies" not in abort_script(report(THERE))

    def test_commands_say_how_many_are_not_in_it(self):
        failed = Outcome(TARGET, "other", Failure(Reason.ACCESS_DENIED, "no"))
        untimed = UploadSelection(UploadFilter(NOW), TARGET, BucketSettings("tapes"))
        untimed.tells_initiations_alone = True
        text = abort_script(report(THERE)._replace(outcomes=[failed, Outcome(TARGET, "tapes", untimed)]))
        assert "# Glacier tells no times of parts: " in text
        assert "# Not in it, for the limit: 1. With --limit=0 all are.\n" in text
        assert "# Not in it, as they could not be scanned: 1 buckets or targets.\n" in text

    def test_json_flags_them_and_counts_denied_ones_apart(self):
        document = json.loads(uploads_json(report(THERE, UNLISTED, DENIED, denied=7)))
        assert (document["matched"], document["denied"]) == (2, 7)
        assert [
            (each["key"], each["unlisted"], each["denied"], each["abort_command"] is None)
            for each in document["uploads"]
        ] == [("there", False, False, False), ("hidden", True, False, False), ("ghost", False, True, True)]

    def test_csv_writes_the_flags_as_json_does(self):
        rows = list(csv.DictReader(uploads_csv(report(THERE, UNLISTED, DENIED, denied=1)).splitlines()))
        assert [(row["unlisted"], row["denied"]) for row in rows] == [
            ("false", "false"),
            ("true", "false"),
            ("false", "true"),
        ]

    @pytest.mark.parametrize("width", [None, 80])
    def test_the_table_has_a_column_for_them_on_any_terminal(self, width: int | None):
        head, *rows = uploads_table(report(THERE, UNLISTED, DENIED, denied=1), width).splitlines()
        assert head.endswith("  listing")
        assert [row[head.index("listing") :] for row in rows] == ["", "unlisted", "denied"]

    def test_the_table_has_none_where_all_agrees(self):
        assert "listing" not in uploads_table(report(THERE))


def metrics(result: ScanResult, ages_as: AgesAs = "histogram") -> list[str]:
    settings = Settings(targets=(TARGET,), ages=AGES, ages_as=ages_as)
    return scan_metrics(settings, outcomes(result), regions={}).splitlines()


class TestScan:
    def test_the_table_has_columns_for_them_where_there_are_any(self):
        head, *rows = scan_table(None, outcomes(scanned(40), scanned(0, 7))).splitlines()
        assert head.split()[-2:] == ["unlisted", "denied"]
        assert [row.split()[-2:] for row in rows] == [["40", "0"], ["0", "7"]]
        assert "unlisted" not in scan_table(None, outcomes(scanned()))

    def test_json_has_numbers_and_notices(self):
        [bucket] = json.loads(scan_json(AGES, outcomes(scanned(40, 7, ("odd",)))))["buckets"]
        assert (bucket["notices"], bucket["message"]) == (["odd"], None)
        assert [bucket["values"][name] for name in ("unlisted_uploads", "denied_uploads")] == [40, 7]

    def test_metrics_have_the_numbers_and_are_not_complete(self):
        summary = replace(SUMMARY, unsized=0, unlisted=40, denied=7)
        lines = metrics(ScanResult(summary, NOW, 1.0))
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        labels = '{bucket="bucket-0",store="s3",target="prod"}'
        names = ("mpu_unlisted_uploads", "mpu_denied_uploads", "mpu_scan_complete")
        assert [values[name + labels] for name in names] == ["40.0", "7.0", "0.0"]

    def test_metrics_have_gauges_in_place_of_the_histogram_where_the_config_says_so(self):
        shown = {way: metrics(ScanResult(SUMMARY, NOW, 1.0), way) for way in ("histogram", "gauges")}
        gauges = set(shown["gauges"]) - set(shown["histogram"])
        gone = set(shown["histogram"]) - set(shown["gauges"])
        assert {line for line in gauges if line[0] != "#"} == {
            'mpu_uploads_older_than{age="1h",bucket="bucket-0",store="s3",target="prod"} 3.0',
            'mpu_uploads_older_than{age="1d",bucket="bucket-0",store="s3",target="prod"} 1.0',
        }
        assert {line.split("{")[0] for line in gone if line[0] != "#"} == {
            f"mpu_upload_age_seconds_{part}" for part in ("bucket", "gcount", "gsum")
        }


def test_the_first_key_that_the_store_does_not_know_is_quoted_on_one_line(capsys: pytest.CaptureFixture[str]):
    result = ScanResult(SUMMARY, NOW, 1.0, "the store lists 2 keys", unknown_key="a\x01\nb")
    report_notices([("prod", "media", result)])
    told = capsys.readouterr().err
    assert told == 'prod/media: the store lists 2 keys; the first such key is "a\\x01\\nb"\n'
    [bucket] = json.loads(scan_json(AGES, outcomes(result, scanned())))["buckets"][:1]
    assert (bucket["unknown_key"], bucket["message"]) == ("a\x01\nb", "the store lists 2 keys")


def test_notices_stand_on_standard_error_each_once(capsys: pytest.CaptureFixture[str]):
    report_notices([("prod", "media", scanned(40, 7, ("odd", "odd", "odder\n")))])
    assert capsys.readouterr().err.splitlines() == [
        "prod/media: the store's listing lacks uploads that the store has: 40, counted all the same",
        "prod/media: the store lists uploads that it denies having: 7, not counted",
        "prod/media: odd",
        "prod/media: odder\\n",
    ]


def test_a_notice_about_many_buckets_stands_there_once(capsys: pytest.CaptureFixture[str]):
    many = [
        ("prod", f"b-{number}", ScanResult(SUMMARY, NOW, 1.0, notices=("odd",))) for number in range(1004)
    ]
    report_notices([*many, ("dev", "media", ScanResult(SUMMARY, NOW, 1.0, notices=("odd",)))])
    assert capsys.readouterr().err.splitlines() == [
        "prod/b-0, b-1, b-2 and 1,001 more: odd",
        "dev/media: odd",
    ]
