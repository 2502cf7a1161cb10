"""Servers that tests talk to: how one is started on loopback, waited for and ended by its pid."""

import importlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def need(*programs: str) -> None:
    """Skip the test where a program is not installed; in CI, where nothing may be skipped, fail it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        do_without(f"{', '.join(missing)} (tests/servers/packages.sh, as root, installs them)")


def need_package(name: str) -> Any:
    """Return a package of the extra `test`; where only the extra `fast` is installed, skip the test."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return do_without(f"{name} (pip install -e '.[test]')")


def do_without(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"not installed: {what}", pytrace=False)
    pytest.skip(f"not installed: {what}", allow_module_level=True)


_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a port nobody listens on, below the range from which outgoing connections take theirs.

    No other process gets the same while this one lives: a socket of that name, in no folder, stands for it.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                claim.bind(f"\0mpu-exporter-tests-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
            _claims.append(claim)
            return port
    raise RuntimeError("no free port on 127.0.0.1")


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server whose data is worth nothing; kill it at the end, or when this process dies."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(what: str, probe: Callable[[], bool], *, seconds: float = 60, log: Path | None = None) -> None:
    """Try the probe until it says yes; after so many seconds fail with the end of the server's log."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
            raise TimeoutError(f"{what}: not within {seconds} s\n{tail}")
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Tell whether something accepts connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
