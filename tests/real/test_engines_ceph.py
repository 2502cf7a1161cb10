"""Both engines of S3 on a real server, Ceph RADOS Gateway: the same, and the truth."""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest
from fakes import Recorder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sequential_client import SequentialClient
from servers.ceph import Ceph, User
from servers.fill import ODD, Made, Truth, fill, odd_keys

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.results import Summary
from exporter.model.uploads import PartTotals, Upload
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.s3.store import S3Store
from exporter.stores.transport.client import Transport

ENGINES = ("wire", "boto3")
PAGE_SIZES = (1, 7, 1000, None)
NOW = time.time()
"""What each scan takes for its start, so that ages are the same."""
DOTS = (
    *(
        ".",
        "..",
        "...",
        "/.",
        "/..",
        "./",
        "../",
        "//..//",
        "../..",
        "a/.",
        "a/..",
        "a/../",
        "a/../b",
        "a/./b",
    ),
    *("../../../etc/passwd", "..a", "a..", "a/..b/../c", "%2e%2e", "%2e%2e/a", "a/%2e./b", ".%2E/"),
)


@dataclass
class Engine:
    """One engine in front of Ceph."""

    ceph: Ceph
    name: str
    user: User
    page_size: int | None = None
    late: float = 0.0
    """So many seconds is its clock behind."""
    traffic: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        keys = Credentials(None, Secret(self.user.access_key), Secret(self.user.secret_key))
        self.target = TargetSettings(
            name="ceph",
            store=StoreKind.S3,
            buckets=(),
            endpoint_url=self.ceph.endpoint_url,
            region="us-east-1",
            scan=ScanSettings(page_size=self.page_size),
            credentials=keys,
            engine=self.name,
        )
        self.stop = threading.Event()
        transport = Transport(self.traffic, self.stop)
        self.store = S3Store(self.target, transport, lambda: time.time() - self.late)

    def close(self) -> None:
        self.store.close()

    def summary(self, bucket: str) -> Summary:
        clocks = Clocks(wall=lambda: NOW)
        scanner = Scanner(StoreClient(self.store, self.target.scan, self.stop, clocks), (3600.0, 86400.0))
        result = scanner.scan(BucketSettings(bucket), Ledger())
        assert (result.warning, self.traffic.failures) == ("", {})
        return result.summary

    def uploads(self, bucket: str) -> list[Upload]:
        pages = SequentialClient().pages(self.store, BucketSettings(bucket))
        return [upload for page in pages for upload in page]

    def sizes(self, bucket: str, uploads: list[Upload]) -> list[PartTotals]:
        def size(upload: Upload) -> PartTotals:
            return SequentialClient().size(self.store, BucketSettings(bucket), upload)

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(size, uploads))


@pytest.fixture(params=PAGE_SIZES)
def both(ceph: Ceph, request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Engine]]:
    """Give both engines with a page size."""
    wire, boto3 = (Engine(ceph, name, ceph.mpu, request.param) for name in ENGINES)
    with closing(wire), closing(boto3):
        yield wire, boto3


def new_bucket(ceph: Ceph) -> str:
    name = f"engines-{uuid.uuid4().hex[:12]}"
    ceph.client().create_bucket(Bucket=name)
    return name


def some_parts(n: int) -> dict[int, int]:
    """Return parts by which one upload is told from the next: their sizes add up to its number."""
    return {1: n // 2, 9_999: n - n // 2} if n else {}


def sums(uploads: list[Made]) -> tuple[int, int, int]:
    return len(uploads), sum(len(made.parts) for made in uploads), sum(made.size_bytes for made in uploads)


def found(summary: Summary) -> tuple[int, int | None, int | None]:
    return summary.uploads, summary.parts, summary.bytes


@pytest.fixture(scope="module")
def odd(ceph: Ceph) -> tuple[str, list[Made]]:
    """Give a bucket with uploads of odd keys, and twenty of one key."""
    keys = list(dict.fromkeys([*odd_keys(2 * len(ODD)), *DOTS])) + ["one key"] * 20
    bucket = new_bucket(ceph)
    return bucket, fill(ceph.client(), bucket, keys, some_parts)


class TestOddKeys:
    def test_they_are_listed_alike_and_sized_alike_one_by_one(
        self, ceph: Ceph, odd: tuple[str, list[Made]], both: tuple[Engine, Engine]
    ):
        (bucket, made), (wire, boto3) = odd, both
        listed = wire.uploads(bucket)
        assert listed == boto3.uploads(bucket)
        totals = wire.sizes(bucket, listed)
        assert totals == boto3.sizes(bucket, listed)
        names = [(upload.key, upload.upload_id) for upload in listed]
        sizes = dict(zip(names, (each.bytes for each in totals), strict=True))
        assert sizes == {(upload.key, upload.upload_id): upload.size_bytes for upload in made}
        assert len(listed) == ceph.oracle(bucket)

    def test_their_sums_are_the_truth(self, odd: tuple[str, list[Made]], both: tuple[Engine, Engine]):
        bucket, made = odd
        wire, boto3 = (engine.summary(bucket) for engine in both)
        assert wire == boto3
        assert found(wire) == sums(made)
        assert both[0].traffic.requests == both[1].traffic.requests

    @pytest.mark.parametrize("page_size", [7, None])
    def test_so_are_those_of_the_big_bucket(self, ceph: Ceph, big_bucket: Truth, page_size: int | None):
        summaries = summaries_of(ceph, big_bucket.bucket, page_size)
        assert summaries["wire"] == summaries["boto3"]
        assert found(summaries["wire"]) == sums(big_bucket.uploads)
        assert summaries["wire"].uploads == ceph.oracle(big_bucket.bucket)


def summaries_of(ceph: Ceph, bucket: str, page_size: int | None) -> dict[str, Summary]:
    summaries = {}
    for name in ENGINES:
        with closing(Engine(ceph, name, ceph.mpu, page_size)) as engine:
            summaries[name] = engine.summary(bucket)
    return summaries


# Ceph ends a key at a zero byte, and S3 allows 1,024 bytes
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30)
pieces = st.sampled_from(
    [*DOTS, "/", " ", "+", "%", "&", "\r\n", "\x01", "\ue000", "ü", "\U0010ffff", "\ufffe"]
)
keys = st.one_of(texts, st.lists(pieces, min_size=1, max_size=6).map("".join))


class TestGeneratedKeys:
    @settings(
        deadline=None,
        max_examples=6,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(generated=st.lists(keys, min_size=20, max_size=40), page_size=st.sampled_from([1, 3, 7, None]))
    def test_are_listed_and_sized_exactly_by_both(
        self, ceph: Ceph, generated: list[str], page_size: int | None
    ):
        bucket = new_bucket(ceph)
        made = fill(ceph.client(), bucket, generated, some_parts)
        summaries = summaries_of(ceph, bucket, page_size)
        assert summaries["wire"] == summaries["boto3"]
        assert found(summaries["wire"]) == sums(made)
        assert summaries["wire"].uploads == ceph.oracle(bucket)


WRONG_SECRET = {"secret_key": "not-the-secret"}
UNKNOWN_KEY = {"access_key": "NOBODYACCESSKEY00001"}


@pytest.mark.parametrize("engine", ENGINES)
class TestReasons:
    @pytest.mark.parametrize(
        ("change", "code"), [(WRONG_SECRET, "SignatureDoesNotMatch"), (UNKNOWN_KEY, "InvalidAccessKeyId")]
    )
    def test_of_wrong_keys(
        self, ceph: Ceph, ceph_bucket: str, engine: str, change: dict[str, str], code: str
    ):
        error = refused(Engine(ceph, engine, replace(ceph.mpu, **change)), ceph_bucket)
        assert (error.reason, error.status, error.code) == (Reason.CREDENTIALS, 403, code)

    def test_of_another_user_s_bucket(self, ceph: Ceph, engine: str):
        ceph.client(ceph.other).create_bucket(Bucket="of-another")
        error = refused(Engine(ceph, engine, ceph.mpu), "of-another")
        assert (error.reason, error.status, error.code) == (Reason.ACCESS_DENIED, 403, "AccessDenied")

    def test_of_no_bucket(self, ceph: Ceph, engine: str):
        error = refused(Engine(ceph, engine, ceph.mpu), "not-there")
        assert (error.reason, error.status, error.code) == (Reason.NOT_FOUND, 404, "NoSuchBucket")


def refused(asked: Engine, bucket: str) -> StoreError:
    """Scan, which one answer has to end; return why."""
    with closing(asked), pytest.raises(StoreError) as caught:
        asked.summary(bucket)
    assert asked.traffic.requests.total() == 1
    assert asked.user.secret_key not in str(caught.value)
    return caught.value


class TestClock:
    @pytest.mark.parametrize("seconds", [3600.0, -3600.0])
    def test_a_wrong_one_of_ours_is_put_right_by_the_server_s(
        self, ceph: Ceph, odd: tuple[str, list[Made]], seconds: float
    ):
        bucket, made = odd
        with closing(Engine(ceph, "wire", ceph.mpu, late=seconds)) as engine:
            assert found(engine.summary(bucket)) == sums(made)
            assert engine.traffic.requests["ListMultipartUploads"] == 2
