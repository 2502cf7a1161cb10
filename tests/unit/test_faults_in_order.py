"""A step of a scan fails, in order: what is shown is old or right, and the next scan has the right numbers.

The faults take turns from step to step; tests/soak/test_every_fault.py has each of them at each step.
"""

from __future__ import annotations

import sqlite3
import threading
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from unit.fault_scenarios import SCENARIOS, First, Hidden, Restarted, RestartedHidden, Scenario
from unit.fault_sweep import Sweep
from unit.fault_world import (
    REQUEST_FAULTS,
    STATEMENT_FAULTS,
    FailingConnection,
    World,
    WorldStore,
    copy_of,
    dishonesty,
    new_file,
)
from unit.lying_store import LyingStore

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.no_cover, pytest.mark.slow]
ALL = [*SCENARIOS]
OTHER_REQUESTS = [each for each in SCENARIOS if each not in (Restarted, RestartedHidden)]
"""Those that ask something else than the ones before."""
MAX_REQUESTS = 18


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FailingConnection))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_file(tmp_path_factory.mktemp("template") / "state.db")


@pytest.mark.parametrize("scenario", ALL)
def test_a_statement_of_each_kind_that_fails_costs_no_number(
    scenario: type[Scenario], template: Path, tmp_path: Path
):
    sweep = Sweep(scenario, "statements", template, tmp_path)
    faults = STATEMENT_FAULTS[ALL.index(scenario) :]  # others in each scenario
    assert sweep.problems(zip(sweep.first_of_each(), cycle(faults), strict=False)) == []


@pytest.mark.parametrize(
    ("statement", "how"), [("BEGIN IMMEDIATE", ("after", False)), ("COMMIT", ("before", True))]
)
def test_a_transaction_that_cannot_be_ended_is_ended_before_the_next_one(
    statement: str, how: tuple[str, bool], template: Path, tmp_path: Path
):
    sweep = Sweep(First, "statements", template, tmp_path)
    fault = next(each for each in STATEMENT_FAULTS if each[2:] == how)
    assert sweep.problems([(sweep.reference.steps.index(statement), fault)]) == []


@pytest.mark.parametrize(("statement", "lasting"), [("SELECT id", False), ("BEGIN IMMEDIATE", True)])
def test_what_sqlite_takes_for_damage_costs_no_number(
    statement: str, lasting: object, template: Path, tmp_path: Path
):
    sweep = Sweep(Hidden, "statements", template, tmp_path)
    number = next(n for n, label in enumerate(sweep.reference.steps) if label.startswith(statement))
    fault = next(each for each in STATEMENT_FAULTS if each.name == "corrupt" and each.lasting is lasting)
    assert sweep.problems([(number, fault)]) == []


@pytest.mark.parametrize("scenario", ALL)
def test_a_process_that_is_killed_at_any_statement_leaves_what_another_can_go_on_from(
    scenario: type[Scenario], template: Path, tmp_path: Path
):
    assert Sweep(scenario, "statements", template, tmp_path).problems_of_kills() == []


@pytest.mark.parametrize("scenario", OTHER_REQUESTS)
def test_a_request_that_fails_leaves_old_or_right_numbers_or_marks_them(
    scenario: type[Scenario], template: Path, tmp_path: Path
):
    sweep = Sweep(scenario, "requests", template, tmp_path)
    faults = REQUEST_FAULTS[ALL.index(scenario) :]
    steps = len(sweep.reference.steps)
    numbers = range(0, steps, 1 + steps // MAX_REQUESTS)
    assert sweep.problems(zip(numbers, cycle(faults), strict=False)) == []


@pytest.mark.parametrize("allowed", range(4))
def test_threads_that_cannot_be_started_cost_time_or_the_scan_and_no_number(
    allowed: int, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    start, started = threading.Thread.start, []

    def start_some(thread: threading.Thread) -> None:
        if thread.name == "calls":
            started.append(thread)
            if len(started) > allowed:
                raise RuntimeError("can't start new thread")
        start(thread)

    class Store(WorldStore):
        open = LyingStore.open  # which makes calls on threads

    store = Store()
    store.begin(13)
    world = World(store, copy_of(template, tmp_path / "state.db"))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_some)
        shown = world.scan()
    assert shown.success is (allowed > 0)
    assert dishonesty(world, shown) == ""
    assert len(started) > allowed
    assert world.scan().summary.bytes == 2**13 - 1  # type: ignore[union-attr]
    world.close()
