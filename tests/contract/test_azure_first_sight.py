"""Azure Blob Storage, which tells no times: what stands for them over many scans of a container."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from contract.rig_azure import CONTAINER, container
from servers.azure import Blob, blocks_of

from exporter.config.settings import ScanSettings
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import Clocks, StoreClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.rigs import Rig

    from exporter.model.results import Summary

HOUR = 3600.0
START = 1_790_000_000.0
EMPTY = Blob("empty", length=0, content_type="", tier="")


class Watched:
    """A container that is scanned by one exporter, at times of the test's choice."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.now = START
        self.ledger = Ledger()
        client = StoreClient(rig.store, ScanSettings(), rig.stop, Clocks(wall=lambda: self.now))
        self.scanner = Scanner(client, ())

    def hold(self, *blobs: Blob) -> None:
        self.rig.server.containers[CONTAINER] = {blob.name: blob for blob in blobs}

    def after(self, hours: float) -> Summary:
        self.now = START + hours * HOUR
        return self.scanner.scan(self.rig.bucket, self.ledger).summary

    def age_after(self, hours: float) -> float | None:
        """Return the age of the oldest upload in hours."""
        initiated = self.after(hours).oldest_initiated
        return None if initiated is None else hours - (initiated - START) / HOUR


@pytest.fixture(params=[False, True], ids=["cloud", "emulator"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(stack.enter_context(container(emulator=request.param)))


def test_an_age_is_that_of_first_sight_whatever_the_server_says(watched: Watched):
    watched.hold(Blob("a", blocks_of([3]), created=START - 1000 * HOUR))
    assert [watched.age_after(hours) for hours in (0, 1, 30)] == [0.0, 1.0, 30.0]


def test_more_blocks_are_activity_and_the_same_upload(watched: Watched):
    watched.hold(Blob("a", blocks_of([3])))
    watched.after(0)
    watched.hold(Blob("a", blocks_of([3, 4])))
    summary = watched.after(1)
    assert (summary.oldest_initiated, summary.oldest_activity) == (START, START + HOUR)


def test_blocks_of_other_ids_are_another_upload(watched: Watched):
    watched.hold(Blob("a", {"Zmlyc3Q=": 3}))
    watched.after(0)
    watched.hold(Blob("a", {"c2Vjb25k": 3}))
    assert [watched.age_after(hours) for hours in (1, 2)] == [0.0, 1.0]


def test_a_blob_that_was_committed_is_new_when_it_is_uploaded_again(watched: Watched):
    watched.hold(Blob("a", blocks_of([3])))
    watched.after(0)
    watched.hold(Blob("a", length=3, committed=blocks_of([3])))
    assert watched.after(1).uploads == 0
    watched.hold(Blob("a", blocks_of([3])))
    assert [watched.age_after(hours) for hours in (2, 3)] == [0.0, 1.0]


def test_a_blob_that_was_empty_for_long_is_an_upload_as_soon_as_the_listing_tells(watched: Watched):
    tier = "Hot" if watched.rig.server.emulator else ""
    watched.hold(Blob("a", length=0, content_type="", tier=tier))
    for hours in range(0, 20 * 24, 24):
        assert watched.after(hours).uploads == 0
    assert watched.rig.traffic.requests["ListParts"] == 0
    watched.hold(Blob("a", blocks_of([3])))
    summary = watched.after(20 * 24)
    assert (summary.uploads, summary.bytes) == (1, 3)


def test_what_is_listed_and_no_upload_is_asked_about_ever_less_often(watched: Watched):
    watched.hold(EMPTY, Blob("a", blocks_of([3])))
    asked = []
    for hours in range(0, 20 * 24, 4):
        assert watched.after(hours).uploads == 1
        asked.append(watched.rig.traffic.requests["ListParts"])
    assert asked[-1] - asked[-13] <= 2 * 3
    assert watched.rig.traffic.failures == {}
