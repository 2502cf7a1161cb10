"""The demo's uploads: many abandoned ones, and a few that still grow."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from exporter.cli.demo.server import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3.type_defs import BucketLifecycleConfigurationTypeDef

KIB = 1024
GROWTH_SECONDS = 2.0
GROWING = 6
LAST_PART = 100
"""After this part a growing upload starts again at part 1, so that memory stays bounded."""
BUCKETS: dict[str, list[tuple[str, int, int]]] = {
    # bucket: key, parts, bytes of a part
    "media": [(f"video/{number:03}.mp4", 1 + number % 5, 64 * KIB) for number in range(120)],
    "backups": [(f"db/2026-{number:03}.dump", 3 + number % 8, 128 * KIB) for number in range(24)],
    "logs": [(f"host-{number % 9}/{number:03}.gz", number % 2, 8 * KIB) for number in range(150)],
    "empty": [],
}


ABORT_RULE: BucketLifecycleConfigurationTypeDef = {
    "Rules": [
        {
            "ID": "abort",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}
"""Lifecycle configuration of one of the buckets; the others have none."""


def _session() -> boto3.Session:
    """Return a session that looks for no profile and into no file of the user's SDK."""
    nothing = (None, None, None, None)
    none = (None, None, os.devnull, None)
    variables = {"profile": nothing, "config_file": none, "credentials_file": none}
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))


class DemoUploads:
    """Fills the buckets, then lets a few uploads grow while the `with` block lasts."""

    def __init__(self, endpoint_url: str) -> None:
        """Make a client for the demo's server."""
        self._client = _session().client(
            "s3",
            endpoint_url=endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=16, proxies={}),
            verify=True,  # over plain HTTP nothing is: botocore would refuse an empty AWS_CA_BUNDLE
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._grow, name="demo uploads", daemon=True)
        self._growing: list[tuple[str, str]] = []
        self.planned = sum(map(len, BUCKETS.values())) + GROWING

    def __enter__(self) -> Self:
        """Return self; nothing is sent yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop growing."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(GROWTH_SECONDS)

    def begin(self) -> None:
        """Make all uploads, then keep some growing in the background."""
        for bucket in BUCKETS:
            self._client.create_bucket(Bucket=bucket)
        self._client.put_bucket_lifecycle_configuration(Bucket="media", LifecycleConfiguration=ABORT_RULE)
        pool = ThreadPoolExecutor(8)
        try:
            jobs = [
                pool.submit(self._upload, bucket, *plan)
                for bucket, plans in BUCKETS.items()
                for plan in plans
            ]
            for job in jobs:
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)  # where a signal came in between, nobody waits for the rest
        self._growing = [
            (key, self._upload("media", key, 1, 32 * KIB))
            for key in (f"live/camera-{number}.ts" for number in range(GROWING))
        ]
        self._thread.start()

    def _upload(self, bucket: str, key: str, parts: int, size: int) -> str:
        upload_id: str = self._client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        for number in range(1, parts + 1):
            self._client.upload_part(
                Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=bytes(size)
            )
        return upload_id

    def _grow(self) -> None:
        number = 1
        while not self._stop.wait(GROWTH_SECONDS):
            number = number % LAST_PART + 1
            for key, upload_id in self._growing:
                try:
                    self._client.upload_part(
                        Bucket="media", Key=key, UploadId=upload_id, PartNumber=number, Body=bytes(32 * KIB)
                    )
                except (BotoCoreError, ClientError):
                    return  # the server is being ended
