"""Keys and tokens that expire: fetched anew before their end, once for all calls that need them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

from exporter.model.errors import Reason, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

RENEW_BEFORE_SECONDS = 300.0
"""Keys are renewed this long before they expire; they stay in use while renewals fail."""
RETRY_SECONDS = 10.0
"""Pause between two attempts to renew valid or refused keys, and after a failure that is not retryable."""
_ENDED = "the keys have ended already: check the clocks"

K = TypeVar("K")


class Issued(NamedTuple, Generic[K]):
    """Keys that expire at a Unix time in seconds."""

    keys: K
    expires_at: float


class TemporaryKeys(Generic[K]):
    """The keys of one identity as they are at the moment of a call. Safe to use from many threads."""

    def __init__(self, fetch: Callable[[], Issued[K]], clock: Callable[[], float]) -> None:
        """`fetch` asks for new keys, or raises StoreError; `clock` is Unix seconds."""
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: Issued[K] | None = None
        self._failure: StoreError | None = None
        self._fetched_at = 0.0
        self._doubted = False
        self._refused: K | None = None
        self._doubted_at = -RETRY_SECONDS

    def get(self) -> K:
        """Return the keys; while some are valid, only the thread that renews them waits.

        Raises StoreError and StoppingError.
        """
        held = self._valid(self._clock())
        if not self._lock.acquire(blocking=held is None):
            return cast("K", held)
        try:
            now = self._clock()
            if self._is_due(now):
                self._renew(now)
            if keys := self._valid(now):
                return keys
            raise self._failure or StoreError(Reason.CREDENTIALS, _ENDED)
        finally:
            self._lock.release()

    def doubt(self, refused: K) -> None:
        """Have the next call fetch keys anew where these, which the store refused, are still in use."""
        known, now = self._issued, self._clock()
        if known and known.keys == refused and not 0 <= now - self._doubted_at < RETRY_SECONDS:
            self._doubted, self._doubted_at, self._refused = True, now, refused

    def _valid(self, now: float) -> K | None:
        """Return the keys, None where they have expired or are worth nothing.

        They are so once the store refused them and their issuer, with a reason that is to be told, new ones.
        """
        known, failure = self._issued, self._failure
        if not known or now >= known.expires_at:
            return None
        is_lost = failure is not None and not failure.retryable and known.keys == self._refused
        return None if is_lost else known.keys

    def _is_due(self, now: float) -> bool:
        """Whether to fetch new keys now: none are valid or they expire soon, and no pause is in force."""
        known, failure = self._issued, self._failure
        if self._doubted:
            return True
        if self._valid(now) and known and now < known.expires_at - RENEW_BEFORE_SECONDS:
            return False
        waits = self._valid(now) or (failure and not failure.retryable)
        return not (waits and 0 <= now - self._fetched_at < RETRY_SECONDS)

    def _renew(self, now: float) -> None:
        self._fetched_at, self._doubted = now, False
        try:
            self._issued = self._fetch()
        except StoreError as error:
            self._failure = error
        else:
            self._failure = None
