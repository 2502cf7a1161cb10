"""Each system call on the state file and on the file of `--output` fails, in order. Needs strace."""

from __future__ import annotations

import logging
import shutil
import stat
from itertools import count, product
from typing import TYPE_CHECKING

import pytest
from soak.system_calls import SystemCallFault, calls_on, run_traced
from unit.fault_scenarios import SCENARIOS, First, Restarted, RestartedHidden, Scenario
from unit.fault_sweep import Sweep
from unit.fault_world import INTERVAL, dishonesty, new_file

from exporter.cli.errors import UsageError
from exporter.cli.terminal.output import write_output
from exporter.state.database import StateError

if TYPE_CHECKING:
    from pathlib import Path

    from soak.system_calls import Step, SystemCall

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

FULL = {"openat", "pwrite64", "write", "ftruncate", "fsync", "fdatasync"}
"""Calls that a full disk fails."""
LOOKS = {"fstat", "newfstatat"}
IN_MEMORY = "the state file cannot be used: remembering in memory until the next start"
SET_ASIDE = "the state file cannot be read: it is set aside, and a new one is begun"


def faults(calls: list[SystemCall]) -> list[SystemCallFault]:
    """Return each fault of each call; of looks at a file in a row, of the first and the last one."""
    names = [each.name for each in calls]
    edges = [
        call
        for place, call in enumerate(calls)
        if call.name not in LOOKS or names[max(0, place - 1) : place + 2] != [call.name] * 3
    ]
    return [
        SystemCallFault(call, *fault) for call in edges for fault in product(_errors(call), (False, True))
    ]


def _errors(call: SystemCall) -> list[str]:
    return ["EIO", *["ENOSPC"] * (call.name in FULL), *["EMFILE", "EACCES"] * (call.name == "openat")]


class StateFile:
    """A scan of one scenario whose state file fails; `starts`: while a process opens it and scans."""

    def __init__(self, scenario: type[Scenario], folder: Path, *, starts: bool) -> None:
        self.sweep = Sweep(scenario, "statements", new_file(folder / "template.db"), folder)
        self._starts = starts

    def prepare(self, path: Path, *, heals: bool) -> Step:
        """Bring a state file to where the scan begins; the step returns what is wrong, '' for nothing."""
        log = Messages()
        world = self.sweep.world()
        world.state.close()
        for file in world.path.parent.glob(f"{world.path.name}*"):
            file.rename(path.with_name(file.name.replace(world.path.name, path.name)))
        world.path = path
        if not self._starts:
            world.start()

        def step() -> str:
            if self._starts:
                try:
                    world.start()
                except StateError:
                    return ""
            shown = world.scan()
            forgotten = IN_MEMORY in log.texts
            right = (self.sweep.reference.old.summary, self.sweep.reference.new.summary)
            problem = "" if shown.summary in right else dishonesty(world, shown, forgotten=forgotten)
            if heals:
                problem = problem or self.sweep.problem_of_next(world, forgotten=forgotten)
            return problem or (SET_ASIDE if SET_ASIDE in log.texts else "")

        return step

    def problem_of_next_process(self, path: Path) -> str:
        """Return what is wrong with what the process after it shows and finds."""
        world = self.sweep.world()
        world.close()
        world.moment += INTERVAL
        return self.sweep.problem_of_start(world, path)


class Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        logging.getLogger("exporter").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_system_call_on_the_state_file_that_fails_costs_a_number(scenario: type[Scenario], tmp_path: Path):
    _try_all(StateFile(scenario, tmp_path, starts=False), tmp_path)


@pytest.mark.parametrize("scenario", [First, Restarted, RestartedHidden])
def test_no_system_call_that_fails_while_the_state_file_is_opened_costs_a_number(
    scenario: type[Scenario], tmp_path: Path
):
    _try_all(StateFile(scenario, tmp_path, starts=True), tmp_path)


def _try_all(file: StateFile, tmp_path: Path) -> None:
    """Assert that nothing is wrong after any of the faults."""
    numbers, calls = count(), []

    def run(fault: SystemCallFault | None) -> str:
        folder = tmp_path / f"run-{next(numbers)}"
        folder.mkdir()
        heals = fault is not None and not fault.lasting
        path, trace = folder / "state.db", tmp_path / "trace"
        problem = run_traced(lambda: file.prepare(path, heals=heals), trace, fault)
        problem = problem or file.problem_of_next_process(path)
        calls[:] = calls_on(folder, trace)
        if fault and "(INJECTED)" not in trace.read_text(errors="replace"):
            problem = problem or "no call failed"
        shutil.rmtree(folder)
        return problem

    assert run(None) == ""
    assert [f"{fault}: {problem}" for fault in faults([*calls]) if (problem := run(fault))] == []


@pytest.mark.parametrize("old", ["old", None])
def test_an_output_file_is_the_old_one_or_the_new_one_whatever_fails(old: str | None, tmp_path: Path):
    trace, file = tmp_path / "trace", tmp_path / "folder" / "file"

    def write() -> str:
        try:
            write_output("new", file)
        except UsageError as error:
            return f"told: {error}"
        return "written"

    def run(fault: SystemCallFault | None) -> str:
        shutil.rmtree(file.parent, ignore_errors=True)
        file.parent.mkdir()
        if old:
            file.write_text(old)
            file.chmod(0o600)
        outcome = run_traced(lambda: write, trace, fault)
        content = file.read_text() if file.exists() else None
        mode = stat.S_IMODE(file.stat().st_mode) if content else None
        problems = (
            (not outcome.startswith(("told: --output: ", "written")), outcome),
            (content not in ({"new"} if outcome == "written" else {old, "new"}), f"{outcome}: {content}"),
            (mode not in (None, 0o600 if old else 0o644), f"{outcome}: {mode}"),
            (any(each != file for each in file.parent.iterdir()), f"{outcome}: {[*file.parent.iterdir()]}"),
        )
        return "; ".join(text for holds, text in problems if holds)

    assert run(None) == ""
    calls = calls_on(file.parent, trace)
    tried = faults(calls)
    assert [f"{fault}: {problem}" for fault in tried if (problem := run(fault))] == []
