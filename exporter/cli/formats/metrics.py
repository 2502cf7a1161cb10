"""Scan results as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exposition import Exposition
from exporter.model.errors import Failure
from exporter.state.board import Board, Entry
from exporter.stores.prices import price_list_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.cli.oneshot import Outcome
    from exporter.config.settings import AgesAs
    from exporter.model.results import ScanResult


def scan_metrics(ages: tuple[float, ...], ages_as: AgesAs, outcomes: Sequence[Outcome[ScanResult]]) -> str:
    """Return what `/metrics` says of the buckets, in the text format."""
    board = Board()
    tried = [outcome for outcome in outcomes if outcome.bucket]
    board.declare(
        Entry(
            each.target.name,
            each.bucket,
            each.target.store.value,
            each.target.scan.keep_for,
            ages,
            ages_as,
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
    return Exposition(BoardCollector(board), CollectorRegistry()).render().decode()
