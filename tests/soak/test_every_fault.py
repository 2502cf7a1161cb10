"""As tests/unit/test_faults_in_order.py, with each fault at each step: `pytest tests/soak -k every_fault`."""

from __future__ import annotations

import sqlite3
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pytest
from unit.fault_scenarios import SCENARIOS, Scenario
from unit.fault_sweep import Sweep
from unit.fault_world import REQUEST_FAULTS, STATEMENT_FAULTS, FailingConnection, new_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=FailingConnection))


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("kind", "faults"), [("statements", STATEMENT_FAULTS), ("requests", REQUEST_FAULTS)])
def test_every_fault_at_every_step_costs_no_number(
    scenario: type[Scenario], kind: str, faults: list, tmp_path: Path
):
    sweep = Sweep(scenario, kind, new_file(tmp_path / "template.db"), tmp_path)
    assert sweep.problems(product(range(len(sweep.reference.steps)), faults)) == []
