"""How many files may be open, and who gets how many of them."""

import logging
import resource
from collections.abc import Iterable
from dataclasses import replace

import pytest

from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.scheduler.open_files import (
    ENOUGH,
    FILES_PER_CALL,
    MOST_CLIENTS,
    RESERVE,
    calls_share,
    clients_share,
    fit_calls,
    raise_limit,
)


def targets(*scans: ScanSettings) -> tuple[TargetSettings, ...]:
    return tuple(
        TargetSettings(f"t{number}", StoreKind.S3, (BucketSettings("media"),), scan)
        for number, scan in enumerate(scans)
    )


def files(asked: Iterable[TargetSettings]) -> int:
    return FILES_PER_CALL * sum(each.scan.workers * (1 + each.scan.concurrency) for each in asked)


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


def test_of_the_rest_a_reserve_is_kept_from_calls():
    assert calls_share(1024) == 1024 - 256 - RESERVE


def test_where_there_are_enough_files_nothing_is_lowered(caplog):
    asked = targets(ScanSettings(), ScanSettings(workers=8, concurrency=10))
    assert (asked, []) == (fit_calls(asked, files(asked)), caplog.records)


@pytest.mark.parametrize("share", [256, 640])
def test_calls_are_lowered_to_the_files_that_they_may_take(share, caplog):
    asked = targets(ScanSettings(workers=4, concurrency=99), ScanSettings(workers=2, concurrency=999))
    with caplog.at_level(logging.WARNING):
        fitted = fit_calls(asked, share)
    assert share - FILES_PER_CALL * 6 < files(fitted) <= share  # less than one call of each scan is lost
    assert [each.scan.workers for each in fitted] == [4, 2]
    first, second = (1 + each.scan.concurrency for each in fitted)
    assert 8 < second / first < 16  # each the same part of what it asks for
    [record] = caplog.records
    assert {"allowed": share, "needed": files(asked)} == record.fields


def test_where_few_targets_are_scanned_at_once_only_these_count(caplog):
    asked = targets(*[ScanSettings()] * 100, ScanSettings(concurrency=100))
    most = files([asked[0], asked[-1]])
    assert asked == fit_calls(asked, most, at_once=2)
    assert files(asked[-1:]) > files(fit_calls(asked, most - 1, at_once=2)[-1:])
    assert len(caplog.records) == 1


def test_each_node_keeps_connections_of_its_own():
    [asked] = targets(ScanSettings(workers=1, concurrency=9))
    nodes = replace(asked, endpoint_urls=tuple(f"http://node-{number}:9000" for number in range(4)))
    assert (nodes,) == fit_calls([nodes], 4 * files([asked]))
    assert (nodes,) != fit_calls([nodes], 4 * files([asked]) - 1)


def test_no_target_is_left_without_calls(caplog):
    fitted = fit_calls(targets(*[ScanSettings()] * 100), -1)
    assert {1} == {each.scan.concurrency for each in fitted}
    assert len(caplog.records) == 1
