"""Checks passwords against bcrypt hashes, on a thread of their own, and caches those that matched."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections import Counter, OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CACHE_SIZE = 128
"""Maximum number of cached matches."""
MAX_THREADS = 1
MAX_PENDING = 64
"""Maximum number of unfinished checks of all clients together; further ones are refused."""
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
        self._pending: dict[bytes, asyncio.Task[bool]] = {}
        self._pending_of_client: Counter[str] = Counter()
        self._semaphore = asyncio.Semaphore(MAX_THREADS)

    async def verify(self, users: Mapping[str, bytes], user: str, password: bytes, client: str) -> bool:
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

    async def _check(self, digest: bytes, password: bytes, hashed: bytes, client: str) -> bool:
        """Compare on a thread; equal requests that come meanwhile share the result."""
        if digest not in self._pending:
            if len(self._pending) >= MAX_PENDING or self._pending_of_client[client] >= MAX_PENDING_PER_CLIENT:
                raise TooManyChecksError
            self._pending_of_client[client] += 1
            task = asyncio.ensure_future(self._compare_on_thread(password[:_BCRYPT_MAX_BYTES], hashed))
            task.add_done_callback(lambda _: self._done(digest, client))
            self._pending[digest] = task
        return await asyncio.shield(self._pending[digest])

    async def _compare_on_thread(self, password: bytes, hashed: bytes) -> bool:
        async with self._semaphore:
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

    def _done(self, digest: bytes, client: str) -> None:
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


def _set_result(future: asyncio.Future[bool], matches: bool) -> None:  # noqa: FBT001 - a callback's argument
    if not future.done():
        future.set_result(matches)


def dummy_hash(users: Mapping[str, bytes]) -> bytes:
    """Return a hash that no password matches, with the highest cost of the users' hashes."""
    cost = max((hashed[4:6] for hashed in users.values()), default=_DEFAULT_COST)
    return b"$2b$" + cost + b"$" + b"." * 53
