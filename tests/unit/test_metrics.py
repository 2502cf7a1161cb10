"""The families, read without the exposition: each shows its own number, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from unit.example_board import AGES, SUMMARY, metric_values

from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics
from exporter.metrics.targets import TargetCollector
from exporter.model.errors import Reason
from exporter.model.results import ScanResult, Summary
from exporter.model.targets import Discovery, TargetStatus
from exporter.state.board import Board, Entry

DISTINCT = replace(
    SUMMARY,
    uploads=11,
    undated=2,
    unsized=3,
    empty=4,
    parts=5,
    bytes=6,
    stale=7,
    stale_bytes=8,
    fullest_upload_parts=14,
    oldest_initiated=9.0,
    oldest_activity=10.0,
    unlisted=13,
    denied=12,
)


def test_each_gauge_shows_its_own_number():
    shown = metric_values(DISTINCT)
    assert [
        shown[f"mpu_{name}"]
        for name in (
            *("uploads_in_progress", "undated_uploads", "unsized_uploads", "empty_uploads", "pending_parts"),
            *("pending_bytes", "stale_uploads", "stale_bytes"),
            *("oldest_initiated_timestamp_seconds", "oldest_activity_timestamp_seconds"),
            *("unlisted_uploads", "denied_uploads", "fullest_upload_parts"),
        )
    ] == [11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 12, 14]


def test_what_is_not_known_has_no_sample():
    unknown = replace(
        DISTINCT,
        bytes=None,
        parts=None,
        empty=None,
        stale_bytes=None,
        fullest_upload_parts=None,
        bytes_by_class=(),
        oldest_initiated=None,
        oldest_activity=None,
    )
    gone = {
        "mpu_pending_bytes",
        "mpu_pending_parts",
        "mpu_fullest_upload_parts",
        "mpu_empty_uploads",
        "mpu_stale_bytes",
        "mpu_pending_bytes_by_class",
        "mpu_oldest_initiated_timestamp_seconds",
        "mpu_oldest_activity_timestamp_seconds",
    }
    assert gone & set(metric_values(DISTINCT)) == gone
    assert gone & set(metric_values(unknown)) == set()
    assert "mpu_unsized_uploads" not in metric_values(replace(unknown, unsized=0, parts_known=False))


@pytest.mark.parametrize(
    ("kind", "summary"), [("glacier", DISTINCT), ("s3", replace(DISTINCT, parts_known=False))]
)
def test_where_nothing_is_asked_by_name_what_a_listing_hides_has_no_sample(kind: str, summary: Summary):
    board = Board()
    board.declare([Entry("t", "b", kind, 60.0, AGES)])
    board.publish(("t", "b"), ScanResult(summary, finished=2.0, duration=1.0))
    shown = {family.name for family in BoardCollector(board).collect()}
    assert "mpu_uploads_in_progress" in shown
    assert {"mpu_unlisted_uploads", "mpu_denied_uploads"} & shown == set()


class AnyStore:
    operations = ("ListMultipartUploads", "ListParts")
    signing_region = "eu-west-1"


TARGET = TargetSettings(
    "prod",
    StoreKind.S3,
    (BucketSettings("a"), BucketSettings("b")),
    ScanSettings(interval=77.0),
    endpoint_url="https://s3.example:9000/path",
    stale_after=88.0,
    labels=(("team", "media"),),
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [(None, "https://media1.blob.core.windows.net"), ("https://10.0.0.9/media1", "https://10.0.0.9")],
)
def test_a_target_on_azure_shows_whose_containers_it_watches(url: str | None, shown: str):
    azure = TargetSettings("az", StoreKind.AZURE, TARGET.buckets, account="media1", endpoint_url=url)
    registry = CollectorRegistry()
    registry.register(TargetCollector(lambda: [TargetStatus(azure, azure.buckets)]))
    labels = {"target": "az", "store": "azure", "endpoint_url": shown, "signing_region": ""}
    assert registry.get_sample_value("mpu_target_info", labels) == 1.0


def test_what_is_said_of_a_target():
    registry = CollectorRegistry()
    registry.register(TargetCollector(lambda: [TargetStatus(TARGET, TARGET.buckets, "eu-west-1")]))
    assert registry.get_sample_value("mpu_scan_interval_seconds", {"target": "prod"}) == 77.0
    assert registry.get_sample_value("mpu_stale_after_seconds", {"target": "prod"}) == 88.0
    assert registry.get_sample_value("mpu_target_buckets", {"target": "prod"}) == 2.0
    labels = {
        "target": "prod",
        "store": "s3",
        "endpoint_url": "https://s3.example:9000",
        "signing_region": "eu-west-1",
        "team": "media",
    }
    assert registry.get_sample_value("mpu_target_info", labels) == 1.0


def test_the_servers_of_a_target_of_many_nodes_are_joined():
    target = replace(TARGET, endpoint_url=None, endpoint_urls=("http://a:1/x", "http://b:2"))
    registry = CollectorRegistry()
    registry.register(TargetCollector(lambda: [TargetStatus(target, target.buckets)]))
    [info] = [f for f in registry.collect() if f.name == "mpu_target"]
    assert info.samples[0].labels["endpoint_url"] == "http://a:1,http://b:2"


@pytest.mark.parametrize(
    ("discovery", "shown"),
    [(None, None), (Discovery(), None), (Discovery(success=True), 1.0), (Discovery(success=False), 0.0)],
)
def test_whether_buckets_were_found_is_said_once_it_was_tried(discovery, shown):
    registry = CollectorRegistry()
    registry.register(TargetCollector(lambda: [TargetStatus(TARGET, TARGET.buckets, discovery=discovery)]))
    assert registry.get_sample_value("mpu_discovery_success", {"target": "prod"}) == shown


def test_a_forgotten_target_has_no_counters_and_gets_none_until_it_is_watched_again():
    registry = CollectorRegistry()
    work = ExporterMetrics(registry)
    other = replace(TARGET, name="other")
    work.preset([(TARGET, AnyStore()), (other, AnyStore())])
    work.request_sent("prod", "ListParts")
    work.forget("prod")
    work.request_sent("prod", "ListParts")
    work.request_failed("prod", "ListParts", Reason.TLS)
    work.scan_failed("prod", Reason.TLS)
    work.requests_saved("prod", 1)
    work.concurrency_halved("prod")
    work.concurrency_restored("prod")
    targets = {s.labels.get("target") for family in registry.collect() for s in family.samples}
    assert targets == {None, "other"}
    work.preset([(TARGET, AnyStore())])
    work.request_sent("prod", "ListParts")
    labels = {"target": "prod", "operation": "ListParts"}
    assert registry.get_sample_value("mpu_api_requests_total", labels) == 1.0


def test_what_became_of_the_config_is_told_with_the_time_of_the_last_good_one():
    registry = CollectorRegistry()
    work = ExporterMetrics(registry)
    work.config_read(used=True, now=5.0)
    work.config_read(used=False, now=6.0)
    assert registry.get_sample_value("mpu_config_last_reload_successful") == 0.0
    assert registry.get_sample_value("mpu_config_last_reload_success_timestamp_seconds") == 5.0


def test_own_work_begins_at_zero_for_every_reason_and_operation_and_counts():
    registry = CollectorRegistry()
    work = ExporterMetrics(registry)
    work.preset([(TARGET, AnyStore())])

    def failures(reason):
        return registry.get_sample_value("mpu_scan_failures_total", {"target": "prod", "reason": reason})

    assert {failures(reason) for reason in Reason} == {0.0}
    for operation in AnyStore.operations:
        labels = {"target": "prod", "operation": operation}
        assert registry.get_sample_value("mpu_api_requests_total", labels) == 0.0
    for name in ("halved", "restored"):
        assert registry.get_sample_value(f"mpu_concurrency_{name}_total", {"target": "prod"}) == 0.0
    work.scan_failed("prod", Reason.TLS)
    work.request_sent("prod", "ListParts")
    work.request_failed("prod", "ListParts", Reason.TLS)
    assert failures("tls") == 1.0
    labels = {"target": "prod", "operation": "ListParts"}
    assert registry.get_sample_value("mpu_api_requests_total", labels) == 1.0
    assert registry.get_sample_value("mpu_api_request_failures_total", labels | {"reason": "tls"}) == 1.0


def test_requests_are_counted_under_their_own_target_and_operation_each_time():
    registry = CollectorRegistry()
    work = ExporterMetrics(registry)
    work.preset([(replace(TARGET, name=name), AnyStore()) for name in ("prod", "test")])
    sent = [("prod", "ListParts"), ("prod", "HeadBucket"), ("test", "ListParts"), ("prod", "ListParts")]
    for target, operation in sent:
        work.request_sent(target, operation)
    counted = {
        (target, operation): registry.get_sample_value(
            "mpu_api_requests_total", {"target": target, "operation": operation}
        )
        for target, operation in sent
    }
    assert counted == {("prod", "ListParts"): 2, ("prod", "HeadBucket"): 1, ("test", "ListParts"): 1}


def test_halvings_and_restorings_are_counted_apart():
    registry = CollectorRegistry()
    work = ExporterMetrics(registry)
    work.preset([(TARGET, AnyStore())])
    work.concurrency_halved("prod")
    work.concurrency_halved("prod")
    work.concurrency_restored("prod")
    assert registry.get_sample_value("mpu_concurrency_halved_total", {"target": "prod"}) == 2.0
    assert registry.get_sample_value("mpu_concurrency_restored_total", {"target": "prod"}) == 1.0
