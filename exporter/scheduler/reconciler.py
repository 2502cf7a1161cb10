"""The reconciler: brings queues, board and state in line with the settings and the discovered buckets."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from exporter.config.sharding import UNSHARDED, Shard
from exporter.model.targets import TargetStatus
from exporter.scheduler.discovery import bucket_settings, matches
from exporter.scheduler.scan_now import request_scans
from exporter.state.board import Board, Entry
from exporter.state.database import BucketName
from exporter.stores.prices import price_list_of
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.config.settings import AgesAs, BucketSettings, Settings, TargetSettings
    from exporter.model.targets import ScanRequest
    from exporter.scheduler.watched_target import WatchedTarget
    from exporter.state.database import StateDatabase

STAGGER_SECONDS = 0.02
"""Time between the first scans of two targets, so that hundreds do not connect in the same instant."""


class NewWatchedTarget(Protocol):
    """What makes a watched target."""

    def __call__(
        self, target: TargetSettings, buckets: Sequence[BucketSettings], ages: tuple[float, ...], start: float
    ) -> WatchedTarget:
        """Return it; its first scans are due at `start` (monotonic clock)."""


class Reconciler:
    """Keeps the watched targets, the board and the state in line with the settings and discovered buckets."""

    def __init__(  # noqa: PLR0913 - what it keeps in line
        self,
        board: Board,
        state: StateDatabase,
        new_target: NewWatchedTarget,
        *,
        shard: Shard = UNSHARDED,
        on_watch: Callable[[str, Collection[str]], None] = lambda *_: None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Make one without targets; only the buckets of `shard` are watched.

        `on_watch` is given a target and the names of all its buckets, whenever these may be others.
        """
        self._board = board
        self._state = state
        self._new_target = new_target
        self._shard = shard
        self._on_watch = on_watch
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._targets: tuple[WatchedTarget, ...] = ()
        self._ages: tuple[float, ...] = ()
        self._ages_as: AgesAs = "histogram"

    @property
    def targets(self) -> tuple[WatchedTarget, ...]:
        """The targets that are watched now."""
        return self._targets

    def apply(self, settings: Settings) -> set[str]:
        """Watch what the settings say; return the names of the targets that are no longer watched.

        A target with other settings begins anew, but for values that mean the same as before; one with other
        buckets only goes on.
        """
        with self._lock:
            before = {watched.settings.name: watched for watched in self._targets}
            same_ages = (settings.ages, settings.ages_as) == (self._ages, self._ages_as)
            kept: list[tuple[WatchedTarget, TargetSettings]] = []
            targets: list[WatchedTarget] = []
            new = 0
            start = self._monotonic()
            for target in map(self._shard.own_part, settings.targets):
                watched = before.get(target.name)
                if watched and same_ages and _differs_in_buckets_only(watched.settings, target):
                    kept.append((watched, target))
                else:
                    first = start + new * STAGGER_SECONDS
                    watched = self._new_target(target, self._known_buckets(target), settings.ages, first)
                    new += 1
                targets.append(watched)
            self._ages, self._ages_as = settings.ages, settings.ages_as
            self._replace_targets(targets)
            for watched, target in kept:
                self._go_on(watched, target)
            self._prune_state()
            return before.keys() - {watched.settings.name for watched in targets}

    def found(self, watched: WatchedTarget, buckets: Sequence[BucketSettings]) -> None:
        """Watch the buckets that a target was found to have, unless it is no longer watched."""
        with self._lock:
            if not watched.retired:
                self._watch(watched, buckets)
                self._prune_state()

    def restore(self) -> None:
        """Show what an earlier process found, now that the state is open, and forget what is not watched."""
        with self._lock:
            for watched in self._targets:
                watched.keep_ledgers(())
                self._watch(watched, self._known_buckets(watched.settings), again=True)
            self._prune_state()

    def request_scans(self, targets: Collection[str] = (), buckets: Collection[str] = ()) -> ScanRequest:
        """Have buckets scanned now; see `scan_now.request_scans`. Raises UnknownNameError."""
        return request_scans(self._targets, targets, buckets, self._monotonic())

    def cancel(self) -> None:
        """Cancel all that is under way; from any thread, signal handlers included."""
        for watched in self._targets:
            watched.cancel()

    def close(self) -> None:
        """Close the stores of all targets."""
        for watched in self._targets:
            watched.close()

    def statuses(self) -> list[TargetStatus]:
        """Return what is watched now."""
        now, wall = self._monotonic(), self._wall()
        return [
            TargetStatus(
                settings=watched.settings,
                buckets=watched.queue.buckets(),
                signing_region=watched.signing_region(),
                scan_times=watched.queue.scan_times(now, wall),
                discovery=watched.discovery.state if watched.discovery else None,
            )
            for watched in self._targets
        ]

    def all_discovered(self) -> bool:
        """Whether each target's list of buckets was read or tried, or some of its buckets are known."""
        return all(
            watched.discovery is None
            or watched.discovery.state.success is not None
            or watched.queue.buckets()
            for watched in self._targets
        )

    def _replace_targets(self, targets: Sequence[WatchedTarget]) -> None:
        """Watch these targets; buckets of new ones are shown with what is known of them already."""
        retired = [watched for watched in self._targets if watched not in targets]
        for watched in targets:
            if watched not in self._targets:
                new = {bucket.name: self._entry(watched, bucket) for bucket in watched.queue.buckets()}
                self._board.watch(watched.settings.name, new, new)
                self._on_watch(watched.settings.name, new.keys())
        names = {watched.settings.name for watched in targets}
        for watched in retired:
            if watched.settings.name not in names:
                self._board.watch(watched.settings.name, (), {})
                self._on_watch(watched.settings.name, ())
        self._targets = tuple(targets)
        for watched in retired:
            watched.retire()

    def _go_on(self, watched: WatchedTarget, target: TargetSettings) -> None:
        """Take over settings that differ in their list of buckets at most."""
        changed = watched.settings.buckets != target.buckets
        watched.settings = target
        if changed:
            self._watch(watched, target.buckets)

    def _watch(
        self, watched: WatchedTarget, buckets: Sequence[BucketSettings], *, again: bool = False
    ) -> None:
        """Scan these buckets of a target; show the new ones, or all `again`, with what is known of them."""
        before = set(watched.queue.buckets())
        watched.keep_only(buckets)
        new = {
            bucket.name: self._entry(watched, bucket) for bucket in buckets if again or bucket not in before
        }
        self._board.watch(watched.settings.name, [bucket.name for bucket in buckets], new)
        watched.queue.watch(buckets, self._monotonic())
        self._on_watch(watched.settings.name, {bucket.name for bucket in buckets})

    def _entry(self, watched: WatchedTarget, bucket: BucketSettings) -> Entry:
        """Return what a bucket is shown with before its first scan."""
        target = watched.settings
        entry = Entry(
            target.name,
            bucket.name,
            target.store.value,
            target.scan.keep_for,
            self._ages,
            self._ages_as,
            price_list=price_list_of(target),
            cleanup_after=target.cleanup.after if target.cleanup else None,
            source=watched.source(bucket),
        )
        result = watched.ledger(bucket).result
        if result is None:
            return entry
        if target.tags != tuple(key for key, _ in result.summary.tags or ()):  # the config names others now
            result = replace(result, summary=replace(result.summary, tags=None))
        return self._board.restored(entry, result, max(0.0, self._wall() - result.finished))

    def _known_buckets(self, target: TargetSettings) -> tuple[BucketSettings, ...]:
        """Return the target's buckets, as far as they are known before its list was read."""
        if target.discover is None:
            return target.buckets
        own = bucket_name(target, "")
        names = (name.bucket for name in self._state.bucket_names() if name._replace(bucket="") == own)
        known = [bucket_settings(target, name) for name in sorted(names) if matches(target, name)]
        return self._shard.own_buckets(target.name, known)

    def _prune_state(self) -> None:
        """Forget what is remembered of buckets that are no longer watched."""
        kept = {
            bucket_name(watched.settings, bucket.name)
            for watched in self._targets
            for bucket in watched.queue.buckets()
        }
        self._state.keep_only(kept)


def bucket_name(target: TargetSettings, bucket: str) -> BucketName:
    """Return the name of a bucket in the state: unique also among buckets of one name on several servers."""
    account = store_type(target.store).account(target)
    return BucketName(target.name, target.store.value, ",".join(target.endpoints), account, bucket)


def _differs_in_buckets_only(before: TargetSettings, now: TargetSettings) -> bool:
    """Whether settings are the same, their list of buckets apart."""
    return replace(before, buckets=()) == replace(now, buckets=())
