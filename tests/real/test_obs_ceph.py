"""The OBS store against a Ceph RADOS Gateway, which checks every signature: `v2` and `v4`, in the path."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
from fakes import Recorder
from sequential_client import SequentialClient
from servers.ceph import OTHER, Ceph, User
from servers.fill import Made, Truth, fill, odd_keys

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.obs.store import ObsStore
from exporter.stores.transport.client import Transport


class Asked:
    """An OBS store in front of Ceph."""

    def __init__(self, ceph: Ceph, bucket: str, **settings: object) -> None:
        user: User = settings.pop("user", ceph.mpu)
        self.traffic, self.bucket = Recorder(), BucketSettings(bucket)
        target = TargetSettings(
            name="ceph",
            store=StoreKind.OBS,
            buckets=(self.bucket,),
            endpoint_url=ceph.endpoint_url,
            credentials=Credentials(None, Secret(user.access_key), Secret(user.secret_key)),
        )
        self.target = replace(target, **settings)
        self.transport = Transport(self.traffic, threading.Event())
        self.store = ObsStore(self.target, self.transport)

    def close(self) -> None:
        self.store.close()

    def uploads(self) -> list[Upload]:
        return [upload for page in SequentialClient().pages(self.store, self.bucket) for upload in page]

    def sizes(self, uploads: list[Upload]) -> list[tuple[int, int | None]]:
        """Return parts and bytes of each upload."""

        def size(upload: Upload) -> tuple[int, int | None]:
            totals = SequentialClient().size(self.store, self.bucket, upload)
            return totals.parts, totals.bytes

        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(size, uploads))


@pytest.fixture(params=["v2", "v4"])
def signature(request: pytest.FixtureRequest) -> str:
    return request.param


def some_parts(n: int) -> dict[int, int]:
    return {1: n, 2: 16, 10_000: n % 7} if n % 3 else {}


def truth_of(made: list[Made]) -> dict[tuple[str, str], tuple[int, int]]:
    return {(upload.key, upload.upload_id): (len(upload.parts), upload.size_bytes) for upload in made}


@pytest.fixture(scope="module")
def odd(ceph: Ceph) -> tuple[str, list[Made]]:
    """Give a bucket with an upload for each odd key, two thirds of them with parts."""
    client = ceph.client()
    client.create_bucket(Bucket="obs-odd-keys")
    return "obs-odd-keys", fill(client, "obs-odd-keys", odd_keys(200), some_parts)


@pytest.mark.parametrize("page_size", [1, 7, 1000])
def test_odd_keys_are_listed_and_sized_exactly(
    ceph: Ceph, odd: tuple[str, list[Made]], signature: str, page_size: int
):
    bucket, made = odd
    asked = Asked(ceph, bucket, signature=signature, scan=ScanSettings(page_size=page_size))
    with closing(asked):
        uploads = asked.uploads()
        found = {(u.key, u.upload_id): size for u, size in zip(uploads, asked.sizes(uploads), strict=True)}
    assert found == truth_of(made)
    assert len(uploads) == len(made) == ceph.oracle(bucket)
    assert asked.traffic.failures == {}


@pytest.mark.parametrize("page_size", [7, None])
def test_the_big_bucket_is_exact(ceph: Ceph, big_bucket: Truth, page_size: int | None):
    asked = Asked(ceph, big_bucket.bucket, signature="v2", scan=ScanSettings(page_size=page_size))
    with closing(asked):
        uploads = asked.uploads()
        found = {(u.key, u.upload_id): size for u, size in zip(uploads, asked.sizes(uploads), strict=True)}
    assert found == truth_of(big_bucket.uploads)
    assert min(upload.initiated for upload in uploads) == big_bucket.oldest.timestamp()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"secret_key": "wrong"}, Reason.CREDENTIALS),
        ({"access_key": "unknown"}, Reason.CREDENTIALS),
        ({"access_key": OTHER.access_key, "secret_key": OTHER.secret_key}, Reason.ACCESS_DENIED),
    ],
)
def test_who_has_no_right_is_told_why(
    ceph: Ceph, ceph_bucket: str, signature: str, change: dict[str, str], reason: Reason
):
    asked = Asked(ceph, ceph_bucket, signature=signature, user=replace(ceph.mpu, **change))
    with closing(asked), pytest.raises(StoreError) as refused:
        asked.uploads()
    assert refused.value.reason == reason


def test_no_bucket_is_not_an_empty_one(ceph: Ceph, signature: str):
    asked = Asked(ceph, "no-such-bucket", signature=signature)
    with closing(asked), pytest.raises(StoreError) as refused:
        asked.uploads()
    assert refused.value.reason == Reason.NOT_FOUND
