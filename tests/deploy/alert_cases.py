"""For each alert what is just not worth it, what just is, and what the alert then says."""

from __future__ import annotations

from dataclasses import dataclass, field

BUCKET = {"target": "prod", "store": "s3", "bucket": "media"}
TARGET = {"target": "prod"}
KEPT = {"job": "mpu-exporter", "namespace": "monitoring"}
Series = dict[tuple[str, frozenset[tuple[str, str]]], str]


def series(name: str, values: str, **labels: str) -> Series:
    """Return one series, its values in promtool's notation, one a minute."""
    return {(name, frozenset(labels.items())): values}


def bucket(name: str, values: str, **labels: str) -> Series:
    """Return a series of the bucket."""
    return series(name, values, **BUCKET, **labels)


def target(name: str, values: str, **labels: str) -> Series:
    """Return a series of the target."""
    return series(name, values, **TARGET, **labels)


def scraped(found: Series, cluster: str, pods: tuple[str, ...]) -> list[dict[str, str]]:
    """Return series as they are where each pod of a cluster has them."""
    inputs = []
    for (name, labels), values in found.items():
        for pod in pods:
            own = dict(labels)
            where = KEPT | {
                "cluster": cluster,
                "pod": own.pop("pod", pod),
                "container": "exporter",
                "endpoint": "http",
            }
            where["instance"] = f"{where['pod']}.{cluster}:19340"
            inner = ",".join(f'{label}="{text}"' for label, text in sorted((own | where).items()))
            inputs.append({"series": f"{name}{{{inner}}}", "values": values})
    return inputs


@dataclass(frozen=True)
class Case:
    """One alert on both sides of its threshold. `since` is the minute from which its expression holds."""

    alert: str
    good: Series
    bad: Series
    description: str
    labels: dict[str, str] = field(default_factory=lambda: BUCKET)
    since: int = 0
    pods: tuple[str, ...] = ("mpu-0", "mpu-1")
    """Where the series are, in each cluster: two pods overlap, if the alert is not about pods."""


def simple(alert: str, metric: str, good: str, bad: str, description: str) -> Case:
    """Return the case of one metric of a bucket and a fixed threshold."""
    return Case(alert, bucket(metric, f"{good}x200"), bucket(metric, f"{bad}x200"), description)


CASES = [
    simple(
        *("MpuStaleUploads", "mpu_stale_uploads", "0", "1"),
        "Stale uploads in bucket media of prod: 1. Nobody has added to them for long, and their parts "
        "are billed until someone aborts them.",
    ),
    simple(
        *("MpuStaleBytesHigh", "mpu_stale_bytes", "1073741824", "1073741825"),
        "Stale uploads in bucket media of prod hold 1GiB, more than 1GiB.",
    ),
    simple(
        *("MpuStaleBytesCritical", "mpu_stale_bytes", "1099511627776", "1649267441664"),
        "Stale uploads in bucket media of prod hold 1.5TiB, more than 1TiB.",
    ),
    Case(
        "MpuPendingBytesHigh",
        bucket("mpu_pending_bytes", "5497558138880x200")
        | series("mpu_pending_bytes", "5497558138880x200", **TARGET, store="s3", bucket="other"),
        bucket("mpu_pending_bytes", "5497558138880x200")
        | series("mpu_pending_bytes", "5497558138881x200", **TARGET, store="s3", bucket="other"),
        "Multipart uploads in progress in all buckets of prod hold 10TiB, more than 10TiB, stale or not.",
        TARGET | {"store": "s3"},
    ),
    Case(
        "MpuUploadsGrowing",
        bucket("mpu_uploads_in_progress", "5x1439 1005x200"),
        bucket("mpu_uploads_in_progress", "5x1439 1006x200"),
        "Bucket media of prod has 1.001k more multipart uploads in progress than 1d ago: something "
        "begins uploads and does not finish them.",
        since=1440,
    ),
    simple(
        *("MpuUploadNearPartLimit", "mpu_fullest_upload_parts", "9000", "9001"),
        "The fullest upload in bucket media of prod has 90.01% of the parts that an upload may have. If its "
        "client needs more than all of them, it fails and has to begin anew.",
    ),
    Case(
        "MpuNoAbortRule",
        bucket("mpu_stale_uploads", "1x200")
        | bucket("mpu_abort_rule_present", "0x200", scope="bucket")
        | bucket("mpu_abort_rule_present", "1x200", scope="prefix"),
        bucket("mpu_stale_uploads", "1x200")
        | bucket("mpu_abort_rule_present", "0x200", scope="bucket")
        | bucket("mpu_abort_rule_present", "0x200", scope="prefix"),
        "Stale uploads in bucket media of prod: 1, and no lifecycle rule of the bucket aborts "
        "incomplete uploads. They stay until someone aborts them.",
    ),
    Case(
        "MpuAbortRuleOutlived",
        bucket("mpu_scan_last_success_timestamp_seconds", "1000000x200")
        | bucket("mpu_oldest_initiated_timestamp_seconds", "222400x200")  # 9 days
        | bucket("mpu_abort_rule_seconds", "604800x200", scope="bucket")
        | bucket("mpu_abort_rule_seconds", "86400x200", scope="prefix"),  # says nothing of the oldest
        bucket("mpu_scan_last_success_timestamp_seconds", "1000000x200")
        | bucket("mpu_oldest_initiated_timestamp_seconds", "222399x200")
        | bucket("mpu_abort_rule_seconds", "604800x200", scope="bucket")
        | bucket("mpu_abort_rule_seconds", "2592000x200", scope="prefix"),
        "The oldest upload in bucket media of prod is 2d 0h 0m 1s past the age at which the bucket's "
        "lifecycle rule, or the store itself, aborts uploads: that does not work.",
    ),
    simple(
        *("MpuAbortOverdue", "mpu_abort_overdue_uploads", "0", "1"),
        "Uploads in bucket media of prod that are more than 2 days past the date at which a lifecycle "
        "rule was to abort them: 1.",
    ),
    Case(
        "MpuTargetFailing",
        bucket("mpu_scan_success", "1 0x13 1 0x13 1 0x200")
        | bucket("mpu_scan_failing", "stale 1x13 stale 1x13 stale 1x8 stale", reason="timeout"),
        bucket("mpu_scan_success", "0x200") | bucket("mpu_scan_failing", "1x200", reason="access_denied"),
        "Buckets of prod without a good scan in the last 15m and 2.5 scan intervals, for the reason "
        "access_denied: 1. What is shown of them, if anything, is old.",
        TARGET | {"store": "s3", "reason": "access_denied"},
    ),
    Case(
        "MpuDiscoveryFailing",
        target("mpu_discovery_success", "1x200"),
        target("mpu_discovery_success", "0x200"),
        "The store of prod does not tell which buckets there are: new ones are not watched.",
        TARGET,
    ),
    Case(
        "MpuDiscoveryFindsNothing",
        target("mpu_target_buckets", "1x200") | target("mpu_discovery_success", "1x200"),
        target("mpu_target_buckets", "0x200") | target("mpu_discovery_success", "1x200"),
        "The store of prod tells which buckets there are, and none of them is watched: it shows the "
        "exporter's account none, or `include` and `exclude` drop them all.",
        TARGET,
    ),
    Case(
        "MpuDataTooOld",
        bucket("mpu_scan_last_success_timestamp_seconds", "-900+60x200")
        | target("mpu_scan_interval_seconds", "300x200"),
        bucket("mpu_scan_last_success_timestamp_seconds", "-901+60x200")
        | target("mpu_scan_interval_seconds", "300x200"),
        "The last good scan of bucket media of prod ended 3.0 scan intervals ago.",
    ),
    Case(
        "MpuScanSlow",
        bucket("mpu_scan_duration_seconds", "300x200") | target("mpu_scan_interval_seconds", "300x200"),
        bucket("mpu_scan_duration_seconds", "301x200") | target("mpu_scan_interval_seconds", "300x200"),
        "The last scan of bucket media of prod took 1.0 times the scan interval: what is shown is "
        "older than configured.",
    ),
    simple(
        *("MpuUnsizedUploads", "mpu_unsized_uploads", "0", "1"),
        "Uploads in bucket media of prod whose bytes are not known: 1. The bytes shown are too few.",
    ),
    simple(
        *("MpuListingHidesUploads", "mpu_unlisted_uploads", "0", "1"),
        "Uploads that bucket media of prod has and its listing lacks: 1. They are counted all the same, "
        "but others that the listing lacks may be unknown.",
    ),
    Case(
        "MpuStoreListsGhosts",
        bucket("mpu_denied_uploads", "0x600"),
        bucket("mpu_denied_uploads", "1x600"),
        "Uploads that bucket media of prod lists and then denies: 1. They are counted nowhere else, and "
        "nobody can abort them.",
    ),
    Case(
        "MpuThrottled",
        target("mpu_api_requests_total", "0+1000x200", operation="ListParts")
        | target("mpu_api_requests_total", "0+1000x200", operation="ListMultipartUploads")
        | target("mpu_api_request_failures_total", "0+99x200", operation="ListParts", reason="throttled")
        | target("mpu_api_request_failures_total", "0+500x200", operation="ListParts", reason="timeout"),
        target("mpu_api_requests_total", "0+1000x200", operation="ListParts")
        | target("mpu_api_requests_total", "0+1000x200", operation="ListMultipartUploads")
        | target("mpu_api_request_failures_total", "0+101x200", operation="ListParts", reason="throttled"),
        "The store of prod throttled 5.05% of the requests of the last 15m: scans are slower than they "
        "could be, and others that use the store may be slowed as well.",
        TARGET,
        since=1,
    ),
    Case(
        "MpuConfigReloadFailed",
        series("mpu_config_last_reload_successful", "1x200"),
        series("mpu_config_last_reload_successful", "0x200"),
        "mpu-exporter could not use its config when it last read it, and goes on with the one before: "
        "a restart would end it. Its log says what is wrong.",
        {},
    ),
    Case(
        "MpuExporterAbsent",
        series("mpu_exporter_build_info", "1x200", version="0.1.0"),
        series("mpu_exporter_build_info", "1x9 stale", version="0.1.0"),
        "No mpu-exporter of job mpu-exporter has answered Prometheus for a while: it does not run, starts "
        "again and again, or is not scraped. No other alert about multipart uploads can be trusted.",
        {},
        since=10,
        pods=("mpu-0",),
    ),
    Case(
        "MpuShardMissing",
        series("mpu_shards", "3x200")
        | series("mpu_shard_ordinal", "0x200", pod="mpu-0")
        | series("mpu_shard_ordinal", "1x200", pod="mpu-1")
        | series("mpu_shard_ordinal", "2x200", pod="mpu-2"),
        series("mpu_shards", "3x200")
        | series("mpu_shard_ordinal", "0x200", pod="mpu-0")
        | series("mpu_shard_ordinal", "1x9 stale", pod="mpu-1")
        | series("mpu_shard_ordinal", "2x200", pod="mpu-2"),
        "Of the shards of mpu-exporter number 1 does not answer Prometheus, or starts again and again: "
        "nobody watches its buckets.",
        {"ordinal": "1"},
        since=10,
    ),
    Case(
        "MpuShardDoubled",
        series("mpu_shard_ordinal", "0x200", pod="mpu-0") | series("mpu_shard_ordinal", "1x200", pod="mpu-1"),
        series("mpu_shard_ordinal", "0x200", pod="mpu-0") | series("mpu_shard_ordinal", "0x200", pod="mpu-1"),
        "2 exporters are shard 0: each scans the same buckets, and each scan is paid for.",
        {"ordinal": "0"},
        pods=("",),
    ),
    Case(
        "MpuShardsDisagree",
        series("mpu_shards", "3x200", pod="mpu-0") | series("mpu_shards", "3x200", pod="mpu-1"),
        series("mpu_shards", "3x200", pod="mpu-0") | series("mpu_shards", "4x200", pod="mpu-1"),
        "The shards of mpu-exporter do not agree about their number, which differs by 1: some buckets "
        "are watched twice or not at all.",
        {},
        pods=("",),
    ),
]
