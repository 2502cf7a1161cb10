"""What is remembered of one bucket between scans: its uploads, its last result, and refusals."""

from __future__ import annotations

import sys
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

from exporter.model.boundaries import Boundaries
from exporter.state.database import BucketName, StateDatabase
from exporter.state.missing import MissingUploads
from exporter.state.new_rows import NewRows
from exporter.state.notes import Notes, read_notes, write_notes
from exporter.state.records import record_of
from exporter.state.rows import LedgerRows, RememberedUpload, UploadRecord
from exporter.state.seen_ids import SeenIds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from exporter.model.results import ScanResult
    from exporter.model.uploads import PartTotals, Upload
    from exporter.state.notes import ListingTraits, RefusalState
    from exporter.state.records import ContiguousParts

_ID_BYTES = 8
MAX_KEPT_ENDED = 100_000
"""Maximum number of uploads of which it is kept that they had ended, or were denied, at the last scan."""
_UNKNOWN = UploadRecord(checked_at=0.0, idle_since=0.0, dated=False)
"""The record of an upload of which nothing holds any more: it is new when it is seen next."""


class Ledger:
    """What is remembered of one bucket. Used by one scan at a time. All times are Unix seconds.

    A record counts as soon as it is stored; the result and the list of ended uploads count from `commit` on.
    """

    def __init__(self, rows: LedgerRows | None = None, settings: str = "") -> None:
        """Make it over a bucket's rows; None: over a new database in memory.

        `settings` is a text of all settings that decide what a scan's result means: a stored result of other
        settings is not used.
        """
        self.rows = rows or LedgerRows(StateDatabase(), BucketName("", "", "", "", ""))
        self._settings = settings
        self.chunks = self.rows.new_chunk_cache()
        """Chunks of the listing that were as remembered when they were looked up last."""
        self.undecided_since: float | None = None
        """The first scan since which it is not known if the listing hides uploads; for this process."""
        self.outlives_scan = True
        """Whether a later scan will read it."""
        self.keeps_sights = False
        """Whether uploads are dated by when they were first listed, as the store does not tell."""
        self._notes = self._restore()
        self._new_rows = NewRows(self.rows, self._notes.result.summary.uploads if self._notes.result else 0)
        self.begin()

    @classmethod
    def for_one_scan(cls) -> Ledger:
        """Return a ledger in memory that keeps no names: no later scan asks for them."""
        ledger = cls(LedgerRows(StateDatabase(max_names=0), BucketName("", "", "", "", "")))
        ledger.outlives_scan = False
        return ledger

    def begin(self) -> None:
        """Begin a pass over the listing; records that an unfinished pass stored are kept."""
        self.chunks.begin()
        self.rows.is_unread = False
        self._seen = SeenIds(self.chunks)
        self._looked_up = False
        self._ended: set[int] = set()
        self._denied: set[int] = set()
        self._missing: MissingUploads | None = None

    def look_up(self, uploads: Collection[Upload]) -> list[tuple[int, UploadRecord | None]]:
        """Return row id and record of each upload, and mark all of them as still listed."""
        found = self.find(uploads)
        self.mark_listed(found)
        return found

    def find(self, uploads: Collection[Upload]) -> list[tuple[int, UploadRecord | None]]:
        """Return row id and record of each upload of a page; they are to be marked, or kept in `chunks`."""
        self._looked_up, self._missing = True, None
        ids = self.row_ids(uploads)
        found = self.rows.fetch(ids) if ids else {}
        return [(row_id, found.get(row_id)) for row_id in ids]

    def mark_listed(self, found: Collection[tuple[int, UploadRecord | None]]) -> None:
        """Mark uploads that were found as still listed."""
        for row_id, _ in found:
            self._seen.add(row_id)
        self._seen.count_rows({row_id for row_id, record in found if record is not None})

    def row_id(self, upload: Upload) -> int:
        """Return the id that an upload is stored under: a keyed hash, a signed 64-bit number."""
        [row_id] = self.row_ids([upload])
        return row_id

    def row_ids(self, uploads: Collection[Upload]) -> array[int]:
        """Return the ids of uploads."""
        empty = blake2b(digest_size=_ID_BYTES, key=self.rows.salt)
        digests = []
        for key, upload_id, *_ in uploads:
            digest = empty.copy()
            digest.update(f"{len(upload_id)}:{upload_id}{key}".encode("utf-8", "surrogatepass"))
            digests.append(digest.digest())
        ids = array("q", b"".join(digests))
        if sys.byteorder == "little":
            ids.byteswap()
        return ids

    def record_parts(  # noqa: PLR0913 - an upload, and all that was learnt of it
        self,
        row_id: int,
        upload: Upload,
        totals: PartTotals,
        now: float,
        before: UploadRecord | None,
        *,
        contiguous: ContiguousParts | None = None,
        seen_at: float | None = None,
    ) -> UploadRecord:
        """Store the totals of an upload's parts, as the scan that began at `now` got them; return the record.

        Without part times, the last activity is when the parts were last seen to change; at first sight, it
        is the initiation. `contiguous` is None where the list is too short to be worth storing. `seen_at` is
        when the parts were read, for a store that gives no initiations: first sight is activity then.
        """
        record = record_of(upload, totals, now, before, contiguous=contiguous, seen_at=seen_at)
        self._put(row_id, record, before, upload)
        return record

    def record_sight(
        self, row_id: int, upload: Upload, now: float, before: UploadRecord | None
    ) -> UploadRecord | None:
        """Store that an upload is first listed `now`; return its record, None where there is no room."""
        record = _UNKNOWN._replace(idle_since=now, first_seen=now)
        return record if self._put(row_id, record, before, upload) else None

    def forget_sight(self, row_id: int) -> None:
        """Have an upload that may have ended be new when it is seen next."""
        self.rows.put(row_id, _UNKNOWN)

    def record_no_upload(self, row_id: int, upload: Upload, now: float, before: UploadRecord | None) -> None:
        """Store that what is listed turned out to be no upload, in the scan that began at `now`."""
        since = before.idle_since if before and before.is_no_upload else now
        self._put(row_id, UploadRecord(now, since, dated=False, parts=0), before, upload)

    def record_failure(self, row_id: int, upload: Upload, now: float, before: UploadRecord | None) -> None:
        """Store that a question about an upload failed: others are asked about before it is again."""
        record = before or UploadRecord(checked_at=0.0, idle_since=now, dated=False)
        self._put(row_id, record._replace(failed_at=now), before, upload)

    def _put(self, row_id: int, record: UploadRecord, before: UploadRecord | None, upload: Upload) -> bool:
        """Store a record; false where there is no room for another."""
        if before is None:
            if not self._new_rows.take():
                return False
            self._seen.count_rows([row_id])
        self.rows.put(row_id, record, upload)
        return True

    def record_ended(self, upload: Upload) -> bool:
        """Note that a listed upload is no longer there; true where the last scan found the same."""
        row_id = self.row_id(upload)
        if len(self._ended) < MAX_KEPT_ENDED:
            self._ended.add(row_id)
        return row_id in self._notes.ended

    def record_denied(self, upload: Upload) -> bool:
        """Note that the store denies a listed upload by all questions; true where the last scan did, too."""
        row_id = self.row_id(upload)
        if len(self._denied) < MAX_KEPT_ENDED:
            self._denied.add(row_id)
        return row_id in self._notes.denied

    def hold_findings(self, upload: Upload) -> None:
        """Have what the last scan found of a listed upload hold on, where this one learns nothing of it."""
        if self._notes.ended:
            row_id = self.row_id(upload)
            self._ended |= self._notes.ended & {row_id}
            self._denied |= self._notes.denied & {row_id}

    @property
    def denied(self) -> frozenset[int]:
        """The row ids of uploads that the last scan found denied."""
        return self._notes.denied

    @property
    def is_unread(self) -> bool:
        """Whether uploads may be remembered that this pass knows nothing of: some could not be read."""
        return self.rows.is_unread

    def missing_count(self) -> int:
        """Return how many uploads are remembered that this pass has not looked up.

        This and the other questions about missing ones are for the end of a listing. A pass that looked
        nothing up (`parts: never`) misses none.
        """
        return self._find_missing().count()

    def witnesses(self, limit: int) -> list[RememberedUpload]:
        """Return at most `limit` of the missing uploads, by chance, that the store can be asked about.

        Their names are known, and the last scan did not find them denied.
        """
        return self._find_missing().witnesses(limit, self._notes.denied)

    def missing(self, batch: int = 500) -> Iterator[list[RememberedUpload]]:
        """Yield all missing uploads in lists of at most `batch`, also those whose names are not known."""
        return self._find_missing().batches(batch)

    def keep(self, row_id: int) -> None:
        """Have a missing upload remembered though it was not looked up; once for each."""
        self._seen.add(row_id)
        self._seen.count_rows([row_id])
        self._missing = None

    def keep_unseen(self, missing: RememberedUpload) -> RememberedUpload:
        """Keep one of which it is not known whether it ended; returns it without its date of first sight."""
        row_id, record, upload = missing
        self.keep(row_id)
        if not self.keeps_sights:
            return missing
        record = record._replace(first_seen=None)
        self.rows.put(row_id, record)
        return RememberedUpload(row_id, record, upload and upload._replace(initiated=None))

    def commit(self, result: ScanResult) -> bool:
        """Store the result of a finished scan, and delete the records of uploads neither looked up nor kept.

        None is deleted where the pass could not read them all, and so not ask about them. False where it
        could not be written: then only this process knows.
        """
        ended, denied = frozenset(self._ended), frozenset(self._denied)
        self._notes = self._notes._replace(result=result, ended=ended, denied=denied)
        stored = self._notes if self.rows.keeps_names else self._notes._replace(boundaries=Boundaries())
        missing = self._find_missing().ids
        forgotten = array("q") if self.is_unread else missing
        written = self.rows.commit(forgotten, self._settings, write_notes(stored))
        if written:
            self._new_rows.finish()
        if self.keeps_sights and not (written and len(forgotten) == len(missing)):
            for row_id in missing:
                self.forget_sight(row_id)
        self.chunks.commit()
        self.begin()
        return written

    def _find_missing(self) -> MissingUploads:
        if self._missing is None:
            ids = self.rows.missing(self._seen) if self._looked_up else array("q")
            self._missing = MissingUploads(self.rows, ids)
        return self._missing

    @property
    def result(self) -> ScanResult | None:
        """The result of the last finished scan, of this process or one before it."""
        return self._notes.result

    @property
    def refusals(self) -> RefusalState:
        """What is known of refused questions about parts; written to the file by the next `commit`."""
        return self._notes.refusals

    @refusals.setter
    def refusals(self, state: RefusalState) -> None:
        self._notes = self._notes._replace(refusals=state)

    @property
    def traits(self) -> ListingTraits:
        """What was learnt about how the store lists the bucket; written to the file by the next `commit`."""
        return self._notes.traits

    @traits.setter
    def traits(self, traits: ListingTraits) -> None:
        self._notes = self._notes._replace(traits=traits)

    @property
    def boundaries(self) -> Boundaries:
        """Where the next listing can be cut; in the file, which the next `commit` writes, with names only."""
        return self._notes.boundaries

    @boundaries.setter
    def boundaries(self, boundaries: Boundaries) -> None:
        self._notes = self._notes._replace(boundaries=boundaries)

    def _restore(self) -> Notes:
        """Return the stored notes, without a result that was found under other settings."""
        stored = self.rows.notes()
        notes = read_notes(stored[1]) if stored else Notes()
        return notes if stored and stored[0] == self._settings else notes._replace(result=None)
