"""The chart's alerts on real parts: exporter, Prometheus, Alertmanager, and who is told, with what words.

Thresholds and times are short; the rules are those that the chart renders.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deploy.charts import find, render
from servers.alerting import Alerting, Notice, alerting
from servers.exporter import Exporter, serving, target
from servers.fill import fill
from servers.prometheus import job
from servers.s3 import PARTS, S3, UPLOADS, Fault, Part, Upload, error, iso
from servers.standin import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.ceph import Ceph

    Items = list[dict[str, str | None]]

DAY = 86400.0
SECOND = {"interval": "1s", "timeout": "1m", "retries": 0}


def rules(**own: dict[str, object]) -> list[dict[str, Any]]:
    """Return the chart's rules, quick to fire and to resolve, and `own` thresholds by alert."""
    names = [rule["alert"] for rule in groups({})[0]["rules"]]
    quick = {name: {"for": "1s", "keepFiringFor": ""} | own.get(name, {}) for name in names}
    return groups(quick)


def groups(values: dict[str, dict[str, object]]) -> list[dict[str, Any]]:
    text = json.dumps({"prometheusRule": {"enabled": True}, "alerts": {"rules": values}})
    found: list[dict[str, Any]] = find("PrometheusRule", render(text))["spec"]["groups"]
    return found


def told_now(alerts: Alerting) -> set[str]:
    """Return what has fired, but for the exporter's absence before its first scrape."""
    return {notice.name for notice in list(alerts.inbox.notices)} - {"MpuExporterAbsent"}


def says(notice: Notice) -> str:
    """Return what an alert says, once it is sure that a person can read it."""
    text = notice.annotations["description"]
    assert notice.annotations["summary"].endswith(".")
    assert notice.annotations["runbook_url"].endswith(f"/{notice.name}.md")
    assert not re.search(r"\{\{|\}\}|no value|%!|error", text)
    return text


def run_command(notice: Notice, folder: Path) -> list[str]:
    """Run an alert's command as it stands, where the config is; return the rows of its table."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", notice.annotations["command"]],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[1:]


def ceph_target(ceph: Ceph, name: str, **own: object) -> dict[str, object]:
    keys = {"access_key_id": ceph.mpu.access_key, "secret_access_key": ceph.mpu.secret_key}
    usual = {"store": "s3", "endpoint_url": ceph.endpoint_url, "region": "default"}
    return {"name": name, "addressing_style": "path", "credentials": keys, "scan": SECOND, **usual, **own}


def put(ceph: Ceph, bucket: str, *sizes: int) -> None:
    """Begin uploads of one part each."""
    keys = [f"key-{time.monotonic_ns()}-{n}" for n in range(len(sizes))]
    fill(ceph.client(), bucket, keys, lambda n: {1: sizes[n]})


def abort_all(ceph: Ceph, bucket: str) -> None:
    client = ceph.client()
    for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]:
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


class TestUploadsOnCeph:
    def test_bytes_that_are_left_behind(self, ceph: Ceph, ceph_bucket: str, tmp_path: Path):
        limits = rules(
            MpuStaleBytesHigh={"threshold": 1024},
            MpuStaleBytesCritical={"threshold": 2048},
            MpuPendingBytesHigh={"threshold": 3072},
        )
        watched = ceph_target(ceph, "ceph", buckets=[ceph_bucket], stale_after="1s", lifecycle=True)
        with (
            serving(tmp_path, {"targets": [watched]}) as exporter,
            alerting(limits, job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_stale_uploads", 0)
            ladder = ["MpuStaleUploads", "MpuStaleBytesHigh", "MpuStaleBytesCritical", "MpuPendingBytesHigh"]
            told = []
            assert [n for n in ladder if alerts.inbox.told_of(n)] == []
            for step, (name, below) in enumerate(zip(ladder, (0, 1024, 2048, 3072), strict=True)):
                if below:
                    put(ceph, ceph_bucket, 1023)
                    alerts.settles("mpu_stale_bytes", below)
                    assert alerts.inbox.told_of(name) == []
                put(ceph, ceph_bucket, 1)
                told.append(says(alerts.inbox.wait_for(name, "firing")))
                assert [n for n in ladder if alerts.inbox.told_of(n)] == ladder[: step + 1]
            rows = run_command(alerts.inbox.wait_for("MpuStaleUploads", "firing"), tmp_path)
            assert [row.split()[:2] for row in rows] == [["ceph", ceph_bucket]] * 7
            where = f"bucket {ceph_bucket} of ceph"
            assert told[0].startswith(f"Stale uploads in {where}: 1. Nobody has added to them for long, ")
            assert told[1:] == [
                f"Stale uploads in {where} hold 1.001kiB, more than 1kiB.",
                f"Stale uploads in {where} hold 2.001kiB, more than 2kiB.",
                (
                    "Multipart uploads in progress in all buckets of ceph hold 3.001kiB, "
                    "more than 3kiB, stale or not."
                ),
            ]
            no_rule = says(alerts.inbox.wait_for("MpuNoAbortRule", "firing"))
            assert "no lifecycle rule of the bucket aborts incomplete uploads." in no_rule
            abort_all(ceph, ceph_bucket)
            for name in (*ladder, "MpuNoAbortRule"):
                alerts.inbox.wait_for(name, "resolved")
                assert alerts.inbox.told_of(name) == ["firing", "resolved"]

    def test_a_discovery_that_finds_nothing_until_there_is_a_bucket_and_a_store_that_cleans_up(
        self, ceph: Ceph, ceph_bucket: str, tmp_path: Path
    ):
        discover = {"include": [f"^{ceph_bucket}-new$"], "refresh": "1s"}
        own = {"stale_after": "1s", "lifecycle": True, "cleanup": {"by": "store", "after": "1d"}}
        client, new = ceph.client(), f"{ceph_bucket}-new"
        with (
            serving(
                tmp_path, {"targets": [ceph_target(ceph, "found", discover=discover, **own)]}
            ) as exporter,
            alerting(rules(), job(f"{exporter.url}/metrics")) as alerts,
        ):
            text = says(alerts.inbox.wait_for("MpuDiscoveryFindsNothing", "firing", target="found"))
            assert text.startswith("The store of found tells which buckets there are, and none of them is")
            client.create_bucket(Bucket=new)
            try:
                put(ceph, new, 1)
                alerts.inbox.wait_for("MpuDiscoveryFindsNothing", "resolved", target="found")
                alerts.inbox.wait_for("MpuStaleUploads", "firing", bucket=new)
                alerts.settles('mpu_abort_rule_present{scope="store"}', 1)
                assert alerts.inbox.told_of("MpuNoAbortRule") == []
            finally:
                abort_all(ceph, new)
                client.delete_bucket(Bucket=new)

    def test_an_upload_that_outlives_the_rule(self, ceph: Ceph, ceph_bucket: str, tmp_path: Path):
        rule = {
            "ID": "abort",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        client = ceph.client()
        client.put_bucket_lifecycle_configuration(
            Bucket=ceph_bucket, LifecycleConfiguration={"Rules": [rule]}
        )
        put(ceph, ceph_bucket, 1)
        [upload] = client.list_multipart_uploads(Bucket=ceph_bucket)["Uploads"]
        allowed = time.time() - upload["Initiated"].timestamp() + 20
        watched = ceph_target(ceph, "ceph", buckets=[ceph_bucket], stale_after="1s", lifecycle=True)
        with (
            serving(tmp_path, {"targets": [watched]}) as exporter,
            alerting(
                rules(MpuAbortRuleOutlived={"threshold": allowed - DAY}), job(f"{exporter.url}/metrics")
            ) as alerts,
        ):
            alerts.settles("mpu_abort_rule_seconds", DAY)
            assert alerts.inbox.told_of("MpuAbortRuleOutlived") == []
            text = says(alerts.inbox.wait_for("MpuAbortRuleOutlived", "firing"))
            assert time.time() - upload["Initiated"].timestamp() > allowed
            assert text.startswith(f"The oldest upload in bucket {ceph_bucket} of ceph is -23h 59m ")
            assert alerts.inbox.told_of("MpuNoAbortRule") == []
            abort_all(ceph, ceph_bucket)
            alerts.inbox.wait_for("MpuAbortRuleOutlived", "resolved")

    def test_uploads_that_become_more(self, ceph: Ceph, ceph_bucket: str, tmp_path: Path):
        limits = rules(MpuUploadsGrowing={"threshold": 5, "window": "5s", "for": "0s"})
        with (
            serving(tmp_path, {"targets": [ceph_target(ceph, "ceph", buckets=[ceph_bucket])]}) as exporter,
            alerting(limits, job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_uploads_in_progress", 0, 8)
            put(ceph, ceph_bucket, *[1] * 5)
            alerts.settles("mpu_uploads_in_progress", 5, 8)
            assert told_now(alerts) == set()
            put(ceph, ceph_bucket, *[1] * 6)
            text = says(alerts.inbox.wait_for("MpuUploadsGrowing", "firing"))
            assert re.match(
                rf"Bucket {ceph_bucket} of ceph has \d+ more multipart uploads in progress than 5s", text
            )
            alerts.inbox.wait_for("MpuUploadsGrowing", "resolved")

    def test_uploads_that_may_not_be_sized(self, ceph: Ceph, ceph_bucket: str, tmp_path: Path):
        watched = ceph_target(ceph, "ceph", buckets=[ceph_bucket], scan={**SECOND, "parts": "always"})
        refused = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:ListMultipartUploadParts",
            "Resource": f"arn:aws:s3:::{ceph_bucket}/*",
        }
        put(ceph, ceph_bucket, 1, 1)
        with (
            serving(tmp_path, {"targets": [watched]}) as exporter,
            alerting(rules(), job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_pending_bytes", 2)
            assert told_now(alerts) == set()
            policy = json.dumps({"Version": "2012-10-17", "Statement": [refused]})
            ceph.client().put_bucket_policy(Bucket=ceph_bucket, Policy=policy)
            text = says(alerts.inbox.wait_for("MpuUnsizedUploads", "firing"))
            assert text.startswith(f"Uploads in bucket {ceph_bucket} of ceph whose bytes are not known: 2.")
            ceph.client().delete_bucket_policy(Bucket=ceph_bucket)
            alerts.inbox.wait_for("MpuUnsizedUploads", "resolved")


class TestTroubleOnCeph:
    """Keys that stop to work and work again, a config that cannot be used, an exporter that is gone."""

    def test_a_store_that_lets_nobody_in(self, ceph: Ceph, ceph_bucket: str, tmp_path: Path):
        limits = rules(
            MpuTargetFailing={"window": "5s"},
            MpuDataTooOld={"threshold": 8},
            MpuDiscoveryFailing={"for": "2s"},
        )
        secret = tmp_path / "secret"
        secret.write_text(ceph.mpu.secret_key)
        keys = {"access_key_id": ceph.mpu.access_key, "secret_access_key_file": str(secret)}
        listed = ceph_target(ceph, "listed", buckets=[ceph_bucket], credentials=keys)
        found = ceph_target(
            *(ceph, "found"), discover={"include": [ceph_bucket], "refresh": "1s"}, credentials=keys
        )
        with (
            serving(tmp_path, {"targets": [listed, found]}) as exporter,
            alerting(limits, job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_scan_success", 1)
            assert told_now(alerts) == set()
            secret.write_text("wrong")
            for name in ("listed", "found"):
                failing = alerts.inbox.wait_for("MpuTargetFailing", "firing", target=name)
                assert failing.labels["reason"] == "credentials"
                assert says(failing) == (
                    f"Buckets of {name} without a good scan in the last 5s and 2.5 scan intervals, for the "
                    "reason credentials: 1. "
                    "What is shown of them, if anything, is old."
                )
                old = says(alerts.inbox.wait_for("MpuDataTooOld", "firing", target=name))
                assert re.search(
                    rf"bucket {ceph_bucket} of {name} ended (8|9|\d\d)\.\d scan intervals ago", old
                )
            assert "found does not tell" in says(alerts.inbox.wait_for("MpuDiscoveryFailing", "firing"))
            secret.write_text(ceph.mpu.secret_key)
            for name in ("listed", "found"):
                alerts.inbox.wait_for("MpuTargetFailing", "resolved", target=name)
                alerts.inbox.wait_for("MpuDataTooOld", "resolved", target=name)
            alerts.inbox.wait_for("MpuDiscoveryFailing", "resolved", target="found")

    def test_a_config_that_cannot_be_used_and_an_exporter_that_is_gone(
        self, ceph: Ceph, ceph_bucket: str, tmp_path: Path
    ):
        config = {"targets": [ceph_target(ceph, "ceph", buckets=[ceph_bucket])]}
        with (
            serving(tmp_path, config) as exporter,
            alerting(rules(), job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_config_last_reload_successful", 1)
            assert alerts.inbox.told_of("MpuConfigReloadFailed") == []
            reread(exporter, tmp_path, {"targets": []})
            failed = alerts.inbox.wait_for("MpuConfigReloadFailed", "firing")
            assert says(failed).startswith("mpu-exporter could not use its config")
            reread(exporter, tmp_path, config)
            alerts.inbox.wait_for("MpuConfigReloadFailed", "resolved")
            exporter.process.send_signal(signal.SIGSTOP)
            gone = alerts.inbox.wait_for("MpuExporterAbsent", "firing", job="test")
            assert says(gone).startswith("No mpu-exporter of job test has answered Prometheus")
            exporter.process.send_signal(signal.SIGCONT)
            alerts.inbox.wait_for("MpuExporterAbsent", "resolved", job="test")

    def test_an_exporter_that_was_never_there(self):
        with alerting(rules(), job("http://127.0.0.1:1/metrics")) as alerts:
            absent = alerts.inbox.wait_for("MpuExporterAbsent", "firing")
            assert says(absent).startswith("No mpu-exporter has answered Prometheus")


def reread(exporter: Exporter, folder: Path, config: dict[str, object]) -> None:
    (folder / "config.yaml").write_text(json.dumps(config))
    exporter.process.send_signal(signal.SIGHUP)


class TestStandIn:
    """What no real server can be brought to do within a minute."""

    @pytest.fixture
    def s3(self) -> S3:
        s3 = S3()
        s3.buckets["media"] = [Upload("a", "1", time.time() - 60, parts=[Part(1, 5)])]
        return s3

    def test_a_store_that_throttles_and_one_that_is_slow(self, s3: S3, tmp_path: Path):
        limits = rules(MpuThrottled={"window": "5s"})
        with (
            StandIn(s3) as server,
            serving(
                tmp_path, {"targets": [target("prod", server.url, "media", scan={**SECOND, "retries": 1})]}
            ) as exporter,
            alerting(limits, job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_scan_success", 1)
            assert told_now(alerts) == set()
            every_second = range(0, 10**6, 2)
            s3.faults.add(Fault(UPLOADS, on=every_second, reply=lambda _: error(503, "SlowDown")))
            text = says(alerts.inbox.wait_for("MpuThrottled", "firing"))
            assert re.match(r"The store of prod throttled \d[\d.]*% of the requests of the last 5s", text)
            s3.faults.clear()
            alerts.inbox.wait_for("MpuThrottled", "resolved")
            s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, delay_before_headers=1.5)))
            slow = says(alerts.inbox.wait_for("MpuScanSlow", "firing"))
            assert re.match(
                r"The last scan of bucket media of prod took [12]\.\d times the scan interval", slow
            )
            s3.faults.clear()
            alerts.inbox.wait_for("MpuScanSlow", "resolved")

    def test_uploads_past_their_abort_date(self, s3: S3, tmp_path: Path):
        def dated(days: float) -> Fault:
            date = formatdate(time.time() - days * DAY, usegmt=True)
            return Fault(
                PARTS,
                reply=lambda r: replace(r, headers={**r.headers, "x-amz-abort-date": date}) if r.body else r,
            )

        scan = {**SECOND, "parts": "always"}
        s3.faults.add(dated(1.9))
        with (
            StandIn(s3) as server,
            serving(tmp_path, {"targets": [target("prod", server.url, "media", scan=scan)]}) as exporter,
            alerting(rules(), job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_abort_scheduled_uploads", 1)
            assert alerts.inbox.told_of("MpuAbortOverdue") == []
            s3.faults.clear()
            s3.faults.add(dated(2.1))
            text = says(alerts.inbox.wait_for("MpuAbortOverdue", "firing"))
            assert text.endswith("a lifecycle rule was to abort them: 1.")
            s3.buckets["media"].clear()
            alerts.inbox.wait_for("MpuAbortOverdue", "resolved")

    def test_a_listing_that_hides_uploads_and_then_has_them_again(self, s3: S3, tmp_path: Path):
        s3.buckets["media"] = [fresh("a"), fresh("b")]
        with (
            StandIn(s3) as server,
            serving(tmp_path, {"targets": [target("prod", server.url, "media", scan=SECOND)]}) as exporter,
            alerting(rules(), job(f"{exporter.url}/metrics")) as alerts,
        ):
            alerts.settles("mpu_uploads_in_progress", 2)
            assert told_now(alerts) == set()
            s3.faults.add(bucket_wide(lambda _: []))
            text = says(alerts.inbox.wait_for("MpuListingHidesUploads", "firing"))
            assert text.startswith("Uploads that bucket media of prod has and its listing lacks: 2. They are")
            alerts.settles("mpu_pending_bytes", 10)
            assert told_now(alerts) == {"MpuListingHidesUploads"}
            s3.faults.clear()
            alerts.inbox.wait_for("MpuListingHidesUploads", "resolved")

    def test_an_old_upload_that_the_store_lists_and_denies_fires_nothing_else(self, s3: S3, tmp_path: Path):
        s3.buckets["media"] = [fresh("a")]
        ghost = {"Key": "ghost", "UploadId": "9", "Initiated": iso(time.time() - 100 * DAY)}
        s3.faults.add(bucket_wide(lambda items: [*items, dict(ghost)]))
        with (
            StandIn(s3) as server,
            serving(tmp_path, {"targets": [target("prod", server.url, "media", scan=SECOND)]}) as exporter,
            alerting(rules(), job(f"{exporter.url}/metrics")) as alerts,
        ):
            text = says(alerts.inbox.wait_for("MpuStoreListsGhosts", "firing"))
            assert text.startswith("Uploads that bucket media of prod lists and then denies: 1. They are")
            alerts.settles("mpu_uploads_in_progress", 1)
            assert told_now(alerts) == {"MpuStoreListsGhosts"}
            s3.faults.clear()
            alerts.inbox.wait_for("MpuStoreListsGhosts", "resolved")


def fresh(key: str) -> Upload:
    """Return an upload that is not stale."""
    return Upload(key, key, time.time() - 60, parts=[Part(1, 5, time.time())])


def bucket_wide(change: Callable[[Items], Items]) -> Fault:
    """Return a fault that changes what listings have, but for those of one key."""
    return Fault(
        UPLOADS,
        page=lambda page: page if page.fields["Prefix"] else replace(page, items=change(page.items)),
    )


class TestShards:
    def test_one_that_is_missing_and_then_one_that_is_there_twice(self, tmp_path: Path):
        with StandIn(S3()) as server, ExitStack() as started:

            def start(ordinal: int, total: int) -> Exporter:
                folder = tmp_path / f"{ordinal}-{total}-{time.monotonic_ns()}"
                folder.mkdir()
                config = {"targets": [target("prod", server.url, "media", scan=SECOND)]}
                flags = f"--shard.total={total}", f"--shard.ordinal={ordinal}"
                return started.enter_context(serving(folder, config, *flags))

            first, second, twin = start(0, 2), start(1, 2), start(1, 3)
            twin.process.send_signal(signal.SIGSTOP)
            urls = [f"{each.url}/metrics" for each in (first, second, twin)]
            pods = [job(url) for url in urls]
            together = {
                **pods[0],
                "static_configs": [config for pod in pods for config in pod["static_configs"]],
            }
            with alerting(rules(), together) as alerts:
                alerts.settles("count(mpu_shards == 2)", 2)
                assert told_now(alerts) & {"MpuShardMissing", "MpuShardDoubled", "MpuShardsDisagree"} == set()
                second.process.send_signal(signal.SIGSTOP)
                missing = alerts.inbox.wait_for("MpuShardMissing", "firing", ordinal="1")
                assert says(missing).startswith("Of the shards of mpu-exporter number 1 does not answer")
                second.process.send_signal(signal.SIGCONT)
                alerts.inbox.wait_for("MpuShardMissing", "resolved", ordinal="1")
                twin.process.send_signal(signal.SIGCONT)
                doubled = alerts.inbox.wait_for("MpuShardDoubled", "firing", ordinal="1")
                assert says(doubled).startswith("2 exporters are shard 1: ")
                differ = alerts.inbox.wait_for("MpuShardsDisagree", "firing")
                assert "their number, which differs by 1" in says(differ)
                never = alerts.inbox.wait_for("MpuShardMissing", "firing")
                assert says(never).startswith(
                    "Of the shards of mpu-exporter one that was never seen does not"
                )
                twin.process.send_signal(signal.SIGSTOP)
                for name in ("MpuShardDoubled", "MpuShardsDisagree"):
                    alerts.inbox.wait_for(name, "resolved")
                twin.process.send_signal(signal.SIGCONT)
