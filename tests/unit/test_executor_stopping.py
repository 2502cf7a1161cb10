"""Executor end where the process does, whatever they wait for."""

from __future__ import annotations

import threading

import pytest
from unit.scripted_calls import Stream, failing

from exporter.model.errors import StoppingError
from exporter.stores.engine.retry import Deadline, RetryPolicy

PAUSES = [("a", 40.0), ("b", 30.0), ("c", 50.0)]


class Switch:
    """A stop that is set when it is waited for, or at the so-many-th look; it keeps what it was asked."""

    def __init__(self, looks: int | None = None) -> None:
        self.looks = looks
        self.waited: list[float] = []

    def is_set(self) -> bool:
        if self.looks is None:
            return False
        self.looks -= 1
        return self.looks < 0

    def wait(self, timeout: float) -> bool:
        self.waited.append(timeout)
        return True


class TestStopping:
    def test_it_is_noticed_while_all_pause(self):
        asked = Stream(stop=Switch(), scripts={"a": [failing(retry_after=50.0)]})
        asked.start("a")
        with pytest.raises(StoppingError):
            asked.executor.completed()
        assert len(asked.calls.begun) == 1

    def test_a_pause_is_waited_for_by_waiting_for_the_stop(self):
        stop = Switch()
        asked = Stream(stop=stop, scripts={name: [failing(retry_after=wait)] for name, wait in PAUSES})
        for name, _ in PAUSES:
            asked.start(name)
        with pytest.raises(StoppingError):
            asked.executor.completed()
        assert stop.waited == [30.0]

    def test_it_is_noticed_while_calls_are_in_flight(self):
        asked = Stream(stop=Switch(looks=3), seconds=lambda _: 60.0)
        asked.start("a")
        with pytest.raises(StoppingError):
            asked.executor.completed()
        assert asked.calls.timeouts == [0.2, 0.2, 0.2]

    def test_what_pauses_makes_nobody_look_for_it_less_often(self):
        asked = Stream(stop=Switch(looks=2), scripts={"a": [failing(retry_after=50.0)]})
        asked.calls.seconds = {"a": 0.0, "slow": 60.0}.get
        asked.start("a")
        asked.start("slow")
        with pytest.raises(StoppingError):
            asked.executor.completed()
        assert asked.calls.timeouts == [0.2, 0.2]

    def test_once_stopped_nothing_is_waited_for(self):
        stop = threading.Event()
        stop.set()
        asked = Stream(stop=stop, scripts={"a": [failing()]})
        asked.start("a")
        with pytest.raises(StoppingError):
            asked.executor.completed()
        assert asked.calls.timeouts == []

    def test_what_has_ended_comes_out_though(self):
        asked = Stream(stop=Switch(looks=0))
        asked.start("a", deadline=100.0)
        assert [label for label, _ in asked.executor.completed()] == ["a"]

    def test_that_of_a_task_comes_out(self):
        def task():
            raise StoppingError
            yield

        asked = Stream()
        with pytest.raises(StoppingError):
            asked.executor.start(task(), "label", RetryPolicy(30.0, 3, Deadline(1000.0)))

    def test_that_of_the_calls_comes_out(self):
        asked = Stream()

        def stopping(_timeout):
            raise StoppingError

        asked.calls.completed = stopping
        asked.start("a")
        with pytest.raises(StoppingError):
            asked.executor.completed()
