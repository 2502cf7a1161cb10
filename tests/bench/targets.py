"""What an exporter of 200 targets, each with its own credentials, takes from its start to first requests."""

import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bench import fresh, nginx
from bench.ours import target
from bench.pages import Bucket
from bench.procfs import cpu_seconds, memory_mib
from bench.rolesonce import ROLE
from bench.verdict import Row, at_most, figure, verdict
from servers import wait_until
from servers.exporter import serving
from servers.s3 import Key
from servers.standin import StandIn
from servers.sts import Role, Sts

BUCKETS = [Bucket(f"bucket-{number:03}", 1) for number in range(200)]
PLAIN = Path(__file__).with_name("plainonce.py")
ROLES_PLAIN = Path(__file__).with_name("rolesonce.py")
Start = tuple[float, float]
"""Seconds of CPU, and MiB of memory at most."""


def targets_200(rounds: int) -> Row:
    """Compare the exporter with a script that makes 200 plain clients and calls each once."""
    starts = [(_exporter(), _plain()) for _ in range(rounds)]
    (cpu, memory), baseline = (_median(side) for side in zip(*starts, strict=True))
    checks = [at_most("seconds of CPU", cpu, 5), at_most("MiB at the peak", memory, 300)]
    return verdict(checks, ours=_shown((cpu, memory)), baseline=_shown(baseline))


def targets_200_roles(rounds: int) -> Row:
    """Compare the same, each target with a role, with a script that takes 200 roles, too."""
    starts = []
    for _ in range(rounds):
        with _token_service() as url, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_STS", url)
            starts.append((_exporter(roles=True), _plain(ROLES_PLAIN)))
    (cpu, memory), baseline = (_median(side) for side in zip(*starts, strict=True))
    checks = [at_most("times the plain clients' CPU", cpu / baseline[0], 2)]
    checks.append(at_most("times their memory", memory / baseline[1], 2))
    return verdict(checks, ours=_shown((cpu, memory)), baseline=_shown(baseline))


@contextmanager
def _token_service() -> Iterator[str]:
    """Serve a session of its own for each bucket's role."""
    sts = Sts()
    for bucket in BUCKETS:
        name = bucket.name
        sts.keys[f"key-{name}"] = Key(f"key-{name}", f"secret-{name}")
        sts.roles[ROLE.format(name)] = Role({f"key-{name}"})
    with StandIn(sts) as server:
        yield server.url
        assert len(sts.sessions) == 2 * len(BUCKETS)


def _exporter(*, roles: bool = False) -> Start:
    """Return what the process took from its start until every target's first request had come in."""
    with nginx.serving(*BUCKETS, log=True) as server, TemporaryDirectory() as folder:
        names = [bucket.name for bucket in BUCKETS]
        targets = [
            target(server.url, name, name=name, keys=(f"key-{name}", f"secret-{name}"), parts="remembered")
            for name in names
        ]
        for each, bucket in zip(targets, names, strict=True):
            if roles:
                each["credentials"] |= {"assume_role": {"role_arn": ROLE.format(bucket)}}  # type: ignore[operator]
        with serving(Path(folder), {"targets": targets}) as exporter:
            wait_until("first requests", lambda: server.asked() == set(names), log=exporter.log)
            return cpu_seconds(exporter.process.pid), memory_mib(exporter.process.pid)


def _plain(program: Path = PLAIN) -> Start:
    with nginx.serving(*BUCKETS) as server:
        output = server.folder / "plain.json"
        command = [sys.executable, str(program), server.url, *(bucket.name for bucket in BUCKETS)]
        used = fresh.run(command, output)
        return used.cpu, json.loads(output.read_text(encoding="utf-8"))["mib"]


def _median(starts: tuple[Start, ...]) -> Start:
    cpu, memory = (statistics.median(column) for column in zip(*starts, strict=True))
    return cpu, memory


def _shown(start: Start) -> dict[str, float]:
    return {"cpu_s": figure(start[0]), "peak_mib": figure(start[1])}
