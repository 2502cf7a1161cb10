"""First sight: it dates the uploads of a store that gives no initiation times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.uploads import in_batches
from exporter.stores.timestamps import EARLIEST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.model.uploads import PartTotals, Upload
    from exporter.state.ledger import Ledger
    from exporter.state.rows import UploadRecord
    from exporter.stores.base import Store


NO_AGES = (
    "the store does not tell when uploads were initiated: how old they are only an exporter that serves can "
    "say, as it has seen them before"
)


class FirstSight:
    """Fills in initiations with when each upload was first listed, so that an age is at least what it says.

    Nothing that may be another upload of the same name keeps the date: one that a listing lacked, that the
    call about its parts denied, or whose parts have become fewer, is new when it is seen next. For one pass.
    """

    def __init__(self, ledger: Ledger, store: Store, wall: Callable[[], float]) -> None:
        """Make it; it fills in nothing where the store tells, or where no later scan reads the ledger.

        `wall` returns Unix seconds: a listing takes time, and uploads begin while it runs.
        """
        self._ledger = ledger
        self._wall = wall
        self.is_needed = not store.has_initiation_times
        self.is_used = ledger.keeps_sights = self.is_needed and ledger.outlives_scan

    @property
    def seen_at(self) -> float | None:
        """The time now (Unix seconds), at which what was just read is seen; None where it is not used."""
        return self._wall() if self.is_used else None

    def date(
        self, upload: Upload, row_id: int, record: UploadRecord | None
    ) -> tuple[Upload, UploadRecord | None]:
        """Return a listed upload with its initiation filled in, and its record, which a new one gets now.

        None as record where there is no room for another. One that was first listed later than now, or
        before any store existed, is new, too, as a clock was wrong.
        """
        if not self.is_used:
            return upload, record
        now, seen = self._wall(), record.first_seen if record else None
        if seen is None or not EARLIEST <= seen <= now:
            seen = now
            if not (record and record.is_no_upload):
                record = self._ledger.record_sight(row_id, upload, now, record)
        return upload._replace(initiated=seen), record

    def date_all(self, uploads: Collection[Upload]) -> Collection[Upload]:
        """Return the uploads of a page with their initiations filled in, where no parts are asked for."""
        if not self.is_used:
            return uploads
        return [each for some in in_batches(list(uploads)) for each in self._date_some(some)]

    def _date_some(self, uploads: Sequence[Upload]) -> list[Upload]:
        found = self._ledger.look_up(uploads)
        return [self.date(upload, *known)[0] for upload, known in zip(uploads, found, strict=True)]

    def date_anew(self, upload: Upload, totals: PartTotals, before: UploadRecord | None) -> Upload:
        """Return an upload whose parts were listed; dated now if it is not the one that was there before."""
        is_other = self.is_used and _is_other(totals, before)
        return upload._replace(initiated=self._wall()) if is_other else upload

    def end(self, upload: Upload, row_id: int, record: UploadRecord | None) -> Upload:
        """Note that an upload is no longer there; returns it as one that has begun since, if it is."""
        if not self.is_used:
            return upload
        if record:
            self._ledger.forget_sight(row_id)
        return upload._replace(initiated=self._wall())


def _is_other(totals: PartTotals, before: UploadRecord | None) -> bool:
    """Whether these parts are of another upload than those before: none of an upload's parts can vanish."""
    if before is None or before.parts is None:
        return False
    if totals.is_other or before.is_no_upload or totals.parts < before.parts:
        return True
    return totals.bytes is not None and before.bytes is not None and totals.bytes < before.bytes
