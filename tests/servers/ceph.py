"""A Ceph RADOS Gateway of our own on loopback: one monitor, one OSD in memory, one gateway, two users.

Debian's packages are enough (packages.sh); no systemd, no container. Everything lies in one temporary
folder and on free ports, so several may run at once. The data goes when the server goes.
"""

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from servers import free_port, listens, need, running, wait_until

PROGRAMS = ("monmaptool", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph")

# Otherwise a program first fetches settings from the monitor, and may then go on before it knows the
# cluster's fsid: "wrong fsid", and one OSD in eight ended at once.
NO_CONFIG = "--no-mon-config"
GATEWAY = ("-n", "client.rgw", NO_CONFIG)

# No authentication inside the cluster: only loopback reaches it. Without tcp_nodelay every answer on a
# kept connection waits 45 ms. The monitor gathers changes for a second by default: a start took 13 s, not 2.
CONF = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
admin socket =
run dir = {folder}
crash dir = {folder}
log file = {folder}/$name.log
log to stderr = false
err to stderr = true
mon data = {folder}/mon
mon cluster log file = {folder}/cluster.log
mon data avail crit = 1
paxos propose interval = 0.1
mon allow pool size one = true
mon max pg per osd = 1000
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off

[client]
keyring = {folder}/none

[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 32
"""


@dataclass(frozen=True)
class User:
    """A user of the gateway; the keys are good for nothing but a server on loopback."""

    name: str
    access_key: str
    secret_key: str


MPU = User("mpu", "MPUTESTACCESSKEY0001", "mpu-test-secret-key")
OTHER = User("other", "MPUTESTACCESSKEY0002", "other-test-secret-key")


# The gateway logs this by default: debug_rgw is 1.
LOGGED = re.compile(r' beast: \S+ \S+ - \S+ \[(?P<at>[^\]]+)\] "(?P<method>\S+) (?P<url>\S+) HTTP/1.1" ')


@dataclass(frozen=True)
class Request:
    """A request as the gateway logged it: when it came (Unix seconds, to the ms), and what it asked."""

    at: float
    method: str
    path: str
    query: dict[str, str]


@dataclass(frozen=True)
class Ceph:
    """A running gateway: where it is, who may use it, and what Ceph itself counts."""

    endpoint_url: str
    conf: Path
    mpu: User = MPU
    other: User = OTHER

    def client(self, user: User = MPU, **config: object) -> S3Client:
        """Return a boto3 client that sends each request once: a repeated create would be two uploads."""
        settings = {
            "s3": {"addressing_style": "path"},
            "signature_version": "s3v4",
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": 32,
        }
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key,
            config=Config(**settings | config),
        )

    def oracle(self, bucket: str) -> int:
        """Return how many uploads Ceph's own bucket index counts."""
        stats = json.loads(self.run("radosgw-admin", *GATEWAY, "bucket", "stats", f"--bucket={bucket}"))
        return stats["usage"].get("rgw.multimeta", {"num_objects": 0})["num_objects"]

    @property
    def log(self) -> Path:
        """The gateway's log, which has a line for each request."""
        return self.conf.with_name("client.rgw.log")

    def requests(self, bucket: str, since: int) -> list[Request]:
        """Return what was asked of a bucket, by the gateway's own log from so many bytes on."""
        last = f"log-{uuid.uuid4().hex}"
        self.client().list_multipart_uploads(Bucket=bucket, Prefix=last)

        def text() -> str:
            with self.log.open(errors="replace") as log:
                log.seek(since)
                return log.read()

        def is_written() -> bool:  # an answer may be read before its request is logged, a start may not
            logged = text()
            return last in logged and logged.count("starting new request") <= logged.count(" beast: ")

        wait_until("the gateway's log", is_written, seconds=30, log=self.log)
        found = map(LOGGED.search, (line for line in text().splitlines() if bucket in line))
        asked = [_read_logged(each) for each in found if each]
        own = [each for each in asked if unquote(each.path).split("/")[1] == bucket]
        return [each for each in own if not each.query.get("prefix", "").startswith("log-")]

    def run(self, program: str, *arguments: str) -> str:
        """Run one of Ceph's own tools on this cluster."""
        command = [program, "-c", str(self.conf), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
        return done.stdout


def _read_logged(found: re.Match[str]) -> Request:
    url = urlsplit(found["url"])
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    at = datetime.strptime(found["at"], "%d/%b/%Y:%H:%M:%S.%f %z").timestamp()
    return Request(at, found["method"], url.path, query)


@contextmanager
def cluster() -> Iterator[Ceph]:
    """Start a fresh cluster and gateway; end both and delete their folder at the end."""
    with TemporaryDirectory(prefix="mpu-ceph-") as name, ExitStack() as processes:
        folder, mon_port, port, fsid = Path(name), free_port(), free_port(), str(uuid.uuid4())
        ceph = Ceph(f"http://127.0.0.1:{port}", folder / "ceph.conf")
        ceph.conf.write_text(CONF.format(folder=folder, fsid=fsid, mon_port=mon_port, port=port))
        for part in ("mon", "osd", "rgw"):
            (folder / part).mkdir()
        start_monitor(ceph, processes, fsid, mon_port)
        start_osd(ceph, processes)
        start_gateway(ceph, processes, port)
        yield ceph


def launch(ceph: Ceph, processes: ExitStack, *command: str) -> subprocess.Popen[bytes]:
    log = ceph.conf.with_name(f"{command[0]}.out")
    return processes.enter_context(running([*command, "-f", "-c", str(ceph.conf)], log))


def start_monitor(ceph: Ceph, processes: ExitStack, fsid: str, port: int) -> None:
    monmap = str(ceph.conf.with_name("monmap"))
    ceph.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{port}]", monmap)
    ceph.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
    launch(ceph, processes, "ceph-mon", "-i", "a")
    wait_until("ceph-mon", lambda: listens(port), log=ceph.conf.with_name("mon.a.log"))


def start_osd(ceph: Ceph, processes: ExitStack) -> None:
    monitor_log, osd_uuid = ceph.conf.with_name("mon.a.log"), str(uuid.uuid4())
    wait_until("ceph osd new", lambda: bool(ask_monitor(ceph, "osd", "new", osd_uuid, "0")), log=monitor_log)
    ceph.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd_uuid)
    launch(ceph, processes, "ceph-osd", "-i", "0", NO_CONFIG)
    up = '"num_up_osds":1'
    wait_until("ceph-osd", lambda: up in ask_monitor(ceph, "osd", "stat", "-f", "json"), log=monitor_log)


def ask_monitor(ceph: Ceph, *arguments: str) -> str:
    """Return the answer, or '' where there is none: `ceph` too may ask before it knows the fsid."""
    try:
        return ceph.run("ceph", *arguments)
    except RuntimeError:
        return ""


@contextmanager
def another_gateway(ceph: Ceph) -> Iterator[str]:
    """Run one more gateway of the same cluster, one with STS; yield its URL.

    A gateway that has STS refuses wrong keys as AccessDenied, and no longer says what is wrong with them.
    """
    port = free_port()
    endpoint = f"--rgw-frontends=beast endpoint=127.0.0.1:{port} tcp_nodelay=1"
    with ExitStack() as processes:
        data = ceph.conf.with_name("rgw2")
        data.mkdir(exist_ok=True)
        sts = ("--rgw-s3-auth-use-sts=true", "--rgw-sts-key=mpu-test-sts-key")
        more = ("-n", "client.rgw2", NO_CONFIG, endpoint, f"--rgw-data={data}", *sts)
        log = ceph.conf.with_name("radosgw2.out")
        process = processes.enter_context(running(["radosgw", *more, "-f", "-c", str(ceph.conf)], log))
        wait_until("another radosgw", lambda: listens(port), seconds=120, log=log)
        yield f"http://127.0.0.1:{port}"
        process.terminate()  # one that is killed has the other gateway wait for it for half a minute
        process.wait(60)


def start_gateway(ceph: Ceph, processes: ExitStack, port: int) -> None:
    create = ("radosgw-admin", *GATEWAY, "user", "create", "--display-name=test")
    for user in (MPU, OTHER):
        keys = (f"--access-key={user.access_key}", f"--secret-key={user.secret_key}")
        ceph.run(*create, f"--uid={user.name}", *keys)
    launch(ceph, processes, "radosgw", *GATEWAY)
    wait_until("radosgw", lambda: listens(port), seconds=120, log=ceph.conf.with_name("client.rgw.log"))


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """Give a running Ceph RADOS Gateway, started when the first test asks for it."""
    need(*PROGRAMS)
    with cluster() as started:
        yield started


@pytest.fixture
def ceph_bucket(ceph: Ceph) -> str:
    """Give the name of a fresh, empty bucket that belongs to the user mpu."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    ceph.client().create_bucket(Bucket=name)
    return name
