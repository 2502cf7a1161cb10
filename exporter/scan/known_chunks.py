"""Uploads that are all as they were, counted by chunks of the listing instead of one by one.

A chunk whose uploads are listed as before, and none of which is due, adds to the tally what it added when
their records were looked up, ages aside: these follow from the sum of the initiations. Chunks begin where the
hash of an upload says so, thus one that is new or has ended changes few of them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from exporter.scan.chunk_sums import ChunkSums
from exporter.scan.outcomes import totals_of
from exporter.scan.tally import ABORT_GRACE_SECONDS, last_activity
from exporter.state.chunk_cache import ChunkKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.uploads import PartTotals, Upload
    from exporter.scan.outcomes import OutcomeRecorder
    from exporter.scan.sums import Sums
    from exporter.scan.tally import Tally
    from exporter.state.ledger import Ledger
    from exporter.state.rows import UploadRecord

MAX_CHUNK = 16
"""Maximum number of uploads in a chunk."""
ANCHORS = 64
"""One upload in so many, by its hash, begins a chunk wherever it is listed; those between are counted off."""
_ROUNDING = 0.001
"""Seconds by which a moment may be off: far more than Unix seconds are rounded when they are added."""


class Chunk(NamedTuple):
    """Uploads that follow each other in the listing."""

    key: ChunkKey
    uploads: Sequence[Upload]


class OpenChunk:
    """A chunk whose uploads are counted one by one: by their records, and by the answers about the others."""

    __slots__ = ("_chunks", "_tally", "_until", "_waiting", "calls", "key", "row_ids")

    def __init__(self, chunks: KnownChunks, tally: Tally, key: ChunkKey, row_ids: Sequence[int]) -> None:
        """Make it for uploads with these row ids; `tally` is an empty one of the same scan."""
        self.key = key
        self.row_ids = row_ids
        self.calls = 0
        """Number of calls that the records of its uploads save."""
        self._chunks = chunks
        self._tally = tally
        self._until = math.inf
        self._waiting = len(row_ids)

    def add(self, upload: Upload, row_id: int, record: UploadRecord, due_at: float | None = None) -> None:
        """Count one of its uploads by its record, which is current until `due_at`."""
        totals = totals_of(record)
        if due_at is None:
            due_at = self._chunks.recheck.due(row_id, record.checked_at, record.idle_since)
        self._until = min(self._until, due_at)
        if not record.is_no_upload:
            self._until = min(self._until, same_until(self._tally, upload, totals))
            self._tally.add_sized(upload, totals)
        self.calls += self._chunks.calls_to_list(totals.parts)
        self._waiting -= 1

    def take_answer(self, upload: Upload, row_id: int, record: UploadRecord) -> None:
        """Take what is now stored of one of its uploads, which was asked about in this scan."""
        self.add(upload, row_id, record)
        if self.holds_until > self._tally.now:
            self._chunks.keep(self)

    @property
    def holds_until(self) -> float:
        """Until when (Unix seconds) its sums stay as they are; 0 while not all of its uploads are counted."""
        return 0.0 if self._waiting else self._until

    def sums(self) -> Sums:
        """Return the sums of the uploads that were counted so far."""
        return self._tally.sums()


class KnownChunks:
    """Counts the chunks of one pass that are as they were, and remembers those that can be from now on."""

    def __init__(self, tally: Tally, ledger: Ledger, outcomes: OutcomeRecorder) -> None:
        """Make it for a tally without observer, which would have to be given each upload."""
        self._tally = tally
        self._cache = ledger.chunks
        self._ledger = ledger
        self.recheck = outcomes.recheck
        self.calls_to_list = outcomes.calls_to_list
        self._sums = ChunkSums(self._cache, len(tally.ages) + 1)
        settings = (tally.stale_after, tally.ages, outcomes.recheck, outcomes.calls_to_list(10**9))
        self._cache.use((settings, ledger.rows.epoch), tally.now)

    def count(self, uploads: Sequence[Upload]) -> tuple[list[Chunk], int]:
        """Count the chunks of a page that are as they were; return the others, and the calls saved."""
        hashes = list(map(hash, uploads))
        spans = list(pairwise((*chunk_starts(hashes), len(hashes))))
        keys = [ChunkKey(hashes[start], hash(tuple(hashes[start:end]))) for start, end in spans]
        found = self._cache.take(keys, self._tally.now)
        others = [
            Chunk(key, uploads[start:end])
            for key, (start, end), data in zip(keys, spans, found, strict=True)
            if data is None
        ]
        if len(others) == len(keys):
            return others, 0
        sums, calls = self._sums.add_up([data for data in found if data is not None])
        self._tally.add_sums(sums)
        return others, calls

    def open(self, key: ChunkKey, row_ids: Sequence[int]) -> OpenChunk:
        """Return a chunk whose uploads are to be counted."""
        return OpenChunk(self, self._tally.new(), key, row_ids)

    def count_current(self, chunk: OpenChunk, found: Sequence[tuple[int, UploadRecord | None]]) -> None:
        """Count the uploads that the chunk was given so far: the current ones of all that were `found`."""
        sums, until = chunk.sums(), chunk.holds_until
        self._tally.add_sums(sums)
        packed = self._sums.pack(sums, chunk.calls) if until > self._tally.now else None
        if packed is None or not self._cache.put(chunk.key, until, chunk.row_ids, packed):
            self._ledger.mark_listed(found)

    def keep(self, chunk: OpenChunk) -> None:
        """Remember a chunk, now that all of its uploads are counted, for the next pass."""
        packed = self._sums.pack(chunk.sums(), chunk.calls)
        if packed is not None:
            self._cache.put_marked(chunk.key, chunk.holds_until, chunk.row_ids, packed)


def chunk_starts(hashes: Sequence[int]) -> list[int]:
    """Return where the chunks of a page begin, from the hashes of its uploads.

    A chunk of about the same length as all others is less likely to have an upload that is due than chunks of
    random lengths; and after an upload that is new, chunks are the same again from the next anchor on.
    """
    anchors = [place for place, each in enumerate(hashes) if not each % ANCHORS]
    edges = pairwise((0, *anchors, len(hashes)))
    return [start for begin, end in edges for start in range(begin, end, MAX_CHUNK)]


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
        if group < len(tally.ages):
            until = upload.initiated + tally.ages[group]
    if activity is not None and now - activity < tally.stale_after:
        until = min(until, activity + tally.stale_after)
    if totals.abort_at is not None and now <= totals.abort_at + ABORT_GRACE_SECONDS:
        until = min(until, totals.abort_at + ABORT_GRACE_SECONDS)
    return until - _ROUNDING
