"""How many records a bucket may get before one of its scans finishes.

Only the end of a listing shows which uploads have ended. A listing that never ends, and has others each time,
would fill the disk, or the memory.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.state.rows import LedgerRows

log = logging.getLogger(__name__)

MAX_IN_FILE = 10_000_000
"""Maximum number of new records in the file; each takes some 100 bytes."""
MAX_IN_MEMORY = 1_000_000
"""The same where there is no file."""


class NewRows:
    """Counts the records of one bucket that are new since its last finished scan."""

    def __init__(self, rows: LedgerRows, known: int) -> None:
        """Make it for a bucket that had `known` uploads when a scan finished last."""
        self._rows = rows
        self._known = known
        self._count: int | None = None

    def take(self) -> bool:
        """Whether there is room for one more; it is told once where there is none."""
        limit = MAX_IN_FILE if self._rows.is_in_file else MAX_IN_MEMORY
        if self._count is None:
            self._count = max(0, self._rows.count() - self._known)
        self._count += 1
        if self._count == limit + 1:
            text = "more uploads are new than are remembered at once: later scans ask about the others"
            log.warning(text, extra={"fields": {**self._rows.labels, "limit": limit}})
        return self._count <= limit

    def finish(self) -> None:
        """Note that a scan has finished: what is in the database is what it listed."""
        self._count = 0
