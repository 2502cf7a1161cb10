"""Who may ask: passwords against bcrypt hashes, off the event loop, and those that were right remembered."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections import Counter, OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CACHE_SIZE = 128
"""So many right passwords are remembered."""
THREADS = 1
MAX_PENDING = 64
"""So many checks at once, all clients together; further ones are turned away."""
MAX_PENDING_PER_CLIENT = 4
"""So many of one client's."""
_LONGEST_PASSWORD = 72
_USUAL_COST = b"10"


class TooManyChecksError(Exception):
    """Too many passwords are being checked for one more."""


class PasswordChecker:
    """Checks passwords; used on one event loop."""

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        """Make it of what compares a password with a hash and takes its time."""
        self._check = check
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(THREADS)

    async def verify(self, users: Mapping[str, bytes], user: str, password: bytes, client: str) -> bool:
        """Whether this is the user's password; an unknown user takes as long. Raises TooManyChecksError."""
        known = users.get(user)
        hashed = dummy_hash(users) if known is None else known
        digest = self._digest(user.encode(), hashed, password)
        if digest in self._right:
            self._right.move_to_end(digest)
            return True
        right = await self._compare(digest, password, hashed, client) and known is not None
        if right:
            self._remember(digest)
        return right

    async def _compare(self, digest: bytes, password: bytes, hashed: bytes, client: str) -> bool:
        """Compare on a thread; who sends the same meanwhile gets the same answer."""
        if digest not in self._pending:
            if len(self._pending) >= MAX_PENDING or self._waiting[client] >= MAX_PENDING_PER_CLIENT:
                raise TooManyChecksError
            self._waiting[client] += 1
            task = asyncio.ensure_future(self._compare_in_turn(password[:_LONGEST_PASSWORD], hashed))
            task.add_done_callback(lambda _: self._done(digest, client))
            self._pending[digest] = task
        return await asyncio.shield(self._pending[digest])

    async def _compare_in_turn(self, password: bytes, hashed: bytes) -> bool:
        async with self._turns:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[bool] = loop.create_future()

            def compare() -> None:
                right = False
                with suppress(ValueError):  # a hash that only looks like one
                    right = self._check(password, hashed)
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(_answer, answer, right)

            # not from a pool: a process that ends would wait for its threads
            threading.Thread(target=compare, name="password", daemon=True).start()
            return await answer

    def _done(self, digest: bytes, client: str) -> None:
        del self._pending[digest]
        self._waiting[client] -= 1
        self._waiting += Counter()  # forgets who waits no more

    def _digest(self, *parts: bytes) -> bytes:
        """Return what tells credentials apart and gives none away."""
        whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hashlib.blake2b(whole, key=self._key).digest()

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = None
        if len(self._right) > CACHE_SIZE:
            self._right.popitem(last=False)


def _answer(waiting: asyncio.Future[bool], right: bool) -> None:  # noqa: FBT001 - a callback's argument
    if not waiting.done():
        waiting.set_result(right)


def dummy_hash(users: Mapping[str, bytes]) -> bytes:
    """Return a hash that no password has, as costly as the costliest of the users'."""
    cost = max((hashed[4:6] for hashed in users.values()), default=_USUAL_COST)
    return b"$2b$" + cost + b"$" + b"." * 53
