"""The rigs of S3: a bucket in the path, a bucket in the host name."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from contract.rigs import SCAN, Rig
from servers.s3 import S3, Upload, error
from servers.standin import StandIn

from exporter.config.settings import (
    BucketSettings,
    Credentials,
    ScanSettings,
    Secret,
    StoreKind,
    TargetSettings,
)
from exporter.stores.s3 import S3Store

BUCKET = "media"


@dataclass
class S3Rig(Rig):
    """A rig whose server can be told more than the suite asks of all."""

    s3: S3 | None = None


@contextmanager
def path_style(**changes: object) -> Iterator[S3Rig]:
    with _open("path", **changes) as rig:
        yield rig


@contextmanager
def virtual_host(**changes: object) -> Iterator[S3Rig]:
    with _open("virtual", **changes) as rig:
        yield rig


@contextmanager
def _open(
    style: str,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    name: str = "localhost",
    scan: ScanSettings = SCAN,
    bucket: BucketSettings | None = None,
    **settings: object,
) -> Iterator[S3Rig]:
    bucket = bucket or BucketSettings(BUCKET)
    s3 = S3()
    s3.buckets[bucket.name] = []

    def fill(uploads: Sequence[Upload]) -> None:
        s3.buckets[bucket.name] = list(uploads)

    with StandIn(s3, tls=tls, host=host, name=name) as standin:
        target = TargetSettings(
            name="test",
            store=StoreKind.S3,
            buckets=(bucket,),
            scan=scan,
            region="eu-west-1",
            endpoint_url=standin.url,
            addressing_style=style,
            credentials=Credentials(
                access_key_id=Secret(s3.key.access_key_id), secret_access_key=Secret(s3.key.secret)
            ),
        )
        target = replace(target, **settings)
        rig = S3Rig(standin, s3.faults, target, bucket, S3Store, fill, error, s3=s3)
        try:
            yield rig
        finally:
            rig.close()
    assert s3.refused == []
