"""The same listing by rclone, a program in Go: whole processes, from their start to their end."""

import json
import os
from pathlib import Path

from bench import fresh, nginx
from bench.account import KEYS, REGION
from bench.measure import Cost, take_turns
from bench.ours import target
from bench.pages import PAGE, Bucket
from bench.verdict import Row, against_server, at_least


def rclone_100k(rounds: int) -> Row:
    """Compare a process that loads a config and scans with one of rclone's."""
    bucket = Bucket("media", 100_000)
    with nginx.serving(bucket) as server:
        scan = target(server.url, bucket.name, parts="never")
        mine, rclones, fastest = take_turns(
            rounds,
            lambda: fresh.scan(server.folder, scan, bucket),
            lambda: _rclone(server, bucket),
            lambda: server.uploads(bucket, connections=1),
        )
    checks = [
        at_least("times less CPU", rclones.cpu / mine.cpu, 1),
        at_least("times faster", rclones.wall / mine.wall, 1),
    ]
    pages = bucket.uploads // PAGE
    return against_server(checks, _per_page(mine, pages), _per_page(rclones, pages), fastest, pages=pages)


def _rclone(server: nginx.Nginx, bucket: Bucket) -> Cost:
    output = server.folder / "rclone.json"
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
    command = ["rclone", "backend", "list-multipart-uploads", f":s3:{bucket.name}"]
    used = fresh.run(command, output, environment)
    _check(output, bucket)
    return used


def _check(output: Path, bucket: Bucket) -> None:
    """Raise AssertionError where rclone missed an upload."""
    found = json.loads(output.read_text(encoding="utf-8"))
    assert list(found) == [bucket.name]
    assert len(found[bucket.name]) == bucket.uploads


def _per_page(cost: Cost, pages: int) -> Cost:
    return Cost(cost.wall / pages, cost.cpu / pages)
