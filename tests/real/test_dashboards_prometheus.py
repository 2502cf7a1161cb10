"""Every query of the dashboards, asked of a real Prometheus that scrapes the demo."""

from __future__ import annotations

import math
import re
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from cases import in_turn
from deploy.dashboards import BOARDS, filled, panels, queries
from servers import need, running, wait_until
from servers.exporter import Exporter
from servers.prometheus import Prometheus, Series, job, scraping

from exporter.cli.demo.uploads import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO, ONE, TWO = "demo", "one", "two"
"""Jobs: the demo itself; what it showed once, of one pod; and the same of two pods."""
WINDOW = "20s"
OF_PODS = re.compile(r"rate\(|\bprocess_|\bup\{|\bscrape_|\(mpu_exporter_build_info|^sum by \(job, ordinal\)")
"""Queries about single pods: there two are two."""
QUERIES = dict(queries())
SUMMED = {name: query for name, query in QUERIES.items() if not OF_PODS.search(query)}
GRAPHS = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for board in BOARDS.values()
    for panel in panels(board)
    for target in panel["targets"]
    if target["range"]
}


@contextmanager
def demo(folder: Path) -> Iterator[Exporter]:
    """Run the demo; its own server ends with it."""
    log = folder / "demo.log"
    command = [
        *("env", f"TMPDIR={folder}", sys.executable, "-m", "exporter", "demo"),
        "--web.listen-address=127.0.0.1:0",
    ]
    with running(command, log) as process:
        try:
            wait_until("greeting", lambda: "Ctrl-C ends the demo" in log.read_text(), log=log)
            url = re.search(r"^ {2}Status +(http://\S+)/$", log.read_text(), re.MULTILINE)
            yield Exporter(url[1], log, process)
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def showing(text: str) -> Iterator[str]:
    """Serve an exposition that never changes; gives its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give a Prometheus that has scraped all three jobs for a while."""
    need("prometheus")
    with ExitStack() as started:
        exporter = started.enter_context(demo(tmp_path_factory.mktemp("demo")))
        exporter.wait_tried(*BUCKETS)
        frozen = started.enter_context(showing(exporter.text()))
        address = frozen.removeprefix("http://").removesuffix("/metrics")
        pods = [{"targets": [address], "labels": {"pod": pod}} for pod in ("old", "new")]
        jobs = (
            job(f"{exporter.url}/metrics", DEMO),
            job(frozen, ONE),
            job(frozen, TWO, static_configs=pods),
        )
        yield started.enter_context(scraping(*jobs))


def is_data(series: Series) -> bool:
    return bool(series) and not any(math.isnan(value) for _, value in series)


@in_turn("query", QUERIES.values(), QUERIES)
def test_no_panel_is_empty_on_the_demo(query: str, prometheus: Prometheus):
    """A minute after its start at the latest: so long what grew has nothing to compare with."""
    assert prometheus.wait_for(filled(query, DEMO, WINDOW), is_data, timeout=120)


@in_turn("query", GRAPHS.values(), GRAPHS)
def test_graphs_have_lines_without_holes(query: str, prometheus: Prometheus):
    prometheus.wait_for("count_over_time(up[1m])", lambda found: min(v for _, v in found) > 30, timeout=120)
    now = time.time()
    values = prometheus.history(filled(query, DEMO, WINDOW), now - 5, now)
    assert values
    assert not any(math.isnan(value) for value in values)


@in_turn("query", SUMMED.values(), SUMMED)
def test_a_second_pod_changes_nothing(query: str, prometheus: Prometheus):
    for each in (ONE, TWO):
        prometheus.wait_for(filled(query, each), is_data, timeout=120)
    now = time.time()

    def answer(job: str) -> dict[str, float]:
        found = prometheus.query(filled(query, job), now)
        return {str(sorted((labels | {"job": ""}).items())): value for labels, value in found}

    assert answer(ONE) == answer(TWO)


def test_a_sum_without_care_would_be_doubled(prometheus: Prometheus):
    query = "sum(mpu_pending_bytes{job='two'}) / sum(mpu_pending_bytes{job='one'})"
    assert prometheus.wait_for(query) == [({}, 2.0)]


def test_variables_offer_what_there_is(prometheus: Prometheus):
    prometheus.wait_for('count by (job) (mpu_scan_success{pod!="old"})', lambda found: len(found) == 3)
    offered = {
        variable["name"]: prometheus.label_values(
            *re.fullmatch(r"label_values\((.*), (\w+)\)", filled(variable["query"]["query"])).groups()[::-1]
        )
        for variable in BOARDS["mpu-overview"]["templating"]["list"][1:5]
    }
    assert offered == {
        "job": [DEMO, ONE, TWO],
        "store": ["s3"],
        "target": ["demo"],
        "bucket": sorted(BUCKETS),
    }
