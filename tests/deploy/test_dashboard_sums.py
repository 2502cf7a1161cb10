"""What panels say of several pods, clusters and shards, and of a week: by promtool, with made-up series."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from dashboards import filled, query_of
from rules import promtool

if TYPE_CHECKING:
    from pathlib import Path

WEEK = 7 * 24 * 60
"""Minutes: how often the series below have a sample."""
PODS = ('instance="10.0.0.1:19340",pod="old"', 'instance="10.0.0.2:19340",pod="new"')
MEDIA = 'job="mpu",store="s3",target="prod",bucket="media"'
LOGS = 'job="mpu",store="s3",target="prod",bucket="logs"'

Samples = dict[str, float]
"""Values by labels."""


def wrong(folder: Path, query: str, series: dict[str, str], expected: Samples, minute: int = 5) -> str:
    """Return what promtool finds wrong with the answer to a query: nothing is ''."""
    asked = {
        "expr": filled(query),
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
    }
    made = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": made, "promql_expr_test": [asked]}
    (folder / "test.yml").write_text(json.dumps({"rule_files": [], "tests": [test]}))
    return promtool("test", "rules", "test.yml", folder=folder)


def overlapping(metric: str, labels: str, value: float) -> dict[str, str]:
    """Return a series of two pods that both show it, as in a rolling update."""
    return {f"{metric}{{{labels},{pod}}}": f"{value}+0x10" for pod in PODS}


def test_two_pods_of_one_exporter_count_once(tmp_path: Path):
    series = overlapping("mpu_pending_bytes", MEDIA, 10) | overlapping("mpu_pending_bytes", LOGS, 5)
    assert wrong(tmp_path, query_of("mpu-overview", "Pending bytes"), series, {"{}": 15}) == ""


def test_a_query_that_counts_twice_would_be_found(tmp_path: Path):
    series = overlapping("mpu_pending_bytes", MEDIA, 10)
    assert "got:" in wrong(tmp_path, 'sum(mpu_pending_bytes{job=~"$job"})', series, {"{}": 10})


@pytest.mark.parametrize(
    "labels",
    [
        ('cluster="eu",job="mpu"', 'cluster="us",job="mpu"'),
        ('job="one"', 'job="two"'),
        ('job="mpu",namespace="a"', 'job="mpu",namespace="b"'),
    ],
)
def test_equal_names_elsewhere_are_others(labels: tuple[str, str], tmp_path: Path):
    bucket = 'store="s3",target="prod",bucket="media"'
    series: dict[str, str] = {}
    for each in labels:
        series |= overlapping("mpu_uploads_in_progress", f"{each},{bucket}", 7)
    assert wrong(tmp_path, query_of("mpu-overview", "Uploads in progress"), series, {"{}": 14}) == ""


def test_ages_of_equal_names_elsewhere_do_not_get_mixed_up(tmp_path: Path):
    series: dict[str, str] = {}
    for cluster, oldest in (("eu", 100), ("us", 400)):
        labels = f'cluster="{cluster}",{MEDIA}'
        series |= overlapping("mpu_scan_last_success_timestamp_seconds", labels, oldest + 50)
        series |= overlapping("mpu_oldest_initiated_timestamp_seconds", labels, oldest)
    assert wrong(tmp_path, query_of("mpu-overview", "Oldest upload"), series, {"{}": 50}) == ""


def test_data_ages_find_the_interval_of_their_own_cluster(tmp_path: Path):
    series: dict[str, str] = {}
    for cluster, interval in (("eu", 60), ("us", 10)):
        series |= overlapping("mpu_scan_duration_seconds", f'cluster="{cluster}",{MEDIA}', 30)
        labels = f'cluster="{cluster}",job="mpu",target="prod"'
        series |= overlapping("mpu_scan_interval_seconds", labels, interval)
    query = query_of("mpu-health", "Duration of scans, in scan intervals")
    assert wrong(tmp_path, query, series, {'{target="prod"}': 3}) == ""


def test_a_bucket_fails_where_no_pod_had_success(tmp_path: Path):
    series = {f"mpu_scan_success{{{MEDIA},{pod}}}": f"{good}+0x10" for good, pod in enumerate(PODS)}
    query = query_of("mpu-overview", "Buckets failing")
    assert wrong(tmp_path, query, series, {"{}": 0}) == ""
    assert wrong(tmp_path, query, series | overlapping("mpu_scan_success", LOGS, 0), {"{}": 1}) == ""


def test_nothing_is_known_where_nothing_was_scanned(tmp_path: Path):
    """No exporter answers: that is not the same as 0 failing buckets."""
    assert wrong(tmp_path, query_of("mpu-overview", "Buckets failing"), {}, {}) == ""


class TestGrowth:
    """Now against 7 days ago, or what there is."""

    @pytest.mark.parametrize(
        ("known_since", "more", "compared"),
        [(WEEK, 700, 604800), (3 * 24 * 60, 100, 86400), (90, 4, 3600), (2, 3, 60)],
    )
    def test_is_exact_over_the_longest_time_known(
        self, known_since: int, more: int, compared: int, tmp_path: Path
    ):
        at = {"a week": WEEK, "a day": 24 * 60, "an hour": 60, "a minute": 1}
        value = {at["a week"]: 1000 - 700, at["a day"]: 900, at["an hour"]: 996, at["a minute"]: 997, 0: 1000}
        past = [
            str(value[minute]) if minute in value and minute <= known_since else "_"
            for minute in range(WEEK, -1, -1)
        ]
        series = {
            f"{metric}{{{MEDIA},{pod}}}": " ".join(past)
            for metric in ("mpu_pending_bytes", "mpu_uploads_in_progress")
            for pod in PODS
        }
        for ref, expected in {"B": more, "D": more, "E": compared}.items():
            query = query_of("mpu-overview", "What grew in the last week", ref)
            assert wrong(tmp_path, query, series, {f"{{{MEDIA}}}": expected}, WEEK) == ""

    def test_survives_another_pod_and_another_service_name(self, tmp_path: Path):
        series = {
            f'mpu_pending_bytes{{{MEDIA},pod="old",service="a"}}': f"100+0x{WEEK - 10}",
            f'mpu_pending_bytes{{{MEDIA},pod="new",service="b"}}': f"_x{WEEK - 9} 130+0x10",
        }
        query = query_of("mpu-overview", "What grew in the last week", "B")
        assert wrong(tmp_path, query, series, {f"{{{MEDIA}}}": 30}, WEEK) == ""


def test_ages_are_counted_above_each_bound(tmp_path: Path):
    series: dict[str, str] = {}
    for bucket in (MEDIA, LOGS):
        series |= overlapping("mpu_upload_age_seconds_gcount", bucket, 10)
        for bound, count in (("3600.0", 4), ("86400.0", 9), ("+Inf", 10)):
            series |= overlapping("mpu_upload_age_seconds_bucket", f'{bucket},le="{bound}"', count)
    series |= overlapping("mpu_uploads_older_than", f'{MEDIA.replace("prod", "gauges")},age="1d"', 3)
    expected = {'{le="3600.0"}': 12, '{le="86400.0"}': 2, '{age="1d"}': 3}
    assert wrong(tmp_path, query_of("mpu-overview", "Uploads older than"), series, expected) == ""


def test_stale_uploads_are_those_of_buckets_that_have_some(tmp_path: Path):
    series: dict[str, str] = {}
    for bucket, stale in ((MEDIA, 7), (LOGS, 0)):
        series |= overlapping("mpu_stale_uploads", bucket, stale)
        series |= overlapping("mpu_stale_bytes", bucket, 100 * stale)
        series |= overlapping("mpu_scan_last_success_timestamp_seconds", bucket, 5000)
        series |= overlapping("mpu_oldest_activity_timestamp_seconds", bucket, 4000)
    for ref, expected in {"A": 7, "B": 700, "C": 1000}.items():
        query = query_of("mpu-overview", "Stale uploads by bucket", ref)
        assert wrong(tmp_path, query, series, {f"{{{MEDIA}}}": expected}) == ""


def test_the_largest_are_those_at_the_end_of_the_range(tmp_path: Path):
    series = {
        f'mpu_pending_bytes{{job="mpu",store="s3",target="prod",bucket="b{number:02}"}}': f"{number}+0x10"
        for number in range(12)
    }
    query = query_of("mpu-overview", "Pending bytes by bucket, the 10 largest")
    expected = {f'{{target="prod",bucket="b{number:02}"}}': number for number in range(2, 12)}
    assert wrong(tmp_path, query, series, expected) == ""


def test_the_fullest_upload_is_measured_by_what_its_store_allows(tmp_path: Path):
    azure = MEDIA.replace("s3", "azure").replace("prod", "blobs")
    series = overlapping("mpu_fullest_upload_parts", MEDIA, 9000)
    series |= overlapping("mpu_fullest_upload_parts", azure, 9000)
    query = query_of("mpu-overview", "Parts of the fullest upload, the 10 fullest")
    expected = {'{target="prod",bucket="media"}': 0.9, '{target="blobs",bucket="media"}': 0.18}
    assert wrong(tmp_path, query, series, expected) == ""


class TestCleanUp:
    def test_a_rule_for_a_part_of_the_bucket_is_a_rule(self, tmp_path: Path):
        series = overlapping("mpu_stale_uploads", MEDIA, 5) | overlapping("mpu_stale_uploads", LOGS, 5)
        for bucket, prefix in ((MEDIA, 1), (LOGS, 0)):
            series |= overlapping("mpu_abort_rule_present", f'{bucket},scope="bucket"', 0)
            series |= overlapping("mpu_abort_rule_present", f'{bucket},scope="prefix"', prefix)
        query = query_of("mpu-overview", "Buckets with stale uploads and no abort rule")
        assert wrong(tmp_path, query, series, {"{}": 1}) == ""

    def test_a_bucket_without_a_rule_shows_0_one_not_asked_about_nothing(self, tmp_path: Path):
        series = overlapping("mpu_abort_rule_present", f'{LOGS},scope="bucket"', 0)
        series |= overlapping("mpu_abort_rule_present", f'{MEDIA},scope="bucket"', 1)
        series |= overlapping("mpu_abort_rule_seconds", f'{MEDIA},scope="bucket"', 604800)
        series |= overlapping("mpu_abort_rule_seconds", f'{MEDIA},scope="prefix"', 86400)
        series |= overlapping("mpu_uploads_in_progress", MEDIA.replace("media", "unread"), 1)
        blobs = MEDIA.replace("s3", "azure")
        series |= overlapping("mpu_abort_rule_seconds", f'{blobs},scope="store"', 604801)
        expected = {f"{{{LOGS}}}": 0, f"{{{MEDIA}}}": 604800, f"{{{blobs}}}": 604801}
        assert wrong(tmp_path, query_of("mpu-overview", "Buckets", "G"), series, expected) == ""


def test_groups_without_a_name_are_all_others_and_empty_ones_left_out(tmp_path: Path):
    series = overlapping("mpu_prefix_uploads", f'{MEDIA},prefix=""', 3)
    series |= overlapping("mpu_prefix_uploads", f'{MEDIA},prefix="db/"', 1)
    series |= overlapping("mpu_prefix_uploads", f'{LOGS},prefix=""', 0)
    series |= overlapping("mpu_prefix_bytes", f'{MEDIA},prefix="db/"', 100)
    group = 'job="mpu",target="prod",bucket="media",prefix'
    expected = {f'{{{group}="(all others)"}}': 3, f'{{{group}="db/"}}': 1}
    assert wrong(tmp_path, query_of("mpu-overview", "Uploads by prefix"), series, expected) == ""


class TestShards:
    def test_present_are_different_ordinals(self, tmp_path: Path):
        """Two pods are shard 0 for a moment, and shard 2 is missing."""
        series: dict[str, str] = {}
        for pod, ordinal in (("a-0", 0), ("b-0", 0), ("a-1", 1)):
            series[f'mpu_shard_ordinal{{job="mpu",pod="{pod}"}}'] = f"{ordinal}+0x10"
            series[f'mpu_shards{{job="mpu",pod="{pod}"}}'] = "3+0x10"
        wanted, present = (query_of("mpu-health", "Shards: wanted and present", ref) for ref in "AB")
        assert wrong(tmp_path, wanted, series, {'{job="mpu"}': 3}) == ""
        assert wrong(tmp_path, present, series, {'{job="mpu"}': 2}) == ""
        expected = {'{job="mpu",ordinal="0"}': 2, '{job="mpu",ordinal="1"}': 1}
        assert wrong(tmp_path, query_of("mpu-health", "Exporters by shard"), series, expected) == ""

    def test_requests_of_all_shards_add_up(self, tmp_path: Path):
        series = {
            f'mpu_api_requests_total{{job="mpu",target="prod",operation="ListParts",pod="{pod}"}}': "0+60x10"
            for pod in ("a-0", "a-1")
        }
        query = query_of("mpu-health", "Requests, by target")
        assert wrong(tmp_path, query, series, {'{target="prod"}': 2}) == ""


class TestZero:
    """Where nothing fails there is a 0, and no 0 beside what fails."""

    def test_reasons(self, tmp_path: Path):
        query = query_of("mpu-health", "Buckets failing, by reason")
        good = overlapping("mpu_scan_success", MEDIA, 1)
        assert wrong(tmp_path, query, good, {'{reason="none"}': 0}) == ""
        bad = overlapping("mpu_scan_failing", f'{LOGS},reason="tls"', 1) | overlapping(
            "mpu_scan_success", LOGS, 0
        )
        assert wrong(tmp_path, query, good | bad, {'{reason="tls"}': 1}) == ""

    def test_throttling(self, tmp_path: Path):
        query = query_of("mpu-health", "Throttled requests")
        requests = {'mpu_api_requests_total{job="mpu",target="prod",operation="ListParts"}': "0+60x10"}
        assert wrong(tmp_path, query, requests, {'{target="prod"}': 0}) == ""
        labels = 'job="mpu",target="prod",operation="ListParts",reason="throttled"'
        throttled = {f"mpu_api_request_failures_total{{{labels}}}": "0+15x10"}
        assert wrong(tmp_path, query, requests | throttled, {'{target="prod"}': 0.25}) == ""

    def test_discovery(self, tmp_path: Path):
        query = query_of("mpu-health", "Targets whose buckets cannot be listed")
        watched = overlapping("mpu_scan_interval_seconds", 'job="mpu",target="prod"', 300)
        assert wrong(tmp_path, query, watched, {"{}": 0}) == ""
        failing = overlapping("mpu_discovery_success", 'job="mpu",target="prod"', 0)
        assert wrong(tmp_path, query, watched | failing, {"{}": 1}) == ""
