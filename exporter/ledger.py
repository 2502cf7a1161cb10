"""What is remembered about a bucket's uploads between its scans. In memory, by hash, never by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.model import PartTotals, Upload

PROBE_SECONDS = 3600.0
"""How long a store that refused to list parts is left alone before it is asked once more."""


class Ledger:
    """One bucket's memory. Used by one scan at a time; `commit` makes what the scan learnt count."""

    def __init__(self) -> None:
        """Make an empty ledger."""
        self._gone_before: set[int] = set()
        self._gone: set[int] = set()
        self._activity: dict[int, tuple[int, int | None, float | None]] = {}
        self._seen: dict[int, tuple[int, int | None, float | None]] = {}
        self._refused_at: float | None = None
        self._probes = self._uploads = 0
        self.refusal = ""
        """What the store said when it refused to list parts."""

    def begin(self) -> None:
        """Forget what an unfinished pass over the listing noted; what was sized stays known."""
        self._activity |= self._seen
        self._seen = {}
        self._gone = set()

    def commit(self, uploads: int = 0) -> None:
        """Keep what the finished scan saw, and nothing of uploads that it did not see; it saw `uploads`."""
        self._uploads = uploads
        self._gone_before, self._gone = self._gone, set()
        self._activity, self._seen = self._seen, {}

    def note_gone(self, upload: Upload) -> bool:
        """Note that `upload` ended while it was asked about; true where it did so at the last scan too."""
        identity = _identity(upload)
        self._gone.add(identity)
        return identity in self._gone_before

    def note_parts(self, upload: Upload, totals: PartTotals, now: float) -> float | None:
        """Return when the parts were last seen to change, for a store that gives no part times.

        Unix seconds: at first sight the initiation, then the start of the scan that saw them differ.
        """
        identity = _identity(upload)
        before = self._seen.get(identity) or self._activity.get(identity)
        if before is None:
            activity = upload.initiated
        elif before[:2] == (totals.parts, totals.bytes):
            activity = before[2]
        else:
            activity = now
        self._seen[identity] = (totals.parts, totals.bytes, activity)
        return activity

    def keep_parts(self, upload: Upload) -> None:
        """Keep what is known of an upload that could not be sized this time."""
        identity = _identity(upload)
        if before := self._activity.get(identity):
            self._seen[identity] = before

    def may_ask(self, now: float) -> bool:
        """Whether parts may be asked for: not within an hour of the store's refusal (monotonic seconds)."""
        return self._refused_at is None or now >= self._refused_at + PROBE_SECONDS

    @property
    def refused(self) -> bool:
        """Whether the store refused to list parts when it was last asked."""
        return self._refused_at is not None

    def note_refused(self, now: float, refusal: str) -> None:
        """Note that the store refuses to list parts, and what it said."""
        self._probes += self.refused
        self._refused_at = now
        self.refusal = refusal

    @property
    def to_skip(self) -> int:
        """How many uploads a probe leaves out: one that is refused for ever must not stand for all."""
        return self._probes % max(1, self._uploads) if self.refused else 0

    def note_answered(self) -> None:
        """Note that the store does list parts."""
        self._refused_at, self._probes = None, 0


def _identity(upload: Upload) -> int:
    return hash((upload.key, upload.upload_id))
