"""Scrapes of 2,000 buckets over HTTP while the same process scans flat out, and while it does not."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from bench import nginx
from bench.measure import Cost, take_turns
from bench.ours import target, write_config
from bench.pages import Bucket
from bench.verdict import Row, at_most, figure, verdict
from servers import wait_until

TARGETS = [
    [Bucket(f"company-team-{number:02}-data-{bucket:03}", 3, 3) for bucket in range(100)]
    for number in range(20)
]
BIG = Bucket("big", 100_000, 3)
PROCESS = Path(__file__).with_name("servescan.py")
SCRAPES, UNMEASURED = 100, 10
"""In each turn; the first ones may find the scan only beginning."""
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2",
    "Accept-Encoding": "gzip",
}


def scrape_under_scan(rounds: int) -> Row:
    """Compare the p99 of the time, and show the CPU that the web server's threads take."""
    with _serving() as scraped:
        busy, idle = take_turns(rounds, lambda: scraped.turn("scan"), lambda: scraped.turn("stop"))
    checks = [
        at_most("times the idle p99", busy.wall / idle.wall, 5),
        at_most("ms of CPU a scrape", busy.cpu * 1000, 50),
    ]
    calls = figure(statistics.median(scraped.calls_per_s))
    return verdict(checks, ours=_shown(busy), baseline=_shown(idle), scan_calls_per_s=calls)


class Scraped:
    """The process that serves and scans, and what it is asked and told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._port = self._heard()["port"]
        self.calls_per_s: list[float] = []

    def turn(self, order: str) -> Cost:
        """Return p99 and CPU of scrapes after an order; the scan, if any, is ended."""
        self._tell(order)
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            for _ in range(UNMEASURED):
                scrape(connection)
            before = self._tell("report")
            times = [scrape(connection)[0] for _ in range(SCRAPES)]
            after = self._tell("report")
        self._tell("stop")
        taken = {name: after[name] - before[name] for name in after}
        if order == "scan":
            self.calls_per_s.append(taken["requests"] / taken["time"])
        return Cost(statistics.quantiles(times, n=100, method="inclusive")[98], taken["web_cpu"] / SCRAPES)

    def scanned(self) -> int:
        """Return how many buckets have been scanned."""
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            return scrape(connection, {})[1].count(b"\nmpu_scan_success{")

    def _tell(self, order: str) -> dict[str, float]:
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, float]:
        return json.loads(self._process.stdout.readline())


def scrape(connection: HTTPConnection, headers: dict[str, str] = PROMETHEUS) -> tuple[float, bytes]:
    """Return the seconds it took, and what was answered."""
    started = time.perf_counter()
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200
    return time.perf_counter() - started, body


def _shown(cost: Cost) -> Row:
    return {"p99_ms": figure(cost.wall * 1000), "cpu_ms": figure(cost.cpu * 1000)}


@contextmanager
def _serving() -> Iterator[Scraped]:
    """Run the process while the block lasts, begun when each of its buckets has been scanned."""
    small = [bucket for buckets in TARGETS for bucket in buckets]
    with nginx.serving(*small, BIG) as server, _process(server) as process:
        scraped = Scraped(process)
        wait_until("first scans", lambda: scraped.scanned() == len(small), seconds=300)
        yield scraped  # then the process has nothing more to read, and ends


def _process(server: nginx.Nginx) -> subprocess.Popen[str]:
    targets = [
        target(server.url, *(bucket.name for bucket in buckets), name=f"prod-{number:02}", interval="1h")
        for number, buckets in enumerate(TARGETS)
    ]
    files = (
        write_config(server.folder / "small", *targets),
        write_config(server.folder, target(server.url, BIG.name)),
    )
    command = [sys.executable, str(PROCESS), *map(str, files), str(BIG.uploads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
