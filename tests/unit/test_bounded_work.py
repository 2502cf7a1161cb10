"""Work that may hang: who asks for it waits no longer than it may, and it is done once at a time."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import wait_until

from exporter.model.errors import StoppingError
from exporter.stores.bounded_work import BoundedWork


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def work(stop: threading.Event) -> BoundedWork[int]:
    return BoundedWork(stop)


def test_who_asks_meanwhile_gets_the_same_outcome(
    work: BoundedWork[int], stop: threading.Event, monkeypatch: pytest.MonkeyPatch
):
    begun, go_on, waiting = [], threading.Event(), set[int]()
    monkeypatch.setattr(stop, "is_set", lambda: bool(waiting.add(threading.get_ident())))  # by who waits

    def slow() -> int:
        begun.append(1)
        go_on.wait(10)
        return 7

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(work.run, slow, soon()) for _ in range(4)]
        wait_until("all to wait", lambda: len(waiting) == 4, seconds=10)
        go_on.set()
        assert [each.result() for each in asked] == [7] * 4
    assert begun == [1]
    assert work.run(lambda: 8, soon()) == 8


def test_what_hangs_keeps_one_thread_and_nobody_for_longer_than_the_deadline(work: BoundedWork[int]):
    go_on = threading.Event()
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            work.run(lambda: int(go_on.wait(10)), soon(0.01))
    assert threading.active_count() == before + 1
    go_on.set()
    wait_until("it to end", lambda: not work.busy, seconds=10)
    assert work.run(lambda: 8, soon()) == 8


def test_a_failure_is_that_of_who_waits(work: BoundedWork[int]):
    with pytest.raises(ZeroDivisionError):
        work.run(lambda: 1 // 0, soon())
    assert work.run(lambda: 8, soon()) == 8


def test_so_is_what_no_work_should_raise(work: BoundedWork[int]):
    with pytest.raises(SystemExit):
        work.run(lambda: sys.exit(3), soon())
    assert work.run(lambda: 8, soon()) == 8


def test_a_stop_ends_the_wait(work: BoundedWork[int], stop: threading.Event):
    go_on = threading.Event()
    stop.set()
    with pytest.raises(StoppingError):
        work.run(lambda: int(go_on.wait(10)), soon())
    go_on.set()


def test_without_a_thread_the_next_one_asks_again(work: BoundedWork[int], monkeypatch: pytest.MonkeyPatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            work.run(lambda: 8, soon())
    assert work.run(lambda: 8, soon()) == 8
