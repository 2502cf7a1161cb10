"""Requests have their responses made on threads, few at once and those of one client one after another.

A client that asks for page after page on hundreds of connections waits for itself; others wait for one of its
pages at most. That costs it nothing: Python makes one page at a time anyway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class Turns:
    """Who may have a response made now. For one event loop.

    Clients that wait have their turns one after another, however many requests each of them has.
    """

    def __init__(self, at_once: int) -> None:
        """Let requests of `at_once` clients have their turns at the same time."""
        self._at_once = at_once
        self._having: set[object] = set()
        self._waiting: dict[object, deque[asyncio.Future[None]]] = {}

    async def run(self, client: object, receive: Any, work: Callable[[], Awaitable[T]]) -> T | None:  # noqa: ANN401 - ASGI
        """Await `work` when it is the client's turn; None, without having begun, where it leaves before.

        `receive` is how ASGI tells that it has left.
        """
        if not await self._has_turn(client, receive):
            return None
        try:
            return await work()
        finally:
            self._having.discard(client)
            self._give_turns()

    async def _has_turn(self, client: object, receive: Any) -> bool:  # noqa: ANN401 - ASGI
        """Wait for a turn; False where the client leaves before."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._give_turns()
        if turn.done():
            return True
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({turn, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not turn.done():
                self._forget(client, turn)
        return turn.done()

    def _give_turns(self) -> None:
        for client in [client for client in self._waiting if client not in self._having]:
            if len(self._having) >= self._at_once:
                return
            waiting = self._waiting.pop(client)
            self._having.add(client)
            waiting.popleft().set_result(None)
            if waiting:
                self._waiting[client] = waiting  # behind all others

    def _forget(self, client: object, turn: asyncio.Future[None]) -> None:
        self._waiting[client].remove(turn)
        if not self._waiting[client]:
            del self._waiting[client]


async def _disconnected(receive: Any) -> None:  # noqa: ANN401 - ASGI
    """Return when the client has left; what else it sends is of no use to anyone."""
    while (await receive())["type"] != "http.disconnect":
        pass
