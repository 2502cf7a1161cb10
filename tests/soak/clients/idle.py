"""Idle connections beside scrapes and scans."""

import contextlib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.procfs import memory_mib
from servers.exporter import Exporter
from soak.clients.served import Served

CONNECTIONS = 5_000
SECONDS = 30.0
PAUSE_SECONDS = 0.1
GIVES_UP_SECONDS = 15.0
PATIENCE_SECONDS = 120.0
CROWD = Path(__file__).with_name("crowd.py")


@dataclass(frozen=True)
class Crowd:
    """Idle connections: from how many addresses, and whether each begins a TLS handshake."""

    name: str
    addresses: int
    hello: bool = False


CROWDS = {
    False: (Crowd("from 1 address", 1), Crowd("from 200 addresses", 200)),
    True: (Crowd("from 1 address", 1), Crowd("from 200 addresses, handshakes begun", 200, hello=True)),
}
"""By whether the server encrypts."""


def measure(served: Served, crowd: Crowd) -> dict[str, object]:
    """Scrape for as long as the crowd stays; return the figures."""
    exporter = served.exporter
    before, scans = memory_mib(exporter.process.pid, "VmRSS"), served.scans()
    with _crowd(exporter, crowd) as process:
        times = list(_scrapes(served, process))
    opened = process.communicate()[0].decode().strip()
    recovered = _seconds_to_answer(served)
    answered = [each for each in times if each is not None]
    return {
        "connections opened": int(opened or 0),
        "scrapes": len(times),
        "without an answer": len(times) - len(answered),
        "slowest s": round(max(answered, default=GIVES_UP_SECONDS), 2),
        "answers again after s": recovered,
        "RSS MiB more": round(memory_mib(exporter.process.pid, "VmHWM") - before),
        "scans meanwhile": served.scans() - scans,
        "last scan": served.outcome(),
        "log bytes": exporter.log.stat().st_size,
    }


@contextlib.contextmanager
def _crowd(exporter: Exporter, crowd: Crowd) -> Iterator[subprocess.Popen[bytes]]:
    port = exporter.url.rpartition(":")[2]
    hello = _client_hello().hex() if crowd.hello else ""
    line = [sys.executable, str(CROWD), port, str(CONNECTIONS), str(crowd.addresses), hello, str(SECONDS)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)


def _scrapes(served: Served, crowd: subprocess.Popen[bytes]) -> Iterator[float | None]:
    """Yield the seconds of each scrape, None where there was no answer."""
    while crowd.poll() is None:
        begun = time.monotonic()
        try:
            served.get("/metrics", GIVES_UP_SECONDS)
            yield time.monotonic() - begun
        except OSError:
            yield None
        time.sleep(PAUSE_SECONDS)


def _seconds_to_answer(served: Served) -> float:
    """Return how long after the crowd has gone a scrape is answered."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_SECONDS:
        with contextlib.suppress(OSError):
            served.get("/metrics", GIVES_UP_SECONDS)
            break
        time.sleep(PAUSE_SECONDS)
    return round(time.monotonic() - begun, 1)


def _client_hello() -> bytes:
    """Return the first bytes of a TLS client."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
