"""A real store: Ceph's gateway, whose own work no client can save."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import plain
from bench.measure import cost, take_turns
from bench.ours import calm, ours, target
from bench.pages import Bucket, names
from bench.verdict import Row, at_least, shown, verdict
from servers.ceph import Ceph, cluster
from servers.fill import fill

IN_FLIGHT = 16
BUCKET = Bucket("media", 3000, 3, part_bytes=16)


def ceph_3000x3(rounds: int) -> Row:
    """Compare a bucket listed and sized, 16 in flight against 16 threads."""
    with filled(BUCKET) as ceph, TemporaryDirectory() as folder:
        keys = (ceph.mpu.access_key, ceph.mpu.secret_key)
        s3 = plain.client(ceph.endpoint_url, IN_FLIGHT, keys)
        scan = target(ceph.endpoint_url, BUCKET.name, keys=keys, concurrency=IN_FLIGHT)
        with ours(Path(folder), scan) as exporter:
            mine, baseline = take_turns(
                rounds,
                lambda: cost(lambda: exporter.scan(BUCKET), around=calm),
                lambda: cost(lambda: plain.size(s3, BUCKET, plain.list_uploads(s3, BUCKET), IN_FLIGHT)),
            )
    faster = at_least("times faster", baseline.wall / mine.wall, 2)
    less_cpu = at_least("times less CPU", baseline.cpu / mine.cpu, 6)
    return verdict([faster, less_cpu], ours=shown(mine), baseline=shown(baseline))


@contextmanager
def filled(bucket: Bucket) -> Iterator[Ceph]:
    """Run a gateway with this bucket while the block lasts."""
    sizes = dict.fromkeys(range(1, bucket.parts + 1), bucket.part_bytes)
    with cluster() as ceph:
        client = ceph.client()
        client.create_bucket(Bucket=bucket.name)
        fill(client, bucket.name, [key for key, _ in names(bucket.uploads)], lambda _: sizes)
        yield ceph
