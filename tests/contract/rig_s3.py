"""The rigs of S3: a bucket in the path, a bucket in the host name; and the path again through boto3."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contract.rigs import Rig, standing
from servers.s3 import S3
from servers.standin import Reply, Request

from exporter.config.settings import BucketSettings, StoreKind
from exporter.stores.s3.store import S3Store

BUCKET = BucketSettings("media")


class Server(S3):
    """An S3 server of which a test may decide on single requests, and see them while they are answered."""

    def __init__(self) -> None:
        """Make one that does nothing of its own."""
        super().__init__()
        self.answer: Callable[[Request, Callable[[], Reply]], Reply] = lambda _, truly: truly()
        """What answers a request; it is given what answers it truly."""

    def __call__(self, request: Request) -> Reply:
        return self.answer(request, lambda: S3.__call__(self, request))


@contextmanager
def path_style(**changes: object) -> Iterator[Rig]:
    with _open("path", **changes) as rig:
        yield rig


@contextmanager
def virtual_host(**changes: object) -> Iterator[Rig]:
    with _open("virtual", **changes) as rig:
        yield rig


@contextmanager
def by_boto3(**changes: object) -> Iterator[Rig]:
    with _open("path", **{"engine": "boto3"} | changes) as rig:
        yield rig


@contextmanager
def _open(style: str, *, bucket: BucketSettings = BUCKET, **changes: object) -> Iterator[Rig]:
    s3 = Server()
    changes = {"region": "eu-west-1", "addressing_style": style, "engine": "wire"} | changes
    with standing(s3, StoreKind.S3, S3Store, bucket, **changes) as rig:
        yield rig
    assert s3.refused == []


RIGS = {"s3-path": path_style, "s3-virtual": virtual_host, "s3-boto3": by_boto3}
ENGINES = ["s3-path", "s3-boto3"]
HAS_XML = True
