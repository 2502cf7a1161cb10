"""`labels` of the config's targets on alerts, by promtool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alert_cases import BUCKET, CASES, KEPT, bucket, scraped, series, target
from judging import alert, judge, once
from rules import NAMES, prometheus_groups

if TYPE_CHECKING:
    from pathlib import Path


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

    def test_a_label_that_is_ignored_does_not_keep_a_target_from_its_own(self, tmp_path: Path):
        found = scraped(bucket("mpu_stale_uploads", "1x9"), "west", ("a",)) + self.info("a", "media")
        found = [labelled(line, "service", "mpu") for line in found]
        ignored = "ignoredLabels: [instance, pod, container, endpoint, service]"
        groups = prometheus_groups(self.GROUPS.replace("{", f"{{{ignored}, ", 1))
        test = once("MpuStaleUploads", found, {5: [self.expect("west", "media")]})
        assert judge(tmp_path, [test], groups) == ""

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
