"""A Prometheus that scrapes the demo and boards like it, and what is asked of it, whichever version it is.

A file of tests has a class of its own, `class TestX(Scraped): program = "prometheus"`.
"""

from __future__ import annotations

import json
import math
import re
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import pytest
from cases import in_turn
from deploy.dashboards import BOARDS, filled, panels, queries, query_of
from docs.documents import DOCUMENTS, GUIDE, blocks, code, table
from unit.example_board import SUMMARY, ExampleBoard

from exporter.cli.demo.uploads import BUCKETS
from exporter.config.durations import duration_text
from exporter.config.settings import Settings
from exporter.web.negotiation import metrics_format
from servers import need, running, wait_until
from servers.exporter import Exporter
from servers.prometheus import Prometheus, Series, job, scraping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEMO, ONE, TWO = "demo", "one", "two"
"""Jobs: the demo itself; what it showed once, of one pod; and the same of two pods."""
TEXT, OPENMETRICS = "text", "openmetrics"
"""Jobs: a board with the default bounds of ages, in each format."""
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
TOLD = [
    query
    for document in ("README.md", "docs/metrics.md", "docs/alerts.md", "docs/performance.md")
    for block in blocks(DOCUMENTS[document], "promql")
    for query in block.splitlines()
]
"""Queries of the guide, one a line; those of runbooks are about what the demo does not have."""
AGES = Settings(()).ages
OLDER = range(len(AGES), 0, -1)
"""Uploads of the board that are older than each of these."""
CALLED = {code(age)[0]: code(le)[0] for age, le in table(GUIDE["metrics"], "`ages`", "`le`")}
"""What the guide says that each default bound is called."""


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
def answering(page: Callable[[str], tuple[str, bytes]]) -> Iterator[str]:
    """Serve what `page` gives for an Accept header, its type and its text; gives the address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            content_type, body = page(self.headers["Accept"])
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


def default_ages() -> Callable[[str], tuple[str, bytes]]:
    """Return a page of a bucket with an upload younger than each default bound, and one older than all."""
    board = ExampleBoard("media", ages=AGES)
    board.publish("media", replace(SUMMARY, age_counts=tuple(range(1, len(AGES) + 2))))

    def page(accept: str) -> tuple[str, bytes]:
        wanted = metrics_format(accept)
        shown = board.openmetrics if wanted.openmetrics else board.text
        return wanted.content_type, shown.render()

    return page


def frozen_text(demo: Exporter) -> tuple[str, bytes]:
    """Return what the demo shows, as if some uploads were stale already."""
    text = re.sub(r"^(mpu_stale_uploads\{.*\}) 0\.0$", r"\1 3.0", demo.text(), flags=re.MULTILINE)
    return metrics_format("").content_type, text.encode()


@dataclass(frozen=True)
class Rig:
    """A Prometheus that has scraped all jobs for a while, and the demo that it scrapes."""

    prometheus: Prometheus
    demo: Exporter


@pytest.fixture(scope="class")
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Give the Prometheus of the class, and the demo."""
    program: str = request.cls.program
    need(program)
    with ExitStack() as started:
        exporter = started.enter_context(demo(tmp_path_factory.mktemp("demo")))
        exporter.wait_tried(*BUCKETS)
        page = frozen_text(exporter)
        frozen = started.enter_context(answering(lambda _: page))
        bounds = started.enter_context(answering(default_ages()))
        plain = default_ages()("text/plain")
        address = frozen.removeprefix("http://").removesuffix("/metrics")
        pods = [{"targets": [address], "labels": {"pod": pod}} for pod in ("old", "new")]
        jobs = (
            job(f"{exporter.url}/metrics", DEMO),
            job(frozen, ONE),
            job(frozen, TWO, static_configs=pods),
            job(bounds, OPENMETRICS),
            job(started.enter_context(answering(lambda _: plain)), TEXT),
        )
        yield Rig(started.enter_context(scraping(*jobs, program=program)), exporter)


@pytest.fixture(scope="class")
def prometheus(rig: Rig) -> Prometheus:
    """Give the Prometheus of the class."""
    return rig.prometheus


def is_data(series: Series) -> bool:
    return bool(series) and not any(math.isnan(value) for _, value in series)


class Scraped:
    """What holds for the demo and the guide, of each Prometheus."""

    program: ClassVar[str]

    @in_turn("query", QUERIES.values(), QUERIES)
    def test_no_panel_is_empty_on_the_demo(self, query: str, prometheus: Prometheus):
        """A minute after its start at the latest: so long what grew has nothing to compare with."""
        assert prometheus.wait_for(filled(query, DEMO, WINDOW), is_data, timeout=120)

    @in_turn("query", GRAPHS.values(), GRAPHS)
    def test_graphs_have_lines_without_holes(self, query: str, prometheus: Prometheus):
        prometheus.wait_for(
            "count_over_time(up[1m])", lambda found: min(v for _, v in found) > 30, timeout=120
        )
        now = time.time()
        values = prometheus.history(filled(query, DEMO, WINDOW), now - 5, now)
        assert values
        assert not any(math.isnan(value) for value in values)

    @in_turn("query", SUMMED.values(), SUMMED)
    def test_a_second_pod_changes_nothing(self, query: str, prometheus: Prometheus):
        for each in (ONE, TWO):
            prometheus.wait_for(filled(query, each), is_data, timeout=120)
        now = time.time()

        def answer(job: str) -> dict[str, float]:
            found = prometheus.query(filled(query, job), now)
            return {str(sorted((labels | {"job": ""}).items())): value for labels, value in found}

        assert answer(ONE) == answer(TWO)

    def test_a_sum_without_care_would_be_doubled(self, prometheus: Prometheus):
        query = "sum(mpu_pending_bytes{job='two'}) / sum(mpu_pending_bytes{job='one'})"
        assert prometheus.wait_for(query) == [({}, 2.0)]

    def test_variables_offer_what_there_is(self, prometheus: Prometheus):
        jobs = 'count by (job) (mpu_scan_success{pod!="old"})'
        prometheus.wait_for(jobs, lambda found: len(found) == 5)
        offered = {
            variable["name"]: prometheus.label_values(
                *re.fullmatch(r"label_values\((.*), (\w+)\)", filled(variable["query"]["query"])).groups()[
                    ::-1
                ]
            )
            for variable in BOARDS["mpu-overview"]["templating"]["list"][1:5]
        }
        assert offered == {
            "job": [DEMO, ONE, TWO],
            "store": ["s3"],
            "target": ["demo"],
            "bucket": sorted(BUCKETS),
        }

    @in_turn("query", TOLD)
    def test_each_query_of_the_guide_gives_something_on_the_demo(self, query: str, prometheus: Prometheus):
        """Without a job, as a newcomer types it: so every job is asked, and the demo answers."""
        found = prometheus.wait_for(query, lambda found: any(DEMO in labels.values() for labels, _ in found))
        assert is_data(found)

    @in_turn("name", (TEXT, OPENMETRICS))
    def test_each_default_bound_is_called_as_the_guide_says(self, name: str, prometheus: Prometheus):
        bucket = f"mpu_upload_age_seconds_bucket{{job='{name}',le='%s'}}"
        prometheus.wait_for(bucket % "+Inf")
        found = {age: [value for _, value in prometheus.query(bucket % le)] for age, le in CALLED.items()}
        assert found == {age: [number] for number, age in enumerate(map(duration_text, AGES), 1)}

    @in_turn("name", (TEXT, OPENMETRICS))
    def test_uploads_older_than_each_default_bound_are_in_the_dashboards_table(
        self, name: str, prometheus: Prometheus
    ):
        found = prometheus.wait_for(filled(query_of("mpu-overview", "Uploads older than"), name))
        assert {labels["le"]: value for labels, value in found} == dict(
            zip(CALLED.values(), OLDER, strict=True)
        )

    def test_a_line_of_stale_uploads_leads_to_these_on_the_exporter_s_page(self, rig: Rig):
        [panel] = [p for p in panels(BOARDS["mpu-overview"]) if p["title"] == "Stale uploads by bucket"]
        link = re.search(r'"\$\{pages:raw\}([^"]+)"', json.dumps(panel))[1]
        for labels, _ in rig.prometheus.wait_for(filled(panel["targets"][0]["expr"], DEMO)):
            path = link
            for name in ("target", "bucket"):
                field = f"${{__data.fields.{name.title()}:percentencode}}"
                path = path.replace(field, quote(labels[name], safe=""))
            assert "$" not in path
            assert labels["bucket"] in rig.demo.text(path)
            listed = json.loads(rig.demo.text(f"/api/v1{path}"))["data"]
            assert listed["stale"]
            assert {upload["bucket"] for upload in listed["uploads"]} == {labels["bucket"]}
