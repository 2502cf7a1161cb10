"""Keys that the store refuses and their issuer will not renew: why is told, and they are asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes import Clock

from exporter.model.errors import Reason, StoreError
from exporter.stores.temporary_keys import RETRY_SECONDS, Issued, TemporaryKeys

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600.0


class Issuer:
    """Gives numbered keys for an hour, or fails."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked = 0
        self.failure: StoreError | None = None
        self.keys: TemporaryKeys[str] = TemporaryKeys(self.issue, lambda: self.clock.now)

    def issue(self) -> Issued[str]:
        self.asked += 1
        if self.failure:
            raise self.failure
        return Issued(f"keys {self.asked}", self.clock.now + HOUR)

    def refuse(self, *, retryable: bool) -> None:
        self.keys.doubt(self.keys.get())
        self.failure = StoreError(Reason.CREDENTIALS, "account not found", retryable=retryable)


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        call()
    return str(caught.value)


def test_the_issuer_s_refusal_is_told_while_the_refused_keys_have_time_left():
    issuer = Issuer()
    issuer.refuse(retryable=False)
    assert [error_of(issuer.keys.get) for _ in range(3)] == ["account not found"] * 3
    assert issuer.asked == 2


def test_keys_that_were_lost_are_asked_for_again_after_a_pause():
    issuer = Issuer()
    issuer.refuse(retryable=False)
    error_of(issuer.keys.get)
    issuer.failure, issuer.clock.now = None, RETRY_SECONDS
    assert issuer.keys.get() == "keys 3"


def test_refused_keys_stay_in_use_while_their_issuer_only_fails_for_a_moment():
    issuer = Issuer()
    issuer.refuse(retryable=True)
    assert issuer.keys.get() == "keys 1"
