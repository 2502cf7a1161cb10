"""Scan results as metrics: what a textfile collector is given in place of a running exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.oneshot import NothingFound
from exporter.config.settings import BucketSettings
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import run_registry
from exporter.metrics.exposition import Exposition
from exporter.metrics.targets import TargetCollector
from exporter.model.errors import Failure
from exporter.model.targets import Discovery, TargetStatus
from exporter.state.board import Board, Entry
from exporter.stores.prices import price_list_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.cli.oneshot import Outcome
    from exporter.config.settings import Settings, TargetSettings
    from exporter.model.results import ScanResult

    Outcomes = Sequence[Outcome[ScanResult]]


def scan_metrics(settings: Settings, outcomes: Outcomes, *, regions: Mapping[str, str]) -> str:
    """Return what `/metrics` says of buckets and targets, in the text format.

    `regions` are the signing regions by target, where known. What counts on from scan to scan is left out,
    and what is the process's: the collector has its own.
    """
    registry = run_registry(each.name for each in settings.targets)
    statuses = [_status(each, outcomes, regions.get(each.name, "")) for each in settings.targets]
    registry.register(TargetCollector(lambda: statuses))
    return Exposition(BoardCollector(_board(settings, outcomes)), registry).render().decode()


def _status(target: TargetSettings, outcomes: Outcomes, region: str) -> TargetStatus:
    own = [each for each in outcomes if each.target.name == target.name]
    buckets = tuple(BucketSettings(each.bucket) for each in own if each.bucket)
    told = all(each.bucket or isinstance(each.value, NothingFound) for each in own)
    discovery = Discovery(success=told) if target.discover else None
    return TargetStatus(target, buckets, region, discovery=discovery)


def _board(settings: Settings, outcomes: Outcomes) -> Board:
    board = Board()
    tried = [outcome for outcome in outcomes if outcome.bucket]
    board.declare(
        Entry(
            each.target.name,
            each.bucket,
            each.target.store.value,
            each.target.scan.keep_for,
            settings.ages,
            settings.ages_as,
            price_list=price_list_of(each.target),
            cleanup_after=each.target.cleanup.after if each.target.cleanup else None,
        )
        for each in tried
    )
    for each in tried:
        key = (each.target.name, each.bucket)
        if isinstance(each.value, Failure):
            board.fail(key, each.value, None)
        else:
            board.publish(key, each.value)
    return board
