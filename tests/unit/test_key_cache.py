"""When the keys that requests are signed with are fetched again: each second, and after failures."""

from __future__ import annotations

import pytest

from exporter.model.errors import Reason, StoreError
from exporter.stores.engine.wire import KEYS_SECONDS, KeyCache

REFUSED = StoreError(Reason.CREDENTIALS, "no keys")
BUSY = StoreError(Reason.TIMEOUT, "no answer", retryable=True)


class Source:
    """Where keys come from: a fetch takes `seconds` of a clock of its own and gives the `outcome`."""

    def __init__(self, outcome: str | StoreError, seconds: float = 0.0) -> None:
        self.outcome, self.seconds = outcome, seconds
        self.now = 1000.0
        self.fetches = 0
        self.cache = KeyCache(self._fetch, lambda: self.now)

    def _fetch(self, _deadline: float) -> str:
        self.fetches += 1
        self.now += self.seconds
        if isinstance(self.outcome, StoreError):
            raise self.outcome
        return self.outcome

    def get(self) -> str | StoreError:
        try:
            return self.cache.get(2000.0)
        except StoreError as error:
            return error


def test_keys_are_used_for_a_second():
    source = Source("old")
    assert [source.get() for _ in range(3)] == ["old"] * 3
    source.outcome = "new"
    source.now += KEYS_SECONDS - 0.1
    assert source.get() == "old"
    source.now += 0.1
    assert (source.get(), source.fetches) == ("new", 2)


def test_a_refresh_replaces_them_at_once():
    source = Source("old")
    source.get()
    source.outcome = "new"
    assert (source.cache.refresh(2000.0), source.get()) == ("new", "new")


@pytest.mark.parametrize(("error", "seconds"), [(REFUSED, 0.0), (REFUSED, 30.0), (BUSY, 30.0)])
def test_a_failure_that_is_final_or_took_long_is_shared_for_a_second(error: StoreError, seconds: float):
    source = Source(error, seconds)
    assert [source.get() for _ in range(32)] == [error] * 32
    assert source.fetches == 1
    source.now += KEYS_SECONDS
    source.outcome = "keys"
    assert source.get() == "keys"


def test_a_failure_that_took_no_time_and_may_pass_is_followed_by_another_fetch():
    source = Source(BUSY)
    assert source.get() is BUSY
    source.outcome = "keys"
    assert source.get() == "keys"
