"""Alerts by promtool where processes start, end, replace each other and disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alert_cases import CASES, KEPT, Case, Series, bucket, scraped, series, target
from judging import RULES, alert, expected, judge, minutes, once
from rules import VALUES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


STATE = [case for case in CASES if VALUES[case.alert]["keepFiringFor"]]


def end(found: Series, minute: int) -> Series:
    """Return the series as they are when their exporter ends at that minute."""
    return {key: f"{values.split('x')[0]}x{minute - 1} stale" for key, values in found.items()}


@pytest.mark.parametrize("case", [case for case in STATE if not case.since], ids=lambda case: case.alert)
def test_a_restart_does_not_resolve_it(case: Case, tmp_path: Path):
    fires, kept = (minutes(VALUES[case.alert][key]) for key in ("for", "keepFiringFor"))
    gone = fires + 5
    looks = {
        gone - 1: [expected(case, "west")],
        gone + kept - 1: [expected(case, "west")],
        gone + kept + 15: [],
    }
    test = {
        "interval": "1m",
        "input_series": scraped(end(case.bad, gone), "west", case.pods),
        "alert_rule_test": [
            {"eval_time": f"{time}m", "alertname": case.alert, "exp_alerts": found}
            for time, found in looks.items()
        ],
    }
    assert judge(tmp_path, [test]) == ""


def test_an_exporter_that_was_never_there_is_absent(tmp_path: Path):
    text = (
        "No mpu-exporter has answered Prometheus for a while: it does not run, starts again and again, "
        "or is not scraped. No other alert about multipart uploads can be trusted."
    )
    test = once("MpuExporterAbsent", [], {9: [], 10: [alert("MpuExporterAbsent", text)]})
    assert judge(tmp_path, [test]) == ""


def test_another_version_is_no_absence(tmp_path: Path):
    before = series("mpu_exporter_build_info", "1x30 stale", version="0.1.0")
    after = series("mpu_exporter_build_info", "_x30 1x60", version="0.2.0")
    found = scraped(before, "west", ("old",)) + scraped(after, "west", ("new",))
    assert judge(tmp_path, [once("MpuExporterAbsent", found, {60: []})]) == ""


def test_a_shard_that_never_came_is_missing(tmp_path: Path):
    found = scraped(series("mpu_shards", "2x60") | series("mpu_shard_ordinal", "1x60"), "west", ("mpu-1",))
    text = (
        "Of the shards of mpu-exporter one that was never seen does not answer Prometheus, or starts "
        "again and again: nobody watches its buckets."
    )
    fires = alert("MpuShardMissing", text, **KEPT, cluster="west")
    assert judge(tmp_path, [once("MpuShardMissing", found, {9: [], 10: [fires]})]) == ""


def restarting(ordinal: int, minutes_up: int, minutes_down: int) -> Series:
    """Return what is seen in three hours of a process that starts again and again."""
    found, here = {}, {"pod": f"mpu-{ordinal}"}

    def each(value_of: Callable[[int], int]) -> str:
        cycles = range(0, 180, minutes_up + minutes_down)
        up, down = "{0}x" + str(minutes_up - 1), f"stale _x{minutes_down - 1}"
        return " ".join(f"{up.format(value_of(minute))} {down}" for minute in cycles)

    found |= series("mpu_exporter_build_info", each(lambda _: 1), version="0.1.0", **here)
    found |= series("mpu_shard_ordinal", each(lambda _: ordinal), **here)
    return found | series("process_start_time_seconds", each(lambda minute: minute * 60), **here)


class TestRestarts:
    """A process that ends soon after it was scraped answers in between, and does no work all the same."""

    def test_again_and_again_is_absent(self, tmp_path: Path):
        found = scraped(restarting(0, 1, 5), "west", ("mpu-0",))
        [case] = [case for case in CASES if case.alert == "MpuExporterAbsent"]
        fires = [expected(case, "west")]
        looks = {30: [], 60: fires, 63: fires, 66: fires, 120: fires}
        assert judge(tmp_path, [once(case.alert, found, looks)]) == ""

    def test_again_and_again_is_a_missing_shard(self, tmp_path: Path):
        found = restarting(1, 1, 5) | restarting(0, 180, 1) | series("mpu_shards", "2x200")
        [case] = [case for case in CASES if case.alert == "MpuShardMissing"]
        looks = {30: [], 60: [expected(case, "west")]}
        assert judge(tmp_path, [once(case.alert, scraped(found, "west", ("mpu-0",)), looks)]) == ""

    @pytest.mark.parametrize("alert", ["MpuExporterAbsent", "MpuShardMissing"])
    def test_now_and_then_is_neither(self, alert: str, tmp_path: Path):
        found = restarting(0, 13, 2) | series("mpu_shards", "1x200")
        looks = {minute: [] for minute in range(0, 180, 5)}
        assert judge(tmp_path, [once(alert, scraped(found, "west", ("mpu-0",)), looks)]) == ""


def test_shards_that_are_no_longer_wanted_are_not_missing(tmp_path: Path):
    stays = series("mpu_shards", "3x9 1x60", pod="mpu-0") | series("mpu_shard_ordinal", "0x70", pod="mpu-0")
    goes = {
        **series("mpu_shards", "3x9 stale", pod="mpu-1"),
        **series("mpu_shard_ordinal", "1x9 stale", pod="mpu-1"),
        **series("mpu_shards", "3x9 stale", pod="mpu-2"),
        **series("mpu_shard_ordinal", "2x9 stale", pod="mpu-2"),
    }
    assert judge(tmp_path, [once("MpuShardMissing", scraped(stays | goes, "west", ("",)), {60: []})]) == ""


@pytest.mark.parametrize("seen", [False, True])
def test_one_shard_more_is_wanted_as_soon_as_one_says_so(seen: bool, tmp_path: Path):  # noqa: FBT001
    found = series("mpu_shards", "4x60", pod="mpu-0") | series("mpu_shards", "3x60", pod="mpu-1")
    for ordinal in range(3):
        found |= series("mpu_shard_ordinal", f"{ordinal}x60", pod=f"mpu-{ordinal}")
    found |= series("mpu_shard_ordinal", "3x4 stale", pod="mpu-3") if seen else {}
    told, which = ("number 3", {"ordinal": "3"}) if seen else ("one that was never seen", {})
    text = (
        f"Of the shards of mpu-exporter {told} does not answer Prometheus, or starts again and again: "
        "nobody watches its buckets."
    )
    fires = alert("MpuShardMissing", text, **KEPT, cluster="west", **which)
    assert judge(tmp_path, [once("MpuShardMissing", scraped(found, "west", ("",)), {20: [fires]})]) == ""


def test_a_pod_that_takes_over_a_shard_is_not_doubled_meanwhile(tmp_path: Path):
    overlap = series("mpu_shard_ordinal", "0x40 stale", pod="a") | series(
        "mpu_shard_ordinal", "_x30 0x60", pod="b"
    )
    assert (
        judge(tmp_path, [once("MpuShardDoubled", scraped(overlap, "west", ("",)), {35: [], 45: [], 90: []})])
        == ""
    )


GOOD_NEWS_WINS = {
    *("MpuNoAbortRule", "MpuAbortRuleOutlived"),
    *("MpuTargetFailing", "MpuDataTooOld", "MpuDiscoveryFindsNothing"),
}


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.pods == Case.pods and case.alert not in {"MpuThrottled", "MpuShardMissing"}
    ],
    ids=lambda case: case.alert,
)
def test_of_two_pods_that_disagree_one_wins_and_always_the_same(case: Case, tmp_path: Path):
    """Such as two shards, of which one does not know yet that a bucket has moved."""
    found = scraped(case.bad, "west", ("mpu-0",)) + scraped(case.good, "west", ("mpu-1",))
    fires = case.since + minutes(RULES[case.alert].get("for", ""))
    alerts = [] if case.alert in GOOD_NEWS_WINS else [expected(case, "west")]
    assert judge(tmp_path, [once(case.alert, found, {fires: alerts})]) == ""


def test_a_reason_that_changes_from_scan_to_scan_is_one_failure_after_the_other(tmp_path: Path):
    found = bucket("mpu_scan_success", "0x60")
    found |= bucket("mpu_scan_failing", "1x4 stale _x4 1x4 stale _x4 1x40", reason="timeout")
    found |= bucket("mpu_scan_failing", "_x5 1x4 stale _x4 1x4 stale", reason="tls")
    text = (
        "Buckets of prod without a good scan in the last 15m and 2.5 scan intervals, for the reason {}: 1. "
        "What is shown of them, if anything, is old."
    )
    both = [
        alert(
            "MpuTargetFailing",
            text.format(reason),
            **KEPT,
            cluster="west",
            target="prod",
            store="s3",
            reason=reason,
        )
        for reason in ("timeout", "tls")
    ]
    assert judge(tmp_path, [once("MpuTargetFailing", scraped(found, "west", ("a", "b")), {8: both})]) == ""


@pytest.mark.parametrize(("interval", "quiet", "fires"), [(300, 73, 76), (3600, 208, 212)])
def test_one_failed_scan_is_not_enough_however_seldom_a_bucket_is_scanned(
    interval: int, quiet: int, fires: int, tmp_path: Path
):
    found = bucket("mpu_scan_success", "1x59 0x200")
    found |= bucket("mpu_scan_failing", "_x59 1x200", reason="timeout")
    found |= bucket("mpu_scan_last_success_timestamp_seconds", "3540x260")
    found |= target("mpu_scan_interval_seconds", f"{interval}x260")
    text = (
        "Buckets of prod without a good scan in the last 15m and 2.5 scan intervals, for the reason timeout: "
        "1. What is shown of them, if anything, is old."
    )
    where = {"cluster": "west", "target": "prod", "store": "s3", "reason": "timeout"}
    told = alert("MpuTargetFailing", text, **KEPT, **where)
    looks = {quiet: [], fires: [told]}
    assert judge(tmp_path, [once("MpuTargetFailing", scraped(found, "west", ("a", "b")), looks)]) == ""


def test_a_new_pod_that_can_scan_outweighs_an_old_one_that_cannot(tmp_path: Path):
    old = bucket("mpu_scan_success", "0x60") | bucket("mpu_scan_failing", "1x60", reason="tls")
    found = scraped(old, "west", ("a",)) + scraped(bucket("mpu_scan_success", "1x60"), "west", ("b",))
    assert judge(tmp_path, [once("MpuTargetFailing", found, {50: []})]) == ""


def test_idle_targets_are_not_throttled(tmp_path: Path):
    found = target("mpu_api_requests_total", "7x60", operation="ListParts")
    found |= target("mpu_api_request_failures_total", "7x60", operation="ListParts", reason="throttled")
    assert judge(tmp_path, [once("MpuThrottled", scraped(found, "west", ("a",)), {50: []})]) == ""
