"""What the service puts together."""

from dataclasses import replace
from unittest.mock import Mock, call

import pytest

from exporter import service
from exporter.config.settings import (
    BucketSettings,
    ScanSettings,
    Settings,
    StateSettings,
    StoreKind,
    TargetSettings,
)
from exporter.config.target_sections import TopSettings
from exporter.model.results import ScanResult
from exporter.scan.tally import Tally
from exporter.service import TargetFactory
from exporter.state.database import StateDatabase

TARGET = TargetSettings(
    "prod", StoreKind.S3, (BucketSettings("media"),), ScanSettings(workers=4, concurrency=99)
)


def test_each_target_s_halvings_are_counted_under_its_name():
    metrics = Mock()
    new_target = TargetFactory(metrics, StateDatabase())
    for name in ("prod", "other"):
        watched = new_target(replace(TARGET, name=name), TARGET.buckets, (), 0.0)
        pace = watched.scanner.concurrency_limit(TARGET.buckets[0])
        pace.throttled(0)
        for _ in range(99 * 99):
            pace.succeeded()
    assert [each for each in metrics.mock_calls if each[0] != "preset"] == [
        call.concurrency_halved("prod"),
        call.concurrency_restored("prod"),
        call.concurrency_halved("other"),
        call.concurrency_restored("other"),
    ]


def test_names_are_kept_of_as_many_uploads_as_the_config_says_also_after_a_reload(tmp_path, monkeypatch):
    def settings(names: int) -> Settings:
        return Settings((TARGET,), state=StateSettings(tmp_path / "state.db", names))

    made = []
    monkeypatch.setattr(
        service, "StateDatabase", lambda *a, **b: made.append(StateDatabase(*a, **b)) or made[0]
    )
    monkeypatch.setattr(service, "WebServer", Mock())
    exporter = service.Service(settings(7), ["127.0.0.1:0"])
    maxima = [made[0].max_names]
    exporter.reload(settings(0))
    assert [*maxima, made[0].max_names] == [7, 0]


def test_what_a_scan_found_means_something_else_where_other_groups_are_asked_for():
    new_target = TargetFactory(Mock(), StateDatabase())
    bucket = BucketSettings("media")
    top = TopSettings(limit=5)
    tally = Tally(now=0.0, stale_after=1.0, ages=(), with_parts=True)
    new_target.ledger(TARGET, (), bucket).commit(ScanResult(tally.summary(), 0.0, 0.5))
    assert new_target.ledger(TARGET, (), bucket).result is not None
    assert new_target.ledger(replace(TARGET, top=top), (), bucket).result is None


def test_while_it_runs_it_does_with_each_tick_what_it_is_given(monkeypatch):
    monkeypatch.setattr(service, "WebServer", Mock(return_value=Mock(failure=None)))
    monkeypatch.setattr(service, "tune_garbage_collector", Mock())
    exporter = service.Service(Settings(()), ["127.0.0.1:0"], on_tick=lambda: ticks.append(exporter.stop()))
    ticks = []
    exporter.run()
    assert len(ticks) == 1


def test_what_ends_its_server_ends_it(monkeypatch):
    monkeypatch.setattr(service, "WebServer", Mock(return_value=Mock(failure=MemoryError())))
    monkeypatch.setattr(service, "tune_garbage_collector", Mock())
    exporter = service.Service(Settings(()), ["127.0.0.1:0"])
    exporter.stop()
    with pytest.raises(MemoryError):
        exporter.run()
