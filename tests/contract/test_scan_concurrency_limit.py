"""How much a scan has in flight and in memory: what is allowed, less where the store throttles."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event, Lock

import pytest
from contract.rigs import PARTS, UPLOADS, Opener, Rig
from contract.scans import (
    PATIENCE,
    AtOnce,
    Together,
    answering,
    bytes_of,
    operation_of,
    scanner,
    sized_uploads,
    summary_of,
)
from servers.standin import Reply, Request

from exporter.model.errors import Reason
from exporter.state.ledger import Ledger
from exporter.stores.engine.concurrency import ConcurrencyLimit

pytestmark = pytest.mark.no_cover

HELD = sized_uploads(300)
LATENCY = 0.01
"""So many seconds each request is under way, that others may be meanwhile."""
PAGE = 10


def filled(open_rig: Opener, page_size: int | None = None) -> Rig:
    rig = open_rig()
    rig.retarget(scan=replace(rig.target.scan, page_size=page_size))
    rig.fill(HELD)
    return rig


def throttling(rig: Rig, most: int, first: int) -> list[int]:
    """Refuse calls for parts beyond so many at once; return how many there were as each came in.

    The first ones are all refused, once so many are in flight.
    """
    under_way, slowly, window, seen = AtOnce(), Event(), Together(first), []

    def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
        if operation_of(request) == UPLOADS:
            return truly()
        with under_way.counted() as now:
            seen.append(now)
            too_many = now > most or not window.is_full()
            if window.is_full():
                slowly.wait(LATENCY)
            else:
                window.hold()
            return rig.refusal(503, "SlowDown") if too_many else truly()

    rig.server.answer = decide
    return seen


def assert_about(most: int, seen: list[int]) -> None:
    """Assert that hardly ever more were in flight than one that tries and one in place of a listing's page.

    A server that answers late, since its machine is busy, lets some more through; never all 32.
    """
    assert sum(each > most + 2 for each in seen) <= len(seen) / 20
    assert max(seen) < 32 / 2


@dataclass
class Changes:
    """Keeps what a pace told."""

    told: list[str] = field(default_factory=list)

    def new_pace(self, most: int) -> ConcurrencyLimit:
        return ConcurrencyLimit(
            most, halved=partial(self.told.append, "halved"), restored=partial(self.told.append, "restored")
        )


class TestThrottling:
    @pytest.mark.parametrize("most", [4, 11])
    def test_a_scan_settles_below_what_the_store_bears_and_sizes_everything(
        self, open_engine: Opener, most: int
    ):
        rig, changes = filled(open_engine), Changes()
        seen = throttling(rig, most, first=32)
        summary = summary_of(rig, concurrency=32, retries=20, new_concurrency_limit=changes.new_pace)
        assert (summary.uploads, summary.bytes) == (300, bytes_of(HELD))
        assert max(seen) == 32
        assert changes.told[0] == "halved"
        assert rig.traffic.failures == {(PARTS, Reason.THROTTLED): len(seen) - 300}
        if rig.target.engine == "wire":  # boto3 is too slow to have so many in flight
            assert_about(most, seen[100:])

    def test_what_was_learnt_outlasts_the_scan(self, wire: Rig):
        wire.fill(HELD)
        seen = throttling(wire, 4, first=32)
        twice = scanner(wire, concurrency=32, retries=20)
        twice.scan(wire.bucket, Ledger())
        first = len(seen)
        assert twice.scan(wire.bucket, Ledger()).summary.bytes == bytes_of(HELD)
        assert_about(4, seen[first:])

    def test_calls_of_one_window_halve_it_once_and_success_restores_it(self, open_engine: Opener):
        rig, changes, window = filled(open_engine), Changes(), Together(16)
        refused: Counter[bool] = Counter()

        def refuse_first(_: Request) -> Reply | None:
            if window.is_full():
                return None
            window.hold()
            refused[True] += 1
            return rig.refusal(503, "SlowDown")

        answering(rig, refuse_first)
        summary = summary_of(rig, concurrency=16, new_concurrency_limit=changes.new_pace)
        assert summary.bytes == bytes_of(HELD)
        assert changes.told == ["halved", "restored"]
        assert refused[True] == 16

    def test_errors_that_are_no_throttling_change_nothing(self, open_engine: Opener):
        rig, changes = filled(open_engine), Changes()
        rig.answer(PARTS, rig.refusal(500, "InternalError"), range(1, 20, 3))
        assert summary_of(rig, retries=20, new_concurrency_limit=changes.new_pace).bytes == bytes_of(HELD)
        assert changes.told == []


class TestInFlight:
    @pytest.mark.parametrize("concurrency", [1, 3, 16])
    def test_never_more_than_allowed_and_one_of_the_listing(self, open_engine: Opener, concurrency: int):
        rig, together = filled(open_engine, PAGE), Together(concurrency)
        parts, every, slowly = AtOnce(), AtOnce(), Event()
        rig.fill(HELD[:100])

        def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
            with every.counted():
                if operation_of(request) == UPLOADS:
                    slowly.wait(LATENCY / 5)
                    return truly()
                with parts.counted():
                    together.hold()
                    slowly.wait(LATENCY / 5)
                    return truly()

        rig.server.answer = decide
        assert summary_of(rig, concurrency=concurrency).bytes == bytes_of(HELD[:100])
        assert parts.most == concurrency
        assert every.most <= concurrency + 1

    def test_the_next_page_is_fetched_while_the_last_one_is_sized(self, open_engine: Opener):
        rig, asked = filled(open_engine, PAGE), [Event() for _ in range(len(HELD) // PAGE + 1)]
        pages = iter(asked)
        asked[-1].set()  # there is none after the last

        def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
            page, number = divmod(int(request.argument("uploadId", "u0")[1:]), PAGE)
            if operation_of(request) == UPLOADS:
                next(pages).set()
            elif number == 0:  # the others leave room for the listing
                assert asked[page + 1].wait(PATIENCE), f"page {page} is sized, but no other one asked for"
            return truly()

        rig.server.answer = decide
        assert summary_of(rig, concurrency=4).bytes == bytes_of(HELD)

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_never_more_than_two_pages_of_uploads_are_held(self, open_engine: Opener, concurrency: int):
        rig, lock = filled(open_engine, PAGE), Lock()
        waiting: list[int] = []
        answered = listed = 0

        def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
            nonlocal answered, listed
            with lock:
                if operation_of(request) == PARTS:
                    answered += 1
                elif operation_of(request) == UPLOADS:
                    waiting.append(listed + PAGE - answered)
                    listed += PAGE
            return truly()

        rig.server.answer = decide
        assert summary_of(rig, concurrency=concurrency).bytes == bytes_of(HELD)
        assert len(waiting) == len(HELD) // PAGE
        assert max(waiting) <= 2 * PAGE + concurrency  # those in flight are held too
