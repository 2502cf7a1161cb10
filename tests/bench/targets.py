"""What an exporter of 200 targets, each with its own credentials, takes from its start to its first scans."""

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bench import fresh, nginx
from bench.builds import TODAY, Build, Builds
from bench.measure import alternate, ratio
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
OF_TARGETS = [[Bucket(f"bucket-{number:03}-{each}", 1, 3) for each in range(10)] for number in range(200)]
ROLES_PLAIN = Path(__file__).with_name("rolesonce.py")
Start = tuple[float, float]
"""Seconds of CPU, and MiB of memory."""


def targets_200x10(rounds: int, builds: Builds) -> Row:
    """Compare first scans of 10 buckets of each target with those of an older build."""
    older = builds.older(TODAY)
    mine, before = alternate(rounds, lambda: _first_scans(builds.present), lambda: _first_scans(older))
    (cpu, memory), (cpu_before, memory_before) = (tuple(zip(*side, strict=True)) for side in (mine, before))
    checks = [
        at_most("times the older build's CPU", ratio(cpu, cpu_before), 0.6),
        at_most("times the older build's memory", ratio(memory, memory_before), 0.6),
    ]
    return verdict(checks, ours=_shown(_median(mine)), baseline=_shown(_median(before)))


def targets_200_roles(rounds: int) -> Row:
    """Compare first requests of targets that each have a role with a script that takes 200 roles, too."""
    starts = []
    for _ in range(rounds):
        with _token_service() as url, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_STS", url)
            starts.append((_with_roles(), _plain_with_roles()))
    (cpu, memory), baseline = (_median(side) for side in zip(*starts, strict=True))
    checks = [at_most("times the plain clients' CPU", cpu / baseline[0], 2)]
    checks.append(at_most("times their memory", memory / baseline[1], 2))
    return verdict(checks, ours=_shown((cpu, memory)), baseline=_shown(baseline))


def _first_scans(build: Build) -> Start:
    """Return what a process took from its start until it had sized the upload of every bucket."""
    names = [bucket.name for bucket in chain(*OF_TARGETS)]
    with nginx.serving(*chain(*OF_TARGETS), log=True) as server, TemporaryDirectory() as folder:
        # a day: no second scan comes in between
        targets = [
            target(
                server.url, *(bucket.name for bucket in buckets), name=name, keys=_keys(name), interval="1d"
            )
            for name, buckets in (
                (f"target-{number:03}", buckets) for number, buckets in enumerate(OF_TARGETS)
            )
        ]
        with serving(Path(folder), {"targets": targets}, program=build.program()) as exporter:
            wait_until("first scans", lambda: server.sized() == set(names), seconds=300, log=exporter.log)
            exporter.wait_tried(*names)
            return cpu_seconds(exporter.process.pid), memory_mib(exporter.process.pid, "VmRSS")


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


def _with_roles() -> Start:
    """Return what the process took from its start until every target's first request had come in."""
    names = [bucket.name for bucket in BUCKETS]
    with nginx.serving(*BUCKETS, log=True) as server, TemporaryDirectory() as folder:
        targets = [
            target(server.url, name, name=name, keys=_keys(name), parts="remembered") for name in names
        ]
        for each, name in zip(targets, names, strict=True):
            each["credentials"] |= {"assume_role": {"role_arn": ROLE.format(name)}}  # type: ignore[operator]
        with serving(Path(folder), {"targets": targets}) as exporter:
            wait_until("first requests", lambda: server.asked() == set(names), log=exporter.log)
            return cpu_seconds(exporter.process.pid), memory_mib(exporter.process.pid)


def _keys(name: str) -> tuple[str, str]:
    return f"key-{name}", f"secret-{name}"


def _plain_with_roles() -> Start:
    with nginx.serving(*BUCKETS) as server:
        output = server.folder / "plain.json"
        command = [sys.executable, str(ROLES_PLAIN), server.url, *(bucket.name for bucket in BUCKETS)]
        used = fresh.run(command, output)
        return used.cpu, json.loads(output.read_text(encoding="utf-8"))["mib"]


def _median(starts: Sequence[Start]) -> Start:
    cpu, memory = (statistics.median(column) for column in zip(*starts, strict=True))
    return cpu, memory


def _shown(start: Start) -> dict[str, float]:
    return {"cpu_s": figure(start[0]), "mib": figure(start[1])}
