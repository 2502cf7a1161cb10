"""The rigs of S3: a bucket in the path, a bucket in the host name."""

from collections.abc import Iterator
from contextlib import contextmanager

from contract.rigs import Rig, standing
from servers.s3 import S3

from exporter.config.settings import BucketSettings, StoreKind
from exporter.stores.s3 import S3Store

BUCKET = BucketSettings("media")


@contextmanager
def path_style(**changes: object) -> Iterator[Rig]:
    with _open("path", **changes) as rig:
        yield rig


@contextmanager
def virtual_host(**changes: object) -> Iterator[Rig]:
    with _open("virtual", **changes) as rig:
        yield rig


@contextmanager
def _open(style: str, *, bucket: BucketSettings = BUCKET, **changes: object) -> Iterator[Rig]:
    s3 = S3()
    changes = {"region": "eu-west-1", "addressing_style": style} | changes
    with standing(s3, StoreKind.S3, S3Store, bucket, **changes) as rig:
        yield rig
    assert s3.refused == []
