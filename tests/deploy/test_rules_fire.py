"""Every alert by promtool: just below and just above its threshold, with two pods and in two clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alert_cases import BUCKET, CASES, KEPT, Case, Series, bucket, scraped, series, target
from rules import NAMES, VALUES, grafana_rules, prometheus_groups, promtool, write_yaml

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = prometheus_groups()
RULES = {rule["alert"]: rule for rule in GROUPS[0]["rules"]}
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)


def minutes(text: str) -> int:
    """Return a duration such as 1h as minutes."""
    return int(text[:-1]) * {"m": 1, "h": 60, "d": 1440}[text[-1]] if text else 0


def expected(case: Case, cluster: str) -> dict[str, Any]:
    rule = RULES[case.alert]
    return {
        "exp_labels": KEPT | {"cluster": cluster} | case.labels | rule["labels"],
        "exp_annotations": rule["annotations"] | {"description": case.description},
    }


def scenario(case: Case, clusters: dict[str, Series]) -> dict[str, Any]:
    """Return a test of one alert: nothing a minute before its time, then one for each bad cluster."""
    fires = case.since + minutes(RULES[case.alert].get("for", ""))
    alerts = [expected(case, name) for name, found in clusters.items() if found is case.bad]
    looks = [(fires, alerts)] if fires == 0 else [(fires - 1, []), (fires, alerts)]
    return {
        "interval": "1m",
        "input_series": [
            line for name, found in clusters.items() for line in scraped(found, name, case.pods)
        ],
        "alert_rule_test": [
            {"eval_time": f"{time}m", "alertname": case.alert, "exp_alerts": found} for time, found in looks
        ],
    }


def judge(folder: Path, tests: list[dict[str, Any]], groups: list[dict[str, Any]] | None = None) -> str:
    alerts = {look["alertname"] for test in tests for look in test["alert_rule_test"]}
    [group] = groups or GROUPS
    rules = [rule for rule in group["rules"] if rule["alert"] in alerts]
    write_yaml(folder / "rules.yml", {"groups": [group | {"rules": rules}]})
    write_yaml(
        folder / "tests.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    )
    return promtool("test", "rules", "tests.yml", folder=folder)


def scenarios(case: Case) -> list[dict[str, Any]]:
    return [
        scenario(case, {"east": case.good, "west": case.bad}),
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
    assert judge(tmp_path, scenarios(case), groups) != ""


@every_case
@pytest.mark.parametrize("up", [False, True])
def test_a_shifted_threshold_is_noticed(case: Case, up: bool, tmp_path: Path):  # noqa: FBT001
    threshold = VALUES[case.alert]["threshold"]
    step = threshold / 2 if threshold > 1 else 1 if float(threshold).is_integer() else threshold / 20
    groups = prometheus_groups(
        f"{{rules: {{{case.alert}: {{threshold: {threshold + step * (1 if up else -1)}}}}}}}"
    )
    assert judge(tmp_path, scenarios(case), groups) != ""


@every_case
def test_a_label_of_pods_that_is_not_reduced_is_noticed(case: Case, tmp_path: Path):
    groups = prometheus_groups("{ignoredLabels: [instance, container, endpoint]}")
    assert judge(tmp_path, scenarios(case), groups) != ""


@every_case
def test_labels_of_clusters_that_are_reduced_are_noticed(case: Case, tmp_path: Path):
    groups = prometheus_groups("{ignoredLabels: [instance, pod, container, endpoint, cluster]}")
    assert judge(tmp_path, scenarios(case), groups) != ""


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
        ("MpuDiscoveryFailing", target("mpu_target_buckets", "1x60")),  # buckets are listed now
    ],
)
def test_its_value_is_there_also_when_what_it_was_about_is_gone(alert: str, left: Series, tmp_path: Path):
    assert judge_value(tmp_path, alert, left, ("a", "b"), 30) == ""


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


def once(
    case_or_alert: str, found: list[dict[str, str]], looks: dict[int, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return a test of one alert with series as they stand."""
    return {
        "interval": "1m",
        "input_series": found,
        "alert_rule_test": [
            {"eval_time": f"{time}m", "alertname": case_or_alert, "exp_alerts": alerts}
            for time, alerts in looks.items()
        ],
    }


def alert(name: str, description: str, **labels: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "exp_labels": labels | rule["labels"],
        "exp_annotations": rule["annotations"] | {"description": description},
    }


def test_an_exporter_that_was_never_there_is_absent(tmp_path: Path):
    text = (
        "No mpu-exporter has answered Prometheus for a while: it does not run, or is not scraped. "
        "No other alert about multipart uploads can be trusted."
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
        "Of the shards of mpu-exporter one that was never seen does not answer Prometheus: "
        "nobody watches its buckets."
    )
    fires = alert("MpuShardMissing", text, **KEPT, cluster="west")
    assert judge(tmp_path, [once("MpuShardMissing", found, {9: [], 10: [fires]})]) == ""


def test_shards_that_are_no_longer_wanted_are_not_missing(tmp_path: Path):
    stays = series("mpu_shards", "3x9 1x60", pod="mpu-0") | series("mpu_shard_ordinal", "0x70", pod="mpu-0")
    goes = {
        **series("mpu_shards", "3x9 stale", pod="mpu-1"),
        **series("mpu_shard_ordinal", "1x9 stale", pod="mpu-1"),
        **series("mpu_shards", "3x9 stale", pod="mpu-2"),
        **series("mpu_shard_ordinal", "2x9 stale", pod="mpu-2"),
    }
    assert judge(tmp_path, [once("MpuShardMissing", scraped(stays | goes, "west", ("",)), {60: []})]) == ""


def test_a_pod_that_takes_over_a_shard_is_not_doubled_meanwhile(tmp_path: Path):
    overlap = series("mpu_shard_ordinal", "0x40 stale", pod="a") | series(
        "mpu_shard_ordinal", "_x30 0x60", pod="b"
    )
    assert (
        judge(tmp_path, [once("MpuShardDoubled", scraped(overlap, "west", ("",)), {35: [], 45: [], 90: []})])
        == ""
    )


GOOD_NEWS_WINS = {"MpuNoAbortRule", "MpuAbortRuleOutlived", "MpuTargetFailing", "MpuDataTooOld"}


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
        "Buckets of prod without a good scan in the last 15m, for the reason {}: 1. "
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


def test_a_new_pod_that_can_scan_outweighs_an_old_one_that_cannot(tmp_path: Path):
    old = bucket("mpu_scan_success", "0x60") | bucket("mpu_scan_failing", "1x60", reason="tls")
    found = scraped(old, "west", ("a",)) + scraped(bucket("mpu_scan_success", "1x60"), "west", ("b",))
    assert judge(tmp_path, [once("MpuTargetFailing", found, {50: []})]) == ""


def test_idle_targets_are_not_throttled(tmp_path: Path):
    found = target("mpu_api_requests_total", "7x60", operation="ListParts")
    found |= target("mpu_api_request_failures_total", "7x60", operation="ListParts", reason="throttled")
    assert judge(tmp_path, [once("MpuThrottled", scraped(found, "west", ("a",)), {50: []})]) == ""


def labelled(line: dict[str, str], label: str, text: str) -> dict[str, str]:
    """Return an input series with one label more."""
    return line | {"series": line["series"].replace("{", f'{{{label}="{text}",', 1)}


class TestTargetLabels:
    """`labels` of the config's targets on alerts, where asked for."""

    GROUPS = "{targetLabels: [team], rules: {MpuStaleUploads: {for: 0s}}}"

    def info(self, pod: str, team: str, cluster: str = "west", read: int = 1000) -> list[dict[str, str]]:
        """Return what a pod says of the target, and when it read its config."""
        found = target("mpu_target_info", "1x9", store="s3", team=team, region="eu")
        found |= series("mpu_config_last_reload_success_timestamp_seconds", f"{read}x9")
        return scraped(found, cluster, (pod,))

    def alerts(self, folder: Path, found: list[dict[str, str]], exp: list[dict[str, Any]]) -> str:
        return judge(folder, [once("MpuStaleUploads", found, {5: exp})], prometheus_groups(self.GROUPS))

    def expect(self, cluster: str, team: str) -> dict[str, Any]:
        return alert("MpuStaleUploads", CASES[0].description, **KEPT, **BUCKET, cluster=cluster, team=team)

    def test_route_by_cluster_and_target(self, tmp_path: Path):
        stale = bucket("mpu_stale_uploads", "1x9")
        found = [line for cluster in ("east", "west") for line in scraped(stale, cluster, ("a", "b"))]
        found += self.info("a", "media") + self.info("b", "media") + self.info("a", "logs", "east")
        assert self.alerts(tmp_path, found, [self.expect("west", "media"), self.expect("east", "logs")]) == ""

    @pytest.mark.parametrize(("first", "second", "team"), [(1000, 1001, "logs"), (1001, 1000, "media")])
    def test_of_pods_that_disagree_the_one_with_the_newer_config_is_believed(
        self, first: int, second: int, team: str, tmp_path: Path
    ):
        found = scraped(bucket("mpu_stale_uploads", "1x9"), "west", ("a", "b"))
        found += self.info("a", "media", read=first) + self.info("b", "logs", read=second)
        assert self.alerts(tmp_path, found, [self.expect("west", team)]) == ""

    @pytest.mark.parametrize("label", ["service", "app_kubernetes_io_instance"])
    def test_two_releases_in_a_namespace_have_each_its_own(self, label: str, tmp_path: Path):
        found, fire = [], []
        for release, team in (("one", "media"), ("two", "logs")):
            lines = scraped(bucket("mpu_stale_uploads", "1x9"), "west", (release,)) + self.info(release, team)
            found += [labelled(line, label, release) for line in lines]
            expected = self.expect("west", team)
            fire.append(expected | {"exp_labels": expected["exp_labels"] | {label: release}})
        assert self.alerts(tmp_path, found, fire) == ""

    def test_a_pod_that_is_seen_twice_breaks_nothing(self, tmp_path: Path):
        """By two Prometheus servers, for example, whose label nobody reduces."""
        lines = scraped(bucket("mpu_stale_uploads", "1x9"), "west", ("a",)) + self.info("a", "media")
        found = [labelled(line, "replica", name) for line in lines for name in ("x", "y")]
        expected = self.expect("west", "media")
        fire = [expected | {"exp_labels": expected["exp_labels"] | {"replica": name}} for name in ("x", "y")]
        assert self.alerts(tmp_path, found, fire) == ""

    def test_alerts_without_a_target_stay_as_they_are(self):
        [group] = prometheus_groups(self.GROUPS)
        [plain] = prometheus_groups()
        with_team = {rule["alert"] for rule in group["rules"] if "team" in rule["expr"]}
        assert with_team == {
            rule["alert"] for rule in plain["rules"] if "$labels.target" in str(rule["annotations"])
        }
        assert set(NAMES) - with_team == {
            *("MpuConfigReloadFailed", "MpuExporterAbsent"),
            *("MpuShardMissing", "MpuShardDoubled", "MpuShardsDisagree"),
        }
