"""Uploads that are all as they were, counted by chunks of the listing instead of one by one.

A chunk whose uploads are listed as before, and none of which is due, adds to the tally what it added when
their records were looked up, ages aside: these follow from the sum of the initiations. Chunks begin where the
hash of an upload says so, thus an upload that is new or has ended changes one or two of them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from exporter.scan.chunk_sums import ChunkSums
from exporter.scan.outcomes import totals_of
from exporter.scan.recheck import is_current
from exporter.scan.tally import ABORT_GRACE_SECONDS, last_activity
from exporter.state.chunk_cache import ChunkKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.model.uploads import PartTotals, Upload
    from exporter.scan.outcomes import OutcomeRecorder
    from exporter.scan.tally import Tally
    from exporter.state.ledger import Ledger
    from exporter.state.rows import UploadRecord

CHUNK = 16
"""Number of uploads in a chunk, on average; a power of two."""
_ROUNDING = 0.001
"""Seconds by which a moment may be off: far more than Unix seconds are rounded when they are added."""


class Chunk(NamedTuple):
    """Uploads that follow each other in the listing."""

    key: ChunkKey
    uploads: Sequence[Upload]


class KnownChunks:
    """Counts the chunks of one pass that are as they were, and remembers those that can be from now on."""

    def __init__(self, tally: Tally, ledger: Ledger, outcomes: OutcomeRecorder) -> None:
        """Make it for a tally without observer, which would have to be given each upload."""
        self._tally = tally
        self._cache = ledger.chunks
        self._recheck = outcomes.recheck
        self._calls_to_list = outcomes.calls_to_list
        self._sums = ChunkSums(self._cache, len(tally.ages) + 1)
        settings = (tally.stale_after, tally.ages, outcomes.recheck, outcomes.calls_to_list(10**9))
        self._cache.use((settings, ledger.rows.epoch), tally.now)

    def count(self, chunks: Iterator[Chunk]) -> tuple[list[Chunk], int]:
        """Count the chunks that are as they were; return the others, and the number of calls saved."""
        others, known = [], []
        for chunk in chunks:
            found = self._cache.take(chunk.key, self._tally.now)
            if found is None:
                others.append(chunk)
            else:
                known.append(found)
        if not known:
            return others, 0
        sums, calls = self._sums.add_up(known)
        self._tally.add_sums(sums)
        return others, calls

    def add(self, chunk: Chunk, found: Sequence[tuple[int, UploadRecord | None]]) -> int | None:
        """Count a chunk by the records of its uploads, where all are current; return the calls saved.

        None where they are not, or the chunk cannot be kept: nothing is counted then.
        """
        tally, calls, until = self._tally.new(), 0, math.inf
        now = tally.now
        for upload, (row_id, record) in zip(chunk.uploads, found, strict=True):
            if record is None or record.parts is None:
                return None
            due_at = self._recheck.due(row_id, record.checked_at, record.idle_since)
            if not is_current(now, record.checked_at, due_at):
                return None
            totals = totals_of(record)
            until = min(until, due_at, same_until(tally, upload, totals))
            if until <= now:
                return None
            tally.add_sized(upload, totals)
            calls += self._calls_to_list(record.parts)
        sums = tally.sums()
        packed = self._sums.pack(sums, calls)
        if packed is None or not self._cache.put(chunk.key, until, [row_id for row_id, _ in found], packed):
            return None
        self._tally.add_sums(sums)
        return calls


def split(uploads: Sequence[Upload]) -> Iterator[Chunk]:
    """Yield the chunks of a page: each begins with an upload whose hash is a multiple of CHUNK."""
    hashes = list(map(hash, uploads))
    starts = [place for place, each in enumerate(hashes) if not each % CHUNK]
    for start, end in zip([0, *starts], [*starts, len(hashes)], strict=True):
        if start < end:
            yield Chunk(ChunkKey(hashes[start], hash(tuple(hashes[start:end]))), uploads[start:end])


def same_until(tally: Tally, upload: Upload, totals: PartTotals) -> float:
    """Return until when (Unix seconds) `add_sized` adds the same to all of a tally's sums but the age.

    That is not after the scan's start for an upload whose initiation is still ahead.
    """
    now, activity = tally.now, last_activity(upload, totals, None)
    until = math.inf
    if upload.initiated is not None:
        if upload.initiated > now:
            return now
        group = bisect_left(tally.ages, now - upload.initiated)
        until = min((upload.initiated + bound for bound in tally.ages[group : group + 1]), default=math.inf)
    if activity is not None and now - activity < tally.stale_after:
        until = min(until, activity + tally.stale_after)
    if totals.abort_at is not None and now <= totals.abort_at + ABORT_GRACE_SECONDS:
        until = min(until, totals.abort_at + ABORT_GRACE_SECONDS)
    return until - _ROUNDING
