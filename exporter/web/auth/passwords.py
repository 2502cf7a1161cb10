"""Checks passwords against bcrypt hashes, on a thread of their own, and caches those that matched."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections import Counter, OrderedDict
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from exporter.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CACHE_SIZE = 128
"""Maximum number of cached matches."""
MAX_THREADS = 1
MAX_PENDING = 256
"""Maximum number of unfinished checks of all clients together; further ones are refused."""
MANY_PENDING = 64
"""With so many unfinished checks a client that has one is refused another."""
MAX_PENDING_PER_CLIENT = 4
"""Maximum number of unfinished checks of one client."""
_BCRYPT_MAX_BYTES = 72
_DEFAULT_COST = b"10"


class TooManyChecksError(Exception):
    """The limit of unfinished checks is reached."""


def compare_by_bcrypt(password: bytes, hashed: bytes) -> bool:
    """Return whether this is the password of a hash; it takes as long as the hash's cost says."""
    import bcrypt  # noqa: PLC0415 - loaded where passwords are used

    return bcrypt.checkpw(password, hashed)


class PasswordChecker:
    """Checks passwords; for use on one event loop."""

    def __init__(self, compare: Callable[[bytes, bytes], bool] = compare_by_bcrypt) -> None:
        """Take the function that compares a password with a hash (it blocks for up to seconds)."""
        self._compare = compare
        self._key = secrets.token_bytes(32)
        self._matched: OrderedDict[bytes, None] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[bool | None]] = {}
        self._pending_of_client: Counter[object] = Counter()
        self._turns = Turns(MAX_THREADS)

    async def verify(self, users: Mapping[str, bytes], user: str, password: bytes, client: object) -> bool:
        """Return whether this is the user's password. Raises TooManyChecksError.

        An unknown user takes as long as a known one.
        """
        known = users.get(user)
        hashed = dummy_hash(users) if known is None else known
        digest = self._digest(user.encode(), hashed, password)
        if digest in self._matched:
            self._matched.move_to_end(digest)
            return True
        matches = await self._check(digest, password, hashed, client) and known is not None
        if matches:
            self._remember(digest)
        return matches

    async def _check(self, digest: bytes, password: bytes, hashed: bytes, client: object) -> bool:
        """Compare on a thread when it is the client's turn; equal requests meanwhile share the result."""
        if digest not in self._pending:
            if not self._may_wait(client):
                raise TooManyChecksError
            self._pending_of_client[client] += 1
            compare = partial(self._compare_on_thread, password[:_BCRYPT_MAX_BYTES], hashed)
            # others may wait for the result, so it is got even where the client has left
            task = asyncio.ensure_future(self._turns.run(client, _never, compare))
            task.add_done_callback(lambda _: self._done(digest, client))
            self._pending[digest] = task
        return await asyncio.shield(self._pending[digest]) is True

    def _may_wait(self, client: object) -> bool:
        """Return whether one more check of a client may wait: who has none is refused last."""
        own = self._pending_of_client[client]
        most = MANY_PENDING if own else MAX_PENDING
        return own < MAX_PENDING_PER_CLIENT and len(self._pending) < most

    async def _compare_on_thread(self, password: bytes, hashed: bytes) -> bool:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[bool] = loop.create_future()

        def compare() -> None:
            matches = False
            with suppress(ValueError):  # a hash that only looks like one
                matches = self._compare(password, hashed)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_set_result, result, matches)

        # not from a pool: at its end the process would wait for the pool's threads
        threading.Thread(target=compare, name="password", daemon=True).start()
        return await result

    def _done(self, digest: bytes, client: object) -> None:
        del self._pending[digest]
        self._pending_of_client[client] -= 1
        self._pending_of_client += Counter()  # drops clients with none

    def _digest(self, *parts: bytes) -> bytes:
        """Return a keyed hash of credentials, so that the cache holds no password."""
        whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hashlib.blake2b(whole, key=self._key).digest()

    def _remember(self, digest: bytes) -> None:
        self._matched[digest] = None
        if len(self._matched) > CACHE_SIZE:
            self._matched.popitem(last=False)


async def _never() -> dict[str, str]:
    """Receive nothing from a client."""
    await asyncio.get_running_loop().create_future()
    return {}


def _set_result(future: asyncio.Future[bool], matches: bool) -> None:  # noqa: FBT001 - a callback's argument
    if not future.done():
        future.set_result(matches)


def dummy_hash(users: Mapping[str, bytes]) -> bytes:
    """Return a hash that no password matches, with the highest cost of the users' hashes."""
    cost = max((hashed[4:6] for hashed in users.values()), default=_DEFAULT_COST)
    return b"$2b$" + cost + b"$" + b"." * 53
