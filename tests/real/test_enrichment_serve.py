"""Abort dates and groups as a whole exporter shows them, over a restart too, and whatever keys are like."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.exporter import Exporter, serving, target
from servers.promtool import promtool_check_metrics
from servers.s3 import EPOCH, PARTS, S3, UPLOADS, Part, Upload, error
from servers.standin import Fault, Reply, StandIn

DAY = 86400.0
HOSTILE = ['a"b\\c{}/k', "n\nl\t/k", "esc\x1b[31m/k", "x" * 1000 + "/k", "é🪣/k", "<script>/k", "\u2028/k"]
Serve = Callable[..., Exporter]


@pytest.fixture
def s3() -> S3:
    return S3()


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server


def configured(server: StandIn, folder: Path, **settings: object) -> dict[str, object]:
    watched = target("prod", server.url, "media", scan={"interval": "1h"}, **settings)
    return {"state": {"path": str(folder / "state.db")}, "targets": [watched]}


def dated(s3: S3, dates: dict[str, float]) -> None:
    """Have the parts of an upload carry the date of its key."""

    def add(reply: Reply) -> Reply:
        [date] = [date for key, date in dates.items() if f"<Key>{key}</Key>".encode() in reply.body] or [None]
        if date is None:
            return reply
        return replace(reply, headers={**reply.headers, "x-amz-abort-date": formatdate(date, usegmt=True)})

    s3.faults.add(Fault(PARTS, reply=add))


def test_abort_dates_are_counted_and_outlive_a_restart(s3: S3, server: StandIn, tmp_path: Path):
    now = time.time()
    s3.buckets["media"] = [
        Upload(key, f"id-{key}", now - 30 * DAY, parts=[Part(1, 5, EPOCH)]) for key in "abcd"
    ]
    dated(s3, {"a": now + DAY, "b": now - DAY, "c": now - 3 * DAY})
    for process in range(2):
        folder = tmp_path / str(process)
        folder.mkdir()
        with serving(folder, configured(server, tmp_path)) as exporter:
            samples = exporter.wait_tried("media")
        assert samples["mpu_abort_scheduled_uploads", "media"] == 3
        assert samples["mpu_abort_overdue_uploads", "media"] == 1
        assert sum("uploadId" in request.query for request in server.requests) == 4


def test_groups_and_tags_outlive_a_restart_but_not_another_question(s3: S3, server: StandIn, tmp_path: Path):
    s3.buckets["media"] = [Upload(f"a/{n}/k", f"id-{n}", parts=[Part(1, 10)]) for n in range(3)]
    s3.tags["media"] = {"owner": "storage"}
    found = []
    for process, depth in enumerate((1, 1, 2)):
        folder = tmp_path / str(process)
        folder.mkdir()
        config = configured(server, tmp_path, top={"by": ["prefix"], "depth": depth}, tags=["owner"])
        with serving(folder, config) as exporter:
            exporter.wait_tried("media")
            text = exporter.text()
            found.append((groups(text), 'tag_owner="storage"' in text))
        s3.faults.clear()
        s3.faults.add(Fault(UPLOADS, reply=lambda _: error(403, "AccessDenied")))
    assert found == [({"a/": 3, "": 0}, True), ({"a/": 3, "": 0}, True), ({}, False)]


def groups(text: str) -> dict[str, float]:
    return {
        sample.labels["prefix"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "mpu_prefix_uploads"
    }


def test_keys_that_strangers_chose_do_no_harm(s3: S3, server: StandIn, tmp_path: Path):
    s3.buckets["media"] = [Upload(key, f"id-{n}", parts=[Part(1, 10 + n)]) for n, key in enumerate(HOSTILE)]
    config = configured(server, tmp_path, top={"by": ["prefix"], "limit": 100})
    with serving(tmp_path, config) as exporter:
        exporter.wait_tried("media")
        text = exporter.text()
    found = groups(text)
    assert promtool_check_metrics(text) == ""
    assert found.pop("") == 0
    assert list(found.values()) == [1] * len(HOSTILE)
    assert all(name.isprintable() and len(name) <= 124 for name in found)
