"""Memory over thousands of names that come and go: `gone_names.py [--against COMMIT] [--names N] [KIND ...]`.

Names of buckets that are discovered, of targets that reloads bring and take, and of clients: their addresses,
the users and hosts that they name, and the paths that they ask for. Prints the resident memory after each
tenth of the names; from the second on it may grow by 2 MiB. Ten minutes.
"""

import argparse
import base64
import json
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import bcrypt
from bench.builds import Build, Builds
from servers import wait_until
from servers.exporter import Exporter, serving, target
from servers.s3 import S3, Fault, Part, Reply, Upload
from servers.standin import StandIn

NAMES = 10_000
PER_ROUND = 100
TENTHS = 10
LIMIT_MIB = 2.0
TIMEOUT_SECONDS = 120.0
SETTLING = Path(__file__).with_name("settling.py")
_PASSWORD = "a password"


@dataclass
class Subject:
    """An exporter, its store and its config; `shown` are the names of the last round."""

    exporter: Exporter
    store: S3
    server: StandIn
    memory: Path
    config: Path
    shown: set[str] = field(default_factory=set)

    def signal(self, number: int) -> None:
        self.exporter.process.send_signal(number)

    def wait_for(self, label: str, names: set[str]) -> None:
        """Wait until the metrics are about these names, each scanned, and about none of the last round."""
        last, self.shown = self.shown - names, names

        def is_there() -> bool:
            shown = rf'^mpu_scan_success{{.*{label}="([^"]+)"'
            found = set(re.findall(shown, self.exporter.text(), re.MULTILINE))
            return names <= found and not last & found

        wait_until("other names", is_there, seconds=TIMEOUT_SECONDS, log=self.exporter.log)
        self.server.forget()

    def settled_mib(self) -> float:
        """Return what the exporter has in memory once it has freed what it can."""
        self.memory.unlink(missing_ok=True)
        self.signal(signal.SIGUSR2)
        wait_until("figure", self.memory.exists, seconds=TIMEOUT_SECONDS, log=self.exporter.log)
        return int(self.memory.read_text()) / 2**20


def bring_buckets(subject: Subject, first: int) -> None:
    """Let the account have other buckets: of some scans fail, others live elsewhere, none has tags."""
    names = {f"bucket-{n}{'-odd' if n % 2 else ''}" for n in range(first, first + PER_ROUND)}
    subject.store.buckets.clear()
    subject.store.buckets.update({name: [_upload(name)] for name in names})
    subject.store.regions = dict.fromkeys(sorted(names)[::5], "us-west-2")
    subject.signal(signal.SIGUSR1)
    subject.wait_for("bucket", names)


def bring_targets(subject: Subject, first: int) -> None:
    """Let the config have other targets."""
    subject.exporter.text()  # before it answers, an older build does not handle the signal yet
    names = {f"target-{n}" for n in range(first, first + PER_ROUND)}
    subject.store.buckets.update({"media": [_upload("media")]})
    subject.config.write_text(json.dumps(_config(*(_target(name, subject.server.url) for name in names))))
    subject.signal(signal.SIGHUP)
    subject.wait_for("target", names)


def bring_clients(subject: Subject, first: int) -> None:
    """Ask from other addresses; every second client is a user that is not known, the others are told 404."""
    for number in range(first, first + PER_ROUND):
        user = f"user-{number}" if number % 2 else "ann"
        asked = f"GET /nothing-{number} HTTP/1.1\r\nHost: host-{number}.example\r\nConnection: close\r\n"
        basic = base64.b64encode(f"{user}:{_PASSWORD}".encode()).decode()
        address = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
        port = int(subject.exporter.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS, (address, 0)) as client:
            client.sendall(f"{asked}Authorization: Basic {basic}\r\n\r\n".encode())
            answer = client.recv(4096)
        assert answer.split()[1] == (b"401" if number % 2 else b"404"), answer


KINDS: dict[str, Callable[[Subject, int], None]] = {
    "buckets": bring_buckets,
    "targets": bring_targets,
    "clients": bring_clients,
}


def measure(build: Build, kind: str, names: int = NAMES) -> list[float]:
    """Return the MiB in memory after each tenth of so many names."""
    found = []
    with _serving(build, kind) as subject:
        for first in range(0, names, PER_ROUND):
            KINDS[kind](subject, first)
            if (first + PER_ROUND) % (names // TENTHS) == 0:
                found.append(subject.settled_mib())
    return found


def growth(found: list[float]) -> float:
    """Return by how many MiB memory grew from the second tenth on."""
    return found[-1] - found[1]


@contextmanager
def _serving(build: Build, kind: str) -> Iterator[Subject]:
    store = S3()
    store.faults.add(Fault("ListMultipartUploads", reply=_refused_if_odd))
    with TemporaryDirectory() as name, StandIn(store) as server:
        folder = Path(name)
        buckets = {"buckets": None, "discover": {}} if kind == "buckets" else {}
        config = _config(_target("first", server.url, **buckets))
        web = folder / "web.yml"
        hashed = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        web.write_text(f"basic_auth_users:\n  ann: {hashed}\n")
        flags = [f"--web.config.file={web}"] if kind == "clients" else []
        program = [str(build.python), "-I", str(SETTLING), str(folder / "memory")]
        with serving(folder, config, *flags, program=program) as exporter:
            yield Subject(exporter, store, server, folder / "memory", folder / "config.yaml")


def _config(*targets: dict[str, object]) -> dict[str, object]:
    return {"scan": {"interval": "1h", "retries": 0, "workers": 4}, "targets": targets}


def _target(name: str, url: str, **settings: Any) -> dict[str, object]:
    asked = target(name, url, "media", lifecycle=True, tags=["team"], **settings)
    return {key: value for key, value in asked.items() if value is not None}


def _upload(name: str) -> Upload:
    return Upload(f"key of {name}", f"id-of-{name}", parts=[Part(1, 5)])


def _refused_if_odd(reply: Reply) -> Reply:
    return Reply(403) if b"-odd" in reply.body else reply


def main() -> int:
    """Print the figures; 1 where memory of this build grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--against", metavar="COMMIT", help="the older build")
    parser.add_argument("--names", type=int, default=NAMES, help="of each kind; a multiple of 1,000")
    options = parser.parse_args()
    fine = True
    with TemporaryDirectory() as folder:
        builds = Builds(Path(folder), options.against)
        named = {"this build": builds.present}
        if options.against:
            named[options.against] = builds.older(options.against)
        for kind in options.kinds or KINDS:
            for label, build in named.items():
                found = measure(build, kind, options.names)
                told = " ".join(f"{each:.2f}" for each in found)
                sys.stdout.write(f"{kind} | {label} | MiB: {told} | growth {growth(found):.2f}\n")
                sys.stdout.flush()
                fine &= label != "this build" or growth(found) <= LIMIT_MIB
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
