"""Circuit breaker of ListParts: a store that refuses it again and again is asked once an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.state.notes import RefusalState

if TYPE_CHECKING:
    from exporter.model.errors import StoreError
    from exporter.state.ledger import Ledger

MAX_REFUSALS = 50
"""Number of refusals without one success that open the breaker."""
REFUSED_STATUSES = {403, 405, 501}
PROBE_SECONDS = 3600.0
"""Time between a refusal that opened the breaker, or a failed probe, and the next probe."""


class RefusalBreaker:
    """The breaker of one pass over a bucket's listing; its state is kept in the ledger between scans.

    Closed: uploads are asked about, at most `max_calls` at once until one of them succeeds. Open: none is
    (`is_open`). After an hour a probe asks about one upload: its success closes the breaker, any failure
    keeps it open. `is_tripped` is true while it is open or probing.
    """

    def __init__(self, ledger: Ledger, now: float, *, across_scans: bool) -> None:
        """Make it for the scan that began at `now` (Unix seconds).

        With `across_scans` refusals of several scans add up; without it each scan asks about all uploads, and
        counts for itself.
        """
        self._ledger = ledger
        self._now = now
        self._across_scans = across_scans
        self._succeeded = False
        state = ledger.refusals
        self.is_open = (
            state.refused_at is not None and state.refused_at <= now < state.refused_at + PROBE_SECONDS
        )
        self._refusals_left = 1 if self.is_tripped else MAX_REFUSALS - state.consecutive

    @property
    def is_tripped(self) -> bool:
        """Whether the store refused when it was last asked."""
        return self._ledger.refusals.refused_at is not None

    @property
    def message(self) -> str:
        """What the store answered when it refused."""
        return self._ledger.refusals.message

    @property
    def max_calls(self) -> int | None:
        """Maximum number of uploads asked about at once: the refusals left before the breaker opens.

        None, for no maximum, once one has succeeded, and while the breaker is open.
        """
        return None if self.is_open or self._succeeded else self._refusals_left

    def skipped_by_probe(self) -> int:
        """Return the number of uploads that a probe passes over.

        Each probe asks about another upload, since one that is refused for ever must not stand for all.
        """
        result = self._ledger.result
        uploads = result.summary.uploads if result else 0
        return self._ledger.refusals.probes % max(1, uploads) if self.is_tripped else 0

    def succeeded(self) -> None:
        """Close the breaker: the store does list parts."""
        self._succeeded = True
        state = self._ledger.refusals
        if state.refused_at is not None or state.consecutive:
            self._ledger.refusals = state._replace(refused_at=None, probes=0, consecutive=0)

    def failed(self, error: StoreError, *, failed_before: bool) -> None:
        """Count a failure; an upload whose question `failed_before` says nothing new about the store."""
        if self.is_tripped:
            self._refusals_left -= 1
        elif error.status in REFUSED_STATUSES and not failed_before:
            self._refusals_left -= 1
            if self._across_scans:
                state = self._ledger.refusals
                self._ledger.refusals = state._replace(consecutive=state.consecutive + 1)
        if not self._succeeded and self._refusals_left <= 0:
            self._trip(str(error))

    def _trip(self, message: str) -> None:
        self.is_open = True
        state = self._ledger.refusals
        self._ledger.refusals = RefusalState(
            self._now, message, state.probes + self.is_tripped, state.consecutive
        )
