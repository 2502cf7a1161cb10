"""Log lines about buckets with the same problem: few, however many buckets there are."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from fakes import BUCKET, REFUSED, Clock, FakeStore, error, upload

from exporter.config.settings import ScanSettings, StoreKind, TargetSettings
from exporter.config.target_sections import TopSettings
from exporter.model.errors import Reason
from exporter.scan import groups
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient


class Target:
    """A target whose buckets all have the same uploads, rules and tags."""

    def __init__(self, store: FakeStore, **settings: object) -> None:
        self.clock = Clock()
        target = replace(TargetSettings("prod", StoreKind.S3, ()), **settings)
        client = StoreClient(store, ScanSettings(retries=0), self.clock, self.clock.clocks())
        self.scanner = Scanner(client, (), enrichment=Enrichment(target, client))

    def scan(self, *numbers: int) -> None:
        for number in numbers:
            self.scanner.scan(replace(BUCKET, name=f"b{number}"), Ledger())


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[tuple[str, int | None]]:
    """Return bucket and number of buckets of each line of this level."""
    lines = [each.fields for each in caplog.records if each.levelno == level]  # type: ignore[attr-defined]
    return [(fields["bucket"], fields.get("buckets")) for fields in lines]


FEW = [("b0", None), ("b1", None), ("b2", None), ("b3", 4), ("b9", 10), ("b99", 100)]


@pytest.mark.parametrize(
    ("store", "settings", "level"),
    [
        (FakeStore(tags=[REFUSED]), {"tags": ("owner",)}, logging.WARNING),
        (FakeStore(tags=[{}]), {"tags": ("owner",)}, logging.INFO),
        (FakeStore(rules=[REFUSED]), {"lifecycle": True}, logging.WARNING),
        (FakeStore([upload(1), upload(2)]), {"top": TopSettings(("prefix",))}, logging.WARNING),
    ],
)
def test_many_buckets_have_few_lines_and_the_rest_at_level_debug(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    store: FakeStore,
    settings: dict[str, object],
    level: int,
):
    monkeypatch.setattr(groups, "MAX_GROUPS", 0)
    with caplog.at_level(logging.DEBUG):
        Target(store, **settings).scan(*range(110))
    assert told(caplog, level) == FEW
    assert len(told(caplog, logging.DEBUG)) == 110 - len(FEW)


def test_each_reason_has_lines_of_its_own(caplog: pytest.LogCaptureFixture):
    answers = [*[REFUSED] * 5, error(Reason.UNSUPPORTED, 501)]
    Target(FakeStore(tags=answers), tags=("owner",)).scan(*range(7))
    assert told(caplog, logging.WARNING) == [*FEW[:4], ("b5", None), ("b6", None)]


def test_a_bucket_that_begins_an_hour_later_is_named(caplog: pytest.LogCaptureFixture):
    target = Target(FakeStore(tags=[REFUSED]), tags=("owner",))
    target.scan(*range(6))
    target.clock.now += 3600
    target.scan(*range(7))
    assert told(caplog, logging.WARNING) == [*FEW[:4], ("b6", None)]


def test_buckets_that_come_and_go_are_not_told_again_within_an_hour(caplog: pytest.LogCaptureFixture):
    busy = error(Reason.THROTTLED, 503, "SlowDown", retryable=True)
    tags = [busy] * 4 + [{"owner": "a"}] * 4 + [busy] * 4
    target = Target(FakeStore(tags=tags), tags=("owner",))
    target.scan(*range(4), *range(4), *range(4, 8))
    assert told(caplog, logging.WARNING) == FEW[:4]
