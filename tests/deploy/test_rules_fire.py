"""Every alert by promtool: just below and just above its threshold, with two pods and in two clusters."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from alert_cases import CASES, Case, Series, bucket, scraped, series, target
from judging import RULES, expected, judge, minutes, once
from rules import NAMES, SOURCE, VALUES, grafana_rules, prometheus_groups, promtool, write_yaml

if TYPE_CHECKING:
    from pathlib import Path

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)


def scenario(case: Case, clusters: dict[str, Series]) -> dict[str, Any]:
    """Return a test of one alert: nothing a minute before its time, then one for each bad cluster."""
    fires = case.since + minutes(RULES[case.alert].get("for", ""))
    alerts = [expected(case, name) for name, found in clusters.items() if found is case.bad]
    looks = [(fires - 1, []), (fires, alerts)] if fires else [(fires, alerts)]
    if not alerts:
        looks = [(minute, []) for minute in range(case.since, case.since + 180, 6)]
    return {
        "interval": "1m",
        "input_series": [
            line for name, found in clusters.items() for line in scraped(found, name, case.pods)
        ],
        "alert_rule_test": [
            {"eval_time": f"{time}m", "alertname": case.alert, "exp_alerts": found} for time, found in looks
        ],
    }


def one_of_two(case: Case) -> dict[str, Any]:
    """Return a test where one cluster is just below the threshold, and the other just above."""
    return scenario(case, {"east": case.good, "west": case.bad})


def scenarios(case: Case) -> list[dict[str, Any]]:
    return [
        one_of_two(case),
        scenario(case, {"east": case.bad, "west": case.bad}),
        scenario(case, {"east": case.good, "west": case.good}),
    ]


def test_there_is_a_case_of_every_alert():
    assert [case.alert for case in CASES] == NAMES


@every_case
def test_fires_above_its_threshold_once_a_cluster_and_not_below(case: Case, tmp_path: Path):
    assert judge(tmp_path, scenarios(case)) == ""


@every_case
@pytest.mark.parametrize("by", [-1, 1])
def test_a_shifted_pending_time_is_noticed(case: Case, by: int, tmp_path: Path):
    pending = minutes(VALUES[case.alert]["for"]) + by
    groups = prometheus_groups(f"{{rules: {{{case.alert}: {{for: {pending}m}}}}}}")
    assert judge(tmp_path, [one_of_two(case)], groups) != ""


@every_case
@pytest.mark.parametrize("up", [False, True])
def test_a_shifted_threshold_is_noticed(case: Case, up: bool, tmp_path: Path):  # noqa: FBT001
    threshold = VALUES[case.alert]["threshold"]
    step = threshold / 2 if threshold > 1 else 1 if float(threshold).is_integer() else threshold / 20
    groups = prometheus_groups(
        f"{{rules: {{{case.alert}: {{threshold: {threshold + step * (1 if up else -1)}}}}}}}"
    )
    assert judge(tmp_path, [one_of_two(case)], groups) != ""


@every_case
def test_a_label_of_pods_that_is_not_reduced_is_noticed(case: Case, tmp_path: Path):
    groups = prometheus_groups("{ignoredLabels: [instance, container, endpoint]}")
    assert judge(tmp_path, [one_of_two(case)], groups) != ""


@every_case
def test_labels_of_clusters_that_are_reduced_are_noticed(case: Case, tmp_path: Path):
    groups = prometheus_groups("{ignoredLabels: [instance, pod, container, endpoint, cluster]}")
    assert judge(tmp_path, [one_of_two(case)], groups) != ""


def judge_value(folder: Path, alert: str, found: Series, pods: tuple[str, ...], minute: int) -> str:
    """Return what promtool complains of where an alert's value has no sample."""
    query = grafana_rules()[alert]["data"][0]["model"]["expr"]
    there = {"expr": f"count({query}) > bool 0", "exp_samples": [{"labels": "{}", "value": 1}]}
    test = {
        "interval": "1m",
        "input_series": scraped(found, "west", pods),
        "promql_expr_test": [there | {"eval_time": f"{minute}m"}],
    }
    write_yaml(folder / "tests.yml", {"evaluation_interval": "1m", "tests": [test]})
    return promtool("test", "rules", "tests.yml", folder=folder)


@every_case
def test_its_value_is_there_also_when_all_is_well(case: Case, tmp_path: Path):
    """Grafana compares it with the threshold, and could not tell what is well from what is missing."""
    assert judge_value(tmp_path, case.alert, case.good, case.pods, case.since + 60) == ""


@pytest.mark.parametrize(
    ("alert", "left"),
    [
        ("MpuNoAbortRule", bucket("mpu_stale_uploads", "1x60")),  # rules are not read any more
        ("MpuAbortRuleOutlived", bucket("mpu_scan_last_success_timestamp_seconds", "1x60")),  # no upload
        (
            "MpuThrottled",
            target("mpu_api_requests_total", "0+9x60", operation="ListParts"),
        ),  # never throttled
        ("MpuDiscoveryFailing", target("mpu_target_buckets", "1x60")),  # buckets are listed now
        ("MpuDiscoveryFindsNothing", target("mpu_target_buckets", "1x60")),
    ],
)
def test_its_value_is_there_also_when_what_it_was_about_is_gone(alert: str, left: Series, tmp_path: Path):
    assert judge_value(tmp_path, alert, left, ("a", "b"), 30) == ""


@pytest.mark.parametrize("case", [case for case in CASES if case.labels], ids=lambda case: case.alert)
def test_where_an_exporter_has_nothing_of_it_grafana_sees_that_it_is_well(case: Case, tmp_path: Path):
    """Without any data it would keep what was firing: after the last bucket has left the config, for ever."""
    left = series("mpu_exporter_build_info", "1x60", version="0.1.0")
    left |= series("mpu_shards", "1x60") | series("mpu_shard_ordinal", "0x60")
    assert judge_value(tmp_path, case.alert, left, ("a",), 30) == ""


@pytest.mark.parametrize(("parts", "fires"), [(45_000, False), (45_009, True)])
def test_a_blob_of_azure_may_have_more_parts_than_an_upload_elsewhere(
    parts: int,
    fires: bool,  # noqa: FBT001
    tmp_path: Path,
):
    [case] = [case for case in CASES if case.alert == "MpuUploadNearPartLimit"]
    text = case.description.replace("90.01%", "90.02%")
    case = replace(case, labels=case.labels | {"store": "azure"}, description=text)
    found = series("mpu_fullest_upload_parts", f"{parts}x60", **case.labels)
    looks = {30: [expected(case, "west")] if fires else []}
    assert judge(tmp_path, [once(case.alert, scraped(found, "west", ("a", "b")), looks)]) == ""


class TestStoresThatCleanUpByThemselves:
    """`cleanup` in the config: what the store does counts as a rule."""

    RULE = bucket("mpu_abort_rule_present", "1x200", scope="store")

    def test_there_is_no_lack_of_a_rule(self, tmp_path: Path):
        found = self.RULE | bucket("mpu_stale_uploads", "1x200")
        both = found | bucket("mpu_abort_rule_present", "0x200", scope="bucket")
        looks: dict[int, list[dict[str, Any]]] = {minute: [] for minute in (0, 60, 120)}
        tests = [once("MpuNoAbortRule", scraped(each, "west", ("a",)), looks) for each in (found, both)]
        assert judge(tmp_path, tests) == ""

    @pytest.mark.parametrize(("idle_since", "fires"), [(222400, False), (222399, True)])
    def test_what_it_leaves_is_told_by_the_last_activity(
        self,
        idle_since: int,
        fires: bool,  # noqa: FBT001
        tmp_path: Path,
    ):
        found = bucket("mpu_scan_last_success_timestamp_seconds", "1000000x200")
        found |= bucket("mpu_oldest_initiated_timestamp_seconds", "1x200")
        found |= bucket("mpu_oldest_activity_timestamp_seconds", f"{idle_since}x200")
        found |= self.RULE | bucket("mpu_abort_rule_seconds", "604800x200", scope="store")
        [case] = [case for case in CASES if case.alert == "MpuAbortRuleOutlived"]
        both = found | bucket("mpu_abort_rule_seconds", "31536000x200", scope="bucket")  # a longer one
        looks = {60: [expected(case, "west")] if fires else []}
        tests = [once(case.alert, scraped(each, "west", ("a",)), looks) for each in (found, both)]
        assert judge(tmp_path, tests) == ""


class TestDiscoveryThatFindsNothing:
    def fires(self) -> list[dict[str, Any]]:
        [case] = [case for case in CASES if case.alert == "MpuDiscoveryFindsNothing"]
        return [expected(case, "west")]

    def look(self, folder: Path, looks: dict[int, list[dict[str, Any]]], *pods: Series) -> str:
        found = [line for n, pod in enumerate(pods) for line in scraped(pod, "west", (f"mpu-{n}",))]
        return judge(folder, [once("MpuDiscoveryFindsNothing", found, looks)])

    def test_after_it_had_found_some(self, tmp_path: Path):
        found = target("mpu_target_buckets", "3x9 0x200") | target("mpu_discovery_success", "1x210")
        assert self.look(tmp_path, {39: [], 40: self.fires()}, found) == ""

    def test_a_shard_without_buckets_is_none_of_it_and_all_of_them_are(self, tmp_path: Path):
        some, none = (
            target("mpu_target_buckets", f"{buckets}x200") | target("mpu_discovery_success", "1x200")
            for buckets in (3, 0)
        )
        assert self.look(tmp_path, {60: []}, some, none) == ""
        assert self.look(tmp_path, {60: self.fires()}, none, none) == ""

    def test_a_list_that_cannot_be_read_and_a_target_with_buckets_of_its_own_are_none_of_it(
        self, tmp_path: Path
    ):
        none = target("mpu_target_buckets", "0x200")
        assert self.look(tmp_path, {60: []}, none | target("mpu_discovery_success", "0x200")) == ""
        assert self.look(tmp_path, {60: []}, none) == ""


HOSTILE = 'it\'s; rm -rf "$HOME" `id` \\ ${x}'


@pytest.mark.parametrize("name", [alert["alert"] for alert in SOURCE if "command" in alert])
def test_its_command_names_target_and_bucket_whatever_is_in_their_names(name: str, tmp_path: Path):
    [case] = [case for case in CASES if case.alert == name]
    names = {"target": HOSTILE, "bucket": f"'{HOSTILE}'"}
    written = {label: text.replace("\\", r"\\").replace('"', r"\"") for label, text in names.items()}
    found: Series = {}
    for (metric, labels), values in case.bad.items():
        found |= series(metric, values, **(dict(labels) | written))
    text = case.description.replace("media", names["bucket"]).replace("prod", names["target"])
    named = replace(case, bad=found, labels=case.labels | names, description=text)
    assert judge(tmp_path, [scenario(named, {"west": found})]) == ""
    command = expected(named, "west")["exp_annotations"]["command"]
    assert shlex.split(command)[3:] == [f"--{label}={name}" for label, name in names.items()]
