"""How many files may be open, and who gets how many of them."""

import logging
import resource

import pytest

from exporter.config.settings import BucketSettings, ScanSettings, Settings, StoreKind, TargetSettings
from exporter.scheduler.open_files import (
    ENOUGH,
    FILES_PER_CALL,
    MOST_CLIENTS,
    RESERVE,
    clients_share,
    fit_calls,
    raise_limit,
)


def settings(*scans: ScanSettings) -> Settings:
    return Settings(
        tuple(
            TargetSettings(f"t{number}", StoreKind.S3, (BucketSettings("media"),), scan)
            for number, scan in enumerate(scans)
        )
    )


def files(asked: Settings) -> int:
    return FILES_PER_CALL * sum(each.scan.workers * (1 + each.scan.concurrency) for each in asked.targets)


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "asked"),
    [
        (1024, 524288, 524288, [(524288, 524288)]),
        (256, 1024, 1024, [(1024, 1024)]),
        (1024, 1024, 1024, []),
        (1024, 1073741816, ENOUGH, [(ENOUGH, 1073741816)]),
        (256, resource.RLIM_INFINITY, ENOUGH, [(ENOUGH, resource.RLIM_INFINITY)]),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, ENOUGH, []),
    ],
)
def test_the_soft_limit_is_raised_to_the_hard_one(monkeypatch, soft, hard, allowed, asked):
    set_to = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    assert (allowed, asked) == (raise_limit(), set_to)


def test_a_system_that_allows_less_than_it_says_leaves_what_there_was(monkeypatch):
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == 256


@pytest.mark.parametrize(
    ("allowed", "clients"), [(ENOUGH, MOST_CLIENTS), (2048, 512), (1024, 256), (256, 64), (3, 1)]
)
def test_clients_get_a_quarter_at_most(allowed, clients):
    assert clients == clients_share(allowed)


def test_where_there_are_enough_files_nothing_is_lowered(caplog):
    asked = settings(ScanSettings(), ScanSettings(workers=8, concurrency=10))
    assert (asked, []) == (fit_calls(asked, 2048), caplog.records)


@pytest.mark.parametrize("allowed", [512, 1024])
def test_calls_are_lowered_to_the_files_that_clients_and_the_reserve_leave(allowed, caplog):
    asked = settings(ScanSettings(workers=4, concurrency=99), ScanSettings(workers=2, concurrency=999))
    with caplog.at_level(logging.WARNING):
        fitted = fit_calls(asked, allowed)
    left = allowed - clients_share(allowed) - RESERVE
    assert left - FILES_PER_CALL * 6 < files(fitted) <= left  # less than one call of each scan is lost
    assert [each.scan.workers for each in fitted.targets] == [4, 2]
    first, second = (1 + each.scan.concurrency for each in fitted.targets)
    assert 8 < second / first < 16  # each the same share of what it asks for
    [record] = caplog.records
    assert {"allowed": allowed, "needed": files(asked) + allowed - left} == record.fields


def test_no_target_is_left_without_calls(caplog):
    fitted = fit_calls(settings(*[ScanSettings()] * 100), 256)
    assert {1} == {each.scan.concurrency for each in fitted.targets}
    assert len(caplog.records) == 1
