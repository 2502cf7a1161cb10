"""Ceph's RADOS Gateway: the cluster of `servers.ceph`, and a gateway of it that can be restarted."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from servers import need
from servers.ceph import MPU, NO_CONFIG, PROGRAMS, Ceph, cluster
from servers.matrix.declaration import Instance, Server
from servers.matrix.process import Launch, one_process


@contextmanager
def opened(folder: Path) -> Iterator[Instance]:
    need(*PROGRAMS)
    with cluster() as ceph, one_process(partial(launch, ceph), folder) as gateway:
        yield gateway


def launch(ceph: Ceph, folder: Path, port: int) -> Launch:
    data = folder / "rgw"
    data.mkdir()
    command = [
        *("radosgw", "-f", "-c", str(ceph.conf), "-n", "client.rgw2", NO_CONFIG, f"--rgw-data={data}"),
        f"--rgw-frontends=beast endpoint=127.0.0.1:{port} tcp_nodelay=1",
    ]
    return Launch(command)


SERVER = Server(
    name="Ceph RADOS Gateway",
    version="16.2",
    opened=opened,
    access_key=MPU.access_key,
    secret_key=MPU.secret_key,
    engines=("wire", "boto3", "obs-v2", "obs-v4"),
)
