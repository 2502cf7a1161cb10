"""The text of /metrics: rendered once per change, and the same as the library's own."""

import os
import re
import threading
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from servers.promtool import promtool_check_metrics
from unit.example_board import HOSTILE, NOTHING, SUMMARY, ExampleBoard

from exporter.config.settings import AgesAs
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exposition import Exposition, gzip
from exporter.model.errors import Failure, Reason
from exporter.state.board import Entry

GOLDEN = Path(__file__).with_name("golden")


def blocks(text: bytes) -> dict[str, list[str]]:
    """Return the sorted samples under each head, having checked that no head comes twice."""
    found: dict[str, list[str]] = {}
    for block in text.decode().removesuffix("# EOF\n").split("# HELP ")[1:]:
        help_line, type_line, *samples = block.removesuffix("\n").split("\n")
        assert f"{help_line}\n{type_line}" not in found
        found[f"{help_line}\n{type_line}"] = sorted(samples)
    return found


def assert_as_the_library(drawn: ExampleBoard) -> None:
    assert blocks(drawn.text.render()) == blocks(generate_latest(drawn.full()))
    assert blocks(drawn.openmetrics.render()) == blocks(generate_openmetrics(drawn.full()))


@pytest.fixture
def drawn() -> ExampleBoard:
    """Return a board with a bucket in each state there is."""
    drawn = ExampleBoard("media", "empty", "failing", "kept", "new", HOSTILE)
    drawn.publish("media")
    drawn.publish("empty", NOTHING)
    drawn.publish("kept")
    drawn.publish(HOSTILE, replace(SUMMARY, bytes=None, parts=None, empty=None, bytes_by_class=()))
    drawn.board.fail(("prod", "failing"), Failure(Reason.ACCESS_DENIED, "Access Denied"), 0.5)
    drawn.board.fail(("prod", "kept"), Failure(Reason.TIMEOUT, "too slow"), 30.0)
    drawn.counter.inc()
    return drawn


class Counting(BoardCollector):
    """Notes which buckets it is asked to render."""

    def __init__(self, drawn: ExampleBoard):
        super().__init__(drawn.board)
        self.rendered: list[str] = []

    def families(self, entries: list[Entry]):
        self.rendered += [entry.bucket for entry in entries]
        return super().families(entries)


class TestOncePerChange:
    def test_a_bucket_is_rendered_when_it_is_new_or_changed_and_only_then(self):
        drawn = ExampleBoard("a", "b")
        counting = Counting(drawn)
        exposition = Exposition(counting, drawn.registry)
        exposition.render()
        exposition.render()
        assert counting.rendered == ["a", "b"]
        drawn.publish("b")
        exposition.render()
        exposition.render()
        assert counting.rendered == ["a", "b", "b"]

    def test_the_exporters_own_counters_are_always_fresh(self):
        drawn = ExampleBoard("a")
        assert b"own_work_total 0.0\n" in drawn.text.render()
        drawn.counter.inc()
        assert b"own_work_total 1.0\n" in drawn.text.render()

    def test_a_bucket_that_vanishes_takes_its_series_along(self):
        drawn = ExampleBoard("stays", "goes")
        drawn.publish("stays")
        drawn.publish("goes")
        assert b'bucket="goes"' in drawn.text.render()
        drawn.board.declare([drawn.entry("stays")])
        assert b'bucket="goes"' not in drawn.text.render()
        assert b'bucket="goes"' not in drawn.openmetrics.render()

    def test_a_head_without_samples_is_not_shown(self):
        drawn = ExampleBoard("a")
        drawn.board.fail(("prod", "a"), Failure(Reason.TLS, "expired"), 0.1)
        assert b"mpu_scan_failing" in drawn.text.render()
        drawn.publish("a")
        assert b"mpu_scan_failing" not in drawn.text.render()

    def test_values_older_than_keep_for_vanish_though_nothing_was_published(self):
        drawn = ExampleBoard("a", keep_for=100.0)
        drawn.publish("a")
        drawn.board.fail(("prod", "a"), Failure(Reason.CONNECTION, "refused"), 0.1)
        assert b"mpu_pending_bytes{" in drawn.text.render()
        drawn.clock.now = 101.0
        assert b"mpu_pending_bytes{" not in drawn.text.render()
        assert b"mpu_scan_success{" in drawn.text.render()

    @pytest.mark.no_cover
    @pytest.mark.slow
    def test_scrapes_and_scans_at_the_same_time_do_not_disturb_each_other(self):
        drawn = ExampleBoard(*map(str, range(50)))
        stop = threading.Event()
        failures: list[BaseException] = []

        def scan() -> None:
            while not stop.is_set():
                for number in range(50):
                    drawn.publish(str(number))
                    drawn.board.fail(("prod", str(number)), Failure(Reason.TIMEOUT, ""), 1.0)

        def scrape() -> None:
            try:
                for _ in range(20):
                    blocks(drawn.text.render())
            except BaseException as error:  # noqa: BLE001 - told to the test
                failures.append(error)

        scanner = threading.Thread(target=scan)
        scrapers = [threading.Thread(target=scrape) for _ in range(4)]
        scanner.start()
        for thread in scrapers:
            thread.start()
        for thread in scrapers:
            thread.join()
        stop.set()
        scanner.join()
        assert failures == []


class TestAsTheLibrary:
    def test_both_formats_are_what_the_library_makes_of_the_full_collector(self, drawn: ExampleBoard):
        assert_as_the_library(drawn)

    def test_also_when_families_come_up_later(self):
        drawn = ExampleBoard("a", "b")
        assert_as_the_library(drawn)
        drawn.board.fail(("prod", "a"), Failure(Reason.TIMEOUT, "too slow"), 30.0)
        assert_as_the_library(drawn)
        drawn.publish("b")
        assert_as_the_library(drawn)
        drawn.publish("a", NOTHING)
        assert_as_the_library(drawn)

    @pytest.mark.no_cover
    @given(st.text(), st.floats(), st.integers(0, 2**63))
    def test_whatever_the_names_and_numbers_are(self, name: str, moment: float, size: int):
        drawn = ExampleBoard(name)
        drawn.publish(name, replace(SUMMARY, bytes=size, oldest_initiated=moment, age_sum=moment))
        assert_as_the_library(drawn)

    def test_ages_may_be_gauges_of_those_older_than_each_bound(self):
        drawn = ExampleBoard("a", "empty", ages_as="gauges")
        drawn.publish("a")
        drawn.publish("empty", NOTHING)
        older = {
            (sample.labels["bucket"], sample.labels["age"]): sample.value
            for family in drawn.collector.collect()
            for sample in family.samples
            if family.name == "mpu_uploads_older_than"
        }
        assert older == {("a", "1h"): 3, ("a", "1d"): 1, ("empty", "1h"): 0, ("empty", "1d"): 0}
        assert b"mpu_upload_age_seconds" not in drawn.text.render()
        assert_as_the_library(drawn)

    @pytest.mark.parametrize("ages_as", ["histogram", "gauges"])
    def test_before_a_first_scan_no_age_is_shown(self, ages_as: AgesAs):
        drawn = ExampleBoard("new", ages_as=ages_as)
        assert not {b"age", b"older"} & set(re.findall(rb"[a-z]+", drawn.text.render()))

    def test_without_age_bounds_there_is_no_histogram(self):
        drawn = ExampleBoard("a", ages=())
        drawn.publish("a", replace(SUMMARY, age_counts=()))
        assert b"mpu_upload_age_seconds" not in drawn.text.render()
        assert_as_the_library(drawn)

    def test_openmetrics_ends_with_its_mark(self, drawn: ExampleBoard):
        assert drawn.openmetrics.render().endswith(b"\n# EOF\n")


class TestGolden:
    """Committed text; `REWRITE_EXPECTED=1 pytest tests/unit/test_exposition.py` rewrites it."""

    @pytest.mark.parametrize("name", ["text", "openmetrics"])
    def test_the_exposition_is_as_committed(self, drawn: ExampleBoard, name: str):
        shown = getattr(drawn, name).render().decode()
        golden = GOLDEN / f"{name}.txt"
        if os.environ.get("REWRITE_EXPECTED"):
            golden.write_bytes(shown.encode())
        assert golden.read_bytes().decode() == shown

    @pytest.mark.server
    def test_promtool_finds_nothing(self):
        assert promtool_check_metrics((GOLDEN / "text.txt").read_bytes().decode()) == ""


def test_gzip_is_one_member_that_any_reader_can_undo():
    body = b"mpu_uploads_in_progress 1.0\n" * 1000
    packed = gzip(body)
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert unpack.decompress(packed) == body
    assert (unpack.eof, unpack.unused_data) == (True, b"")
    assert len(packed) < len(body) / 50
