"""Whole processes that list and size a bucket, start-up included: ours, plain boto3, rclone, an older build.

Plain boto3 runs on one thread, as ours does: more threads do not make it faster, since Python's lock lets
only one of them run.
"""

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bench import fresh, nginx
from bench.account import KEYS, REGION
from bench.blobpages import Container
from bench.builds import TODAY, Build, Builds
from bench.measure import Cost, alternate, cpu_ratio, median, wall_ratio
from bench.ours import target, write_config
from bench.pages import OBS, Bucket
from bench.verdict import Row, at_least, at_most, figure, in_seconds, verdict
from servers.google import Identities
from servers.standin import StandIn

BY_OBS_SDK = "17c247c"
"""A build whose calls to OBS went through Huawei's SDK, which in later ones only signs."""


def size_20000x3(rounds: int, builds: Builds) -> Row:
    """Compare many uploads of few parts with plain boto3."""
    return _sized(rounds, builds, Bucket("media", 20_000, 3), less_cpu=22, faster=18)


def size_200x1000(rounds: int, builds: Builds) -> Row:
    """Compare few uploads, each of a full page of parts, with plain boto3."""
    return _sized(rounds, builds, Bucket("media", 200, 1000), less_cpu=40, faster=30)


def list_100k(rounds: int, builds: Builds) -> Row:
    """Compare a listing with plain boto3 and with rclone, a program in Go."""
    bucket = Bucket("media", 100_000)
    with nginx.serving(bucket) as server:
        config = write_config(server.folder, target(server.url, bucket.name, parts="never"))
        mine, plain, rclone = alternate(
            rounds,
            lambda: scan(builds.present, config, bucket),
            lambda: _plain(builds.present, server, bucket),
            lambda: _rclone(server, bucket),
        )
        pages_per_s = server.uploads(bucket, connections=1).rate
    checks = [
        at_least("times less CPU than boto3", cpu_ratio(plain, mine), 16),
        at_least("times faster than boto3", wall_ratio(plain, mine), 14),
        at_least("times less CPU than rclone", cpu_ratio(rclone, mine), 1),
        at_least("times faster than rclone", wall_ratio(rclone, mine), 1),
    ]
    sides = {"ours": in_seconds(median(mine)), "baseline": in_seconds(median(plain))}
    return verdict(checks, **sides, rclone=in_seconds(median(rclone)), server_per_s=figure(pages_per_s))


def obs_5000x3(rounds: int, builds: Builds) -> Row:
    """Compare a bucket of Huawei OBS, listed and sized, with two older builds."""
    bucket, commits = Bucket("media", 5000, 3, namespace=OBS), (TODAY, BY_OBS_SDK)
    each = [builds.present, *map(builds.older, commits)]
    with nginx.serving(bucket) as server:
        config = write_config(server.folder, target(server.url, bucket.name) | {"store": "obs"})
        mine, *before = alternate(rounds, *(partial(scan, build, config, bucket) for build in each))
    checks = [
        at_most(f"times the CPU of {commit}", cpu_ratio(mine, costs), 0.4)
        for commit, costs in zip(commits, before, strict=True)
    ]
    shown = {commit: in_seconds(median(costs)) for commit, costs in zip(commits, before, strict=True)}
    return verdict(checks, ours=in_seconds(median(mine)), baseline=shown)


def gcs_20000x3(rounds: int, builds: Builds) -> Row:
    """Compare Google Cloud Storage, with the metadata server's token, with S3: the same pages and build."""
    bucket = Bucket("media", 20_000, 3)
    with nginx.serving(bucket) as server, StandIn(Identities()) as metadata:
        signed = target(server.url, bucket.name)
        google = {name: signed[name] for name in ("name", "buckets", "endpoint_url", "scan")} | {
            "store": "gcs"
        }
        configs = [write_config(server.folder / str(each["store"]), each) for each in (google, signed)]
        environment = fresh.ENVIRONMENT | {"GCE_METADATA_HOST": f"127.0.0.1:{metadata.port}"}
        mine, s3 = alternate(
            rounds, *(partial(scan, builds.present, config, bucket, environment) for config in configs)
        )
    checks = [
        at_most("times the CPU of S3", cpu_ratio(mine, s3), 1.1),
        at_most("times the time of S3", wall_ratio(mine, s3), 1.1),
    ]
    return verdict(checks, ours=in_seconds(median(mine)), baseline=in_seconds(median(s3)))


def scan(
    build: Build,
    config: Path,
    bucket: Bucket | Container,
    environment: Mapping[str, str] = fresh.ENVIRONMENT,
) -> Cost:
    """Run `mpu-exporter scan`; raises AssertionError where it did not find all."""
    output = config.with_name("scan.json")
    command = build.program("scan", f"--config.file={config}", "--format=json", "--log.level=warning")
    used = fresh.run(command, output, environment)
    [found] = json.loads(output.read_text(encoding="utf-8"))["buckets"]
    uploads, parts, size = bucket.totals
    known = (parts, size) if bucket.parts else (None, None)
    values = found["values"]
    assert (values["uploads"], values["parts"], values["bytes"]) == (uploads, *known), found
    return used


def _sized(rounds: int, builds: Builds, bucket: Bucket, *, less_cpu: float, faster: float) -> Row:
    with nginx.serving(bucket) as server:
        config = write_config(server.folder, target(server.url, bucket.name))
        mine, plain = alternate(
            rounds,
            lambda: scan(builds.present, config, bucket),
            lambda: _plain(builds.present, server, bucket),
        )
        answers_per_s = server.parts(bucket, connections=32).rate
    checks = [
        at_least("times less CPU", cpu_ratio(plain, mine), less_cpu),
        at_least("times faster", wall_ratio(plain, mine), faster),
    ]
    sides = {"ours": in_seconds(median(mine)), "baseline": in_seconds(median(plain))}
    return verdict(checks, **sides, server_per_s=figure(answers_per_s))


def _plain(build: Build, server: nginx.Nginx, bucket: Bucket) -> Cost:
    """Run plain boto3 on the same bucket, started as the build is."""
    arguments = [server.url, bucket.name, str(bucket.uploads), str(bucket.parts)]
    return fresh.run(build.script("plainscan.py", *arguments), server.folder / "plain", fresh.ENVIRONMENT)


def _rclone(server: nginx.Nginx, bucket: Bucket) -> Cost:
    """Run rclone; raises AssertionError where it missed an upload."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(server.folder),
        "RCLONE_CONFIG": "",
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENDPOINT": server.url,
        "RCLONE_S3_REGION": REGION,
        "RCLONE_S3_FORCE_PATH_STYLE": "true",
        "RCLONE_S3_ACCESS_KEY_ID": KEYS[0],
        "RCLONE_S3_SECRET_ACCESS_KEY": KEYS[1],
    }
    output = server.folder / "rclone.json"
    command = ["rclone", "backend", "list-multipart-uploads", f":s3:{bucket.name}"]
    used = fresh.run(command, output, environment)
    found = json.loads(output.read_text(encoding="utf-8"))
    assert {name: len(uploads) for name, uploads in found.items()} == {bucket.name: bucket.uploads}
    return used
