"""One bucket's memory, as its scans use it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from exporter.state.database import BucketName, StateDatabase
from exporter.state.notes import Notes, read_notes, write_notes
from exporter.state.rows import Known, LedgerRows, Seen

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.model.results import ScanResult
    from exporter.model.uploads import PartTotals, Upload

PROBE_SECONDS = 3600.0
"""How long a store that refused to list parts is left alone before it is asked once more."""
LONGEST_CLASS = 41
"""Of a storage class so many characters are kept: one more than those with a name of their own have."""


class Run(NamedTuple):
    """How far a part list is without a gap: parts 1 to `parts` are there, and hold so many bytes."""

    parts: int
    bytes: int


class Ledger:
    """What is remembered of one bucket. Used by one scan at a time.

    What was learnt of an upload counts at once; `commit` makes count what a whole scan learnt. All times are
    Unix seconds.
    """

    def __init__(self, shelf: LedgerRows | None = None, settings: str = "") -> None:
        """Make the ledger of a shelf, None: in memory, for itself.

        `settings` stands for all that decides what a scan's result means; one found under others is not used.
        """
        self._shelf = shelf or LedgerRows(StateDatabase(), BucketName("", "", "", "", ""))
        self._settings = settings
        self._notes = self._restore()
        self.begin()

    def begin(self) -> None:
        """Forget what an unfinished pass over the listing noted; what was sized stays known."""
        self._seen = Seen()
        self._rows = 0
        self._recalled = False
        self._gone: set[int] = set()

    def recall(self, uploads: Collection[Upload]) -> list[tuple[int, Known | None]]:
        """Return each upload's id and what is known of it; all of them are in the bucket still."""
        ids = [self.identify(upload) for upload in uploads]
        found = self._shelf.fetch(ids)
        self._recalled = True
        for identity in ids:
            self._seen.add(identity)
        self._rows += len(found)
        return [(identity, found.get(identity)) for identity in ids]

    def identify(self, upload: Upload) -> int:
        """Return the id that stands for an upload: a keyed hash, a signed number of 64 bits."""
        text = f"{len(upload[1])}:{upload[1]}{upload[0]}"
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=self._shelf.salt).digest()
        return int.from_bytes(digest, "big", signed=True)

    def note_parts(  # noqa: PLR0913 - an upload, and all that was learnt of it
        self,
        identity: int,
        upload: Upload,
        totals: PartTotals,
        now: float,
        known: Known | None,
        *,
        run: Run | None = None,
        read: float | None = None,
    ) -> Known:
        """Note what the parts add up to, asked for by the scan that began at `now`, and return it.

        Without part times, the last activity is when the parts were last seen to change: at first sight the
        initiation. `run` is how far the list has no gap, where that is worth keeping, and `read` when it was
        last read in full.
        """
        before = known if known and known.parts is not None else None
        activity = _last_activity(upload, totals, now, before)
        since = before.activity if before and not before.dated else now
        noted = Known(
            asked=now,
            activity=since if activity is None else activity,
            dated=activity is not None,
            parts=totals.parts,
            bytes=totals.bytes,
            storage_class=_class_to_keep(upload, totals),
            run=run.parts if run else None,
            run_bytes=run.bytes if run else None,
            read=read if run else None,
            abort_at=totals.abort_at,
        )
        self._put(identity, noted, known)
        return noted

    def note_failed(self, identity: int, now: float, known: Known | None) -> None:
        """Note that an upload was asked about in vain: others come first now."""
        before = known or Known(asked=0.0, activity=now, dated=False)
        self._put(identity, before._replace(failed=now), known)

    def _put(self, identity: int, noted: Known, known: Known | None) -> None:
        self._rows += known is None
        self._shelf.put(identity, noted)

    def note_gone(self, upload: Upload) -> bool:
        """Note that `upload` ended while it was asked about; true where it did so at the last scan too."""
        identity = self.identify(upload)
        self._gone.add(identity)
        return identity in self._notes.gone

    def commit(self, result: ScanResult) -> bool:
        """Keep what the finished scan found, and nothing of uploads that it did not see.

        False where it could not be written: then only this process knows.
        """
        self._notes = self._notes._replace(result=result, gone=frozenset(self._gone))
        seen = self._seen if self._recalled else None
        kept = self._shelf.settle(seen, self._rows, self._settings, write_notes(self._notes))
        self.begin()
        return kept

    @property
    def result(self) -> ScanResult | None:
        """The last finished scan's result, of whatever process."""
        return self._notes.result

    def may_ask(self, now: float) -> bool:
        """Whether parts may be asked for: not within an hour of the store's refusal."""
        refused = self._notes.refused_at
        return refused is None or not refused <= now < refused + PROBE_SECONDS

    @property
    def refused(self) -> bool:
        """Whether the store refused to list parts when it was last asked."""
        return self._notes.refused_at is not None

    @property
    def refusal(self) -> str:
        """What the store said when it refused to list parts."""
        return self._notes.refusal

    @property
    def refusals(self) -> int:
        """How many uploads were newly refused in a row, over scans that ask only about a few."""
        return self._notes.refusals

    def note_refusal(self, *, remembered: bool) -> None:
        """Note that an upload was refused; where uploads are not remembered, each scan counts for itself."""
        self._notes = self._notes._replace(refusals=self._notes.refusals + remembered)

    def note_refused(self, now: float, refusal: str) -> None:
        """Note that the store refuses to list parts, and what it said."""
        probes = self._notes.probes + self.refused
        self._notes = self._notes._replace(refused_at=now, probes=probes, refusal=refusal)

    @property
    def to_skip(self) -> int:
        """How many uploads a probe leaves out: one that is refused for ever must not stand for all."""
        uploads = self._notes.result.summary.uploads if self._notes.result else 0
        return self._notes.probes % max(1, uploads) if self.refused else 0

    def note_answered(self) -> None:
        """Note that the store does list parts."""
        if self.refused or self.refusals:
            self._notes = self._notes._replace(refused_at=None, probes=0, refusals=0)

    def _restore(self) -> Notes:
        """Return the notes of the process before, without a result that means something else today."""
        kept = self._shelf.notes()
        notes = read_notes(kept[1]) if kept else Notes()
        return notes if kept and kept[0] == self._settings else notes._replace(result=None)


def _last_activity(upload: Upload, totals: PartTotals, now: float, before: Known | None) -> float | None:
    said = totals.last_modified if totals.parts else upload.initiated
    if said is not None:
        return said
    if before is None:
        return upload.initiated
    if (before.parts, before.bytes) != (totals.parts, totals.bytes):
        return now
    return before.activity if before.dated else None


def _class_to_keep(upload: Upload, totals: PartTotals) -> str | None:
    """Return the storage class where the upload's listing does not say it again."""
    said = totals.storage_class
    return None if said in {"", upload.storage_class} else said[:LONGEST_CLASS]
