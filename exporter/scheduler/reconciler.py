"""The targets that are watched: settings in, tracks and board entries out; what is unchanged goes on."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from exporter.config.sharding import ALONE, Shard
from exporter.model.targets import TargetStatus
from exporter.scheduler.discovery import bucket_settings, matches
from exporter.state.board import Board, Entry
from exporter.state.database import BucketName
from exporter.stores.prices import price_list_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config.settings import BucketSettings, Settings, TargetSettings
    from exporter.scheduler.loop import Loop
    from exporter.scheduler.target import WatchedTarget
    from exporter.state.database import StateDatabase

STAGGER_SECONDS = 0.02
"""Between the first scans of two targets, so that hundreds do not connect in the same instant."""


class NewWatchedTarget(Protocol):
    """What makes the track of a target."""

    def __call__(
        self, target: TargetSettings, buckets: Sequence[BucketSettings], ages: tuple[float, ...], start: float
    ) -> WatchedTarget:
        """Return it; its first scans are due at `start` (monotonic clock)."""


class Reconciler:
    """Keeps the loop, the board and the state at what the settings and the stores' lists of buckets say."""

    def __init__(  # noqa: PLR0913 - what it keeps in step
        self,
        loop: Loop,
        board: Board,
        state: StateDatabase,
        new_track: NewWatchedTarget,
        forget: Callable[[str], None],
        *,
        shard: Shard = ALONE,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Make a roster without targets.

        `forget` is told of targets that are no longer watched. Only the buckets of `shard` are watched.
        """
        self._loop = loop
        self._board = board
        self._state = state
        self._new_track = new_track
        self._forget = forget
        self._shard = shard
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.RLock()
        self._tracks: list[WatchedTarget] = []
        self._ages: tuple[float, ...] = ()

    def apply(self, settings: Settings) -> None:
        """Watch what the settings say.

        A target with other settings begins anew, but for values that mean the same as before; one with other
        buckets only goes on.
        """
        with self._lock:
            before = {track.target.name: track for track in self._tracks}
            same_ages = settings.ages == self._ages
            kept: list[tuple[WatchedTarget, TargetSettings]] = []
            tracks: list[WatchedTarget] = []
            new: list[WatchedTarget] = []
            start = self._monotonic()
            for target in map(self._shard.part, settings.targets):
                track = before.get(target.name)
                if track and same_ages and _goes_on(track.target, target):
                    kept.append((track, target))
                else:
                    first = start + len(new) * STAGGER_SECONDS
                    track = self._new_track(target, self._known_buckets(target), settings.ages, first)
                    new.append(track)
                tracks.append(track)
            self._ages = settings.ages
            self._swap(tracks, new)
            for track, target in kept:
                self._go_on(track, target)
            for name in before.keys() - {track.target.name for track in tracks}:
                self._forget(name)
            self._prune()

    def found(self, track: WatchedTarget, buckets: Sequence[BucketSettings]) -> None:
        """Watch the buckets that a target was found to have, unless it is watched no more."""
        with self._lock:
            if not track.retired:
                self._watch(track, buckets)
                self._prune()

    def restore(self) -> None:
        """Show what an earlier process found, now that the state is open, and forget what nobody watches."""
        with self._lock:
            for track in self._tracks:
                track.ledgers.clear()
                self._watch(track, self._known_buckets(track.target), again=True)
            self._prune()

    def halt(self) -> None:
        """Have all that is under way given up; from any thread."""
        for track in list(self._tracks):
            track.halt()

    def end(self) -> None:
        """Give back what the targets hold."""
        for track in self._tracks:
            track.end()

    def watched(self) -> list[TargetStatus]:
        """Return what is watched now."""
        now, wall = self._monotonic(), self._wall()
        return [
            TargetStatus(
                settings=track.target,
                buckets=track.lane.buckets(),
                signing_region=track.signing_region(),
                scan_times=track.lane.scan_times(now, wall),
                discovery=track.finding.state if track.finding else None,
            )
            for track in list(self._tracks)
        ]

    def all_found(self) -> bool:
        """Whether of every target it was tried to find its buckets, or some are known."""
        return all(
            track.finding is None or track.finding.state.success is not None or track.lane.buckets()
            for track in list(self._tracks)
        )

    def _swap(self, tracks: list[WatchedTarget], new: list[WatchedTarget]) -> None:
        """Run these tracks; the buckets of new ones are shown with what is known of them already."""
        shown = {track.target.name: [self._entry(track, b) for b in track.lane.buckets()] for track in new}
        gone = {track.target.name for track in self._tracks} - {track.target.name for track in tracks}
        shown |= {name: [] for name in gone}

        def show() -> None:
            for name, entries in shown.items():
                self._board.watch(name, entries)

        self._tracks = tracks
        self._loop.replace(tracks, show)

    def _go_on(self, track: WatchedTarget, target: TargetSettings) -> None:
        """Take over settings that differ in their list of buckets at most."""
        changed = track.target.buckets != target.buckets
        track.target = target
        if changed:
            self._watch(track, target.buckets)

    def _watch(self, track: WatchedTarget, buckets: Sequence[BucketSettings], *, again: bool = False) -> None:
        """Have a track scan these buckets, and show the new ones, or all `again`, with what is known."""
        before = set(track.lane.buckets())
        for bucket in set(track.ledgers.copy()) - set(buckets):  # scans under way add to them
            track.ledgers.pop(bucket, None)
        name = track.target.name
        fresh = {b.name: self._entry(track, b) for b in buckets if again or b not in before}

        def show() -> None:
            shown = (fresh.get(bucket.name) or self._board.get((name, bucket.name)) for bucket in buckets)
            self._board.watch(name, [entry for entry in shown if entry])

        self._loop.watch(track, buckets, show)

    def _entry(self, track: WatchedTarget, bucket: BucketSettings) -> Entry:
        """Return what a bucket is shown with before its first scan."""
        target = track.target
        kind, keep_for = target.store.value, target.scan.keep_for
        tariff = price_list_of(target)
        entry = Entry(target.name, bucket.name, kind, keep_for, self._ages, tariff=tariff)
        result = track.ledger(bucket).result
        return (
            self._board.restored(entry, result, max(0.0, self._wall() - result.finished)) if result else entry
        )

    def _known_buckets(self, target: TargetSettings) -> tuple[BucketSettings, ...]:
        """Return the target's buckets as far as they are known before its list was asked for."""
        if target.discover is None:
            return target.buckets
        own = bucket_name(target, "")
        names = (name.bucket for name in self._state.names() if name._replace(bucket="") == own)
        known = [bucket_settings(target, name) for name in sorted(names) if matches(target, name)]
        return self._shard.share(target.name, known)

    def _prune(self) -> None:
        """Forget what is remembered of buckets that are no longer watched."""
        kept = {bucket_name(track.target, b.name) for track in self._tracks for b in track.lane.buckets()}
        self._state.keep_only(kept)


def bucket_name(target: TargetSettings, bucket: str) -> BucketName:
    """Return what tells a bucket from any other, one of the same name on another server too."""
    return BucketName(target.name, target.store.value, ",".join(target.endpoints), target.account_id, bucket)


def _goes_on(before: TargetSettings, now: TargetSettings) -> bool:
    """Whether settings are the same but for the list of buckets."""
    return replace(before, buckets=()) == replace(now, buckets=())
