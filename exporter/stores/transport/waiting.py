"""Transfers that wait for memory: paused, with their clock stopped, and resumed when there is some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pycurl

from exporter.stores.transport.errors import NO_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.transport.response_buffer import ResponseBuffer

LOOK_SECONDS = 0.02
"""How often it is looked whether there is memory."""
MAX_WAIT_SECONDS = 300.0
"""A transfer that has waited that long fails, and says why."""


class Transfer(Protocol):
    """A request in flight. `started` and `deadline` are readings of the monotonic clock."""

    handle: pycurl.Curl
    buffer: ResponseBuffer
    started: float
    deadline: float


class WaitingTransfers:
    """The transfers of one multi handle that have waited since they began. For one thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin without any."""
        self._monotonic = monotonic
        self._since: dict[Transfer, float | None] = {}
        self._waited: dict[Transfer, float] = {}

    def __len__(self) -> int:
        """Return the number of transfers that have waited."""
        return len(self._since)

    def add(self, transfer: Transfer) -> None:
        """Take one that begins to wait; called by libcurl, which takes no options meanwhile."""
        self._since[transfer] = self._monotonic()

    def forget(self, transfer: Transfer) -> None:
        """Drop one that has ended."""
        self._since.pop(transfer, None)
        self._waited.pop(transfer, None)

    def resume(self) -> list[tuple[Transfer, pycurl.error]]:
        """Resume what there is memory for; return those whose time is over, with the error to end with.

        libcurl looks at the time of a transfer only where anything happens, once it has been changed: so this
        looks, too.
        """
        overdue = []
        for transfer, since in list(self._since.items()):
            now = self._monotonic()
            if since is not None:
                self._stop_clock(transfer)
                if transfer.buffer.has_memory():
                    self._resume(transfer, now - since)
                elif now - since + self._waited.get(transfer, 0.0) > MAX_WAIT_SECONDS:
                    overdue.append((transfer, pycurl.error(pycurl.E_OPERATION_TIMEDOUT, NO_MEMORY)))
            elif now >= transfer.deadline:
                overdue.append((transfer, pycurl.error(pycurl.E_OPERATION_TIMEDOUT, "")))
        return overdue

    @staticmethod
    def _stop_clock(transfer: Transfer) -> None:
        transfer.handle.setopt(pycurl.TIMEOUT_MS, 0)

    def _resume(self, transfer: Transfer, waited: float) -> None:
        """Go on; what it waited is added to its time."""
        self._since[transfer] = None
        self._waited[transfer] = self._waited.get(transfer, 0.0) + waited
        transfer.deadline += waited
        total = transfer.deadline - transfer.started
        transfer.handle.setopt(pycurl.TIMEOUT_MS, max(1, int(total * 1000)))
        transfer.handle.pause(pycurl.PAUSE_CONT)  # may call `add` again
