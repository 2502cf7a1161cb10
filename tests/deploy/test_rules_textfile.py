"""The alerts by promtool where no exporter serves, and `scan` writes for a textfile collector.

The series are those that a real node_exporter exposes of the file, with its own `job` and `instance`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from judging import RULES, annotations, judge
from rules import NAMES, prometheus_groups
from servers.node_exporter import textfile_collector
from unit.example_board import AGES, NOTHING, SUMMARY

from exporter.cli.formats.metrics import scan_metrics
from exporter.cli.oneshot import NothingFound, Outcome
from exporter.config.cleanup import CleanupSettings
from exporter.config.settings import BucketSettings, ScanSettings, Settings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Failure, Reason
from exporter.model.results import AbortRules, ScanResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from servers.node_exporter import TextfileCollector

HOUR = 60
"""Minutes."""
TARGET = TargetSettings(
    "prod", StoreKind.S3, (BucketSettings("media"),), scan=ScanSettings(interval=HOUR * 60.0), lifecycle=True
)
FOUND = replace(TARGET, buckets=(), discover=DiscoverSettings())
NODE = {"job": "node", "instance": "host-1:9100"}
QUIET = replace(NOTHING, abort_rules=SUMMARY.abort_rules)


@pytest.fixture(scope="module")
def collector() -> Iterator[TextfileCollector]:
    with textfile_collector() as collector:
        yield collector


@dataclass(frozen=True)
class Run:
    """One run of `scan` at a minute, of a target with the bucket media, or '' where discovery left none."""

    minute: int
    value: ScanResult | Failure
    bucket: str = "media"
    target: TargetSettings = TARGET

    def text(self) -> str:
        outcomes = [Outcome(self.target, self.bucket, self.value)]
        settings = Settings(targets=(self.target,), ages=AGES)
        return scan_metrics(settings, outcomes, regions={})


def good(minute: int, **found: Any) -> Run:
    return Run(minute, ScanResult(replace(QUIET, **found), finished=minute * 60.0, duration=50.0))


def series(collector: TextfileCollector, runs: list[Run], end: int) -> list[dict[str, str]]:
    """Return what Prometheus sees of the file, scraped once a minute until `end`: each run replaces it."""
    seen: dict[str, list[str]] = {}
    for run, until in zip(runs, [*(later.minute for later in runs[1:]), end], strict=True):
        shown = collector.exposes(run.text())
        for name in shown.keys() | seen.keys():
            values = seen.setdefault(name, [f"_x{run.minute}"] if run.minute else [])
            values.append(f"{shown.get(name, '_')}x{until - run.minute - 1}")
    own = ",".join(f'{label}="{text}"' for label, text in NODE.items())
    named = {name: name.replace("}", f",{own}}}") if "}" in name else f"{name}{{{own}}}" for name in seen}
    return [{"series": named[name], "values": " ".join(values)} for name, values in seen.items()]


def fire(
    folder: Path,
    found: list[dict[str, str]],
    looks: dict[int, list[dict[str, Any]]],
    names: Sequence[str] = NAMES,
    groups: list[dict[str, Any]] | None = None,
) -> str:
    """Return what promtool complains of, where of `names` these fire at these minutes and no others."""
    tests = [
        {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [e for e in alerts if e["name"] == name]}
        for minute, alerts in looks.items()
        for name in names
    ]
    for test in tests:
        test["exp_alerts"] = [{k: v for k, v in e.items() if k != "name"} for e in test["exp_alerts"]]  # type: ignore[union-attr]
    return judge(folder, [{"interval": "1m", "input_series": found, "alert_rule_test": tests}], groups)


def expect(name: str, description: str, **labels: str) -> dict[str, Any]:
    labels = {"job": "node", "target": "prod", **labels}
    return {
        "name": name,
        "exp_labels": labels | RULES[name]["labels"],
        "exp_annotations": annotations(name, description, labels),
    }


BUCKET = {"store": "s3", "bucket": "media"}


def test_while_the_timer_runs_nothing_fires_and_nobody_is_absent(
    collector: TextfileCollector, tmp_path: Path
):
    found = series(collector, [good(hour * HOUR) for hour in range(5)], 5 * HOUR)
    looks: dict[int, list[dict[str, Any]]] = {minute: [] for minute in range(0, 5 * HOUR, 7)}
    assert fire(tmp_path, found, looks) == ""


def test_when_the_timer_dies_the_data_is_too_old_and_nobody_is_absent(
    collector: TextfileCollector, tmp_path: Path
):
    found = series(collector, [good(0), good(HOUR)], 8 * HOUR)

    def old(intervals: str) -> dict[str, Any]:
        text = f"The last good scan of bucket media of prod ended {intervals} scan intervals ago."
        return expect("MpuDataTooOld", text, **BUCKET)

    looks = {4 * HOUR + 5: [], 4 * HOUR + 6: [old("3.1")], 7 * HOUR + 30: [old("6.5")]}
    assert fire(tmp_path, found, looks) == ""


def test_stale_uploads_and_a_bucket_that_fails_are_told_as_by_an_exporter(
    collector: TextfileCollector, tmp_path: Path
):
    cleaning = replace(TARGET, cleanup=CleanupSettings("store", 31 * 86400.0))
    runs = [good(hour * HOUR, uploads=1, stale=1, abort_rules=AbortRules()) for hour in range(3)]
    found = series(collector, [replace(run, target=cleaning) for run in runs], 3 * HOUR)
    text = (
        "Stale uploads in bucket media of prod: 1. Nobody has added to them for long, and their parts "
        "are billed until someone aborts them."
    )
    assert fire(tmp_path, found, {2 * HOUR: [expect("MpuStaleUploads", text, **BUCKET)]}) == ""
    found = series(
        collector, [Run(hour * HOUR, Failure(Reason.TIMEOUT, "late")) for hour in (0, 1)], 2 * HOUR
    )
    text = (
        "Buckets of prod without a good scan in the last 15m and 2.5 scan intervals, for the reason "
        "timeout: 1. What is shown of "
        "them, if anything, is old."
    )
    failing = expect("MpuTargetFailing", text, store="s3", reason="timeout")
    assert fire(tmp_path, found, {90: [failing]}) == ""


NOTHING_FOUND = (
    "The store of prod tells which buckets there are, and none of them is watched: it shows the "
    "exporter's account none, or `include` and `exclude` drop them all."
)
NOT_TOLD = "The store of prod does not tell which buckets there are: new ones are not watched."


@pytest.mark.parametrize(
    ("value", "alert", "text"),
    [
        (NothingFound(Reason.NOT_FOUND, "none"), "MpuDiscoveryFindsNothing", NOTHING_FOUND),
        (Failure(Reason.ACCESS_DENIED, "no"), "MpuDiscoveryFailing", NOT_TOLD),
    ],
)
def test_a_discovery_that_fails_or_finds_nothing_is_told(
    value: Failure, alert: str, text: str, collector: TextfileCollector, tmp_path: Path
):
    found = series(collector, [Run(hour * HOUR, value, "", FOUND) for hour in (0, 1)], 2 * HOUR)
    assert fire(tmp_path, found, {90: [expect(alert, text)]}) == ""


def test_two_files_of_targets_of_their_own_do_not_clash_on_one_node(
    collector: TextfileCollector, tmp_path: Path
):
    one, other = good(0), replace(good(0), target=replace(TARGET, name="two"))
    both = collector.exposes(one.text(), other.text())
    each = collector.exposes(one.text()) | collector.exposes(other.text())
    assert both.keys() == each.keys()
    found = series(collector, [one], HOUR)
    found += [line for line in series(collector, [other], HOUR) if line not in found]
    assert fire(tmp_path, found, {HOUR - 1: []}) == ""


def test_where_all_files_are_gone_the_exporter_is_absent_once(collector: TextfileCollector, tmp_path: Path):
    targets = [replace(TARGET, name=name) for name in ("prod", "two")]
    found = [line for each in targets for line in series(collector, [replace(good(0), target=each)], HOUR)]
    text = (
        "No mpu-exporter of job node has answered Prometheus for a while: it does not run, starts "
        "again and again, or is not scraped. No other alert about multipart uploads can be trusted."
    )
    absent = expect("MpuExporterAbsent", text, job="node")
    del absent["exp_labels"]["target"]
    assert fire(tmp_path, found, {2 * HOUR: [absent]}) == ""


def test_labels_of_targets_are_on_alerts_as_by_an_exporter(collector: TextfileCollector, tmp_path: Path):
    labelled = replace(TARGET, labels=(("team", "video"),))
    found = series(collector, [replace(good(0, uploads=1, stale=1), target=labelled)], HOUR)
    groups = prometheus_groups("{targetLabels: [team], rules: {MpuStaleUploads: {for: 0s}}}")
    text = (
        "Stale uploads in bucket media of prod: 1. Nobody has added to them for long, and their parts "
        "are billed until someone aborts them."
    )
    looks = {HOUR // 2: [expect("MpuStaleUploads", text, **BUCKET, team="video")]}
    assert fire(tmp_path, found, looks, ["MpuStaleUploads"], groups) == ""


def test_two_hosts_with_targets_of_their_own_are_no_doubled_shards(
    collector: TextfileCollector, tmp_path: Path
):
    runs = [good(hour * HOUR) for hour in range(3)]
    one = series(collector, runs, 3 * HOUR)
    other = series(collector, [replace(run, target=replace(TARGET, name="two")) for run in runs], 3 * HOUR)
    both = one + [line | {"series": line["series"].replace("host-1", "host-2")} for line in other]
    assert fire(tmp_path, both, {2 * HOUR: []}) == ""


def test_a_node_exporter_takes_the_file_as_it_is_and_nothing_of_it_is_the_node_exporter_s_own(
    collector: TextfileCollector,
):
    text = good(60, uploads=1).text()
    shown = collector.exposes(text)
    written = {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert not any(name.startswith(("process_", "python_", "go_")) for name in written)
    assert {name for name in written if "_age_" not in name} <= shown.keys()
