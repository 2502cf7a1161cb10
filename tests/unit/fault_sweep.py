"""Has one step of a scan after the other fail; tells where what is shown is neither old nor right."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Literal, NamedTuple

from unit.fault_world import DAMAGE, FailingConnection, World, copy_of, dishonesty, inconsistencies

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from unit.fault_scenarios import Scenario
    from unit.fault_world import Fault, Outcome, Steps

    from exporter.model.results import Summary

Kind = Literal["statements", "requests"]


class Reference(NamedTuple):
    """What is shown before the scan, after it, and after the next one, where nothing fails.

    `steps` are the labels of the scan's steps.
    """

    old: Outcome
    new: Outcome
    healed: Outcome
    steps: list[str]


class Sweep:
    """Scans of one scenario, in which different steps fail."""

    def __init__(self, scenario: type[Scenario], kind: Kind, template: Path, folder: Path) -> None:
        self._scenario = scenario
        self._kind = kind
        self._template = template
        self._folder = folder
        self._numbers = count()
        self.reference = self._reference()

    def problems(self, cases: Iterable[tuple[int, Fault]]) -> list[str]:
        """Return what is wrong after any of these faults, each at the step of its number."""
        return [
            f"{fault.name}, {fault.moment}, lasting: {fault.lasting}, at {number}"
            f" ({self.reference.steps[number][:80]}): {problem}"
            for number, fault in cases
            if (problem := self._problem(number, fault))
        ]

    def first_of_each(self) -> list[int]:
        """Return the numbers of steps that are of another kind than all before them, and of the last one."""
        labels = self.reference.steps
        return sorted({*(labels.index(each) for each in labels), len(labels) - 1})

    def problems_of_kills(self) -> list[str]:
        """Return what is wrong where the process is killed before any of the statements of the scan."""
        world, known, places = self.world(), set(), []

        def keep() -> None:
            files = [
                file for file in (world.path, world.path.with_name(f"{world.path.name}-wal")) if file.exists()
            ]
            content = b"".join(file.read_bytes() for file in files)
            if content not in known:  # most statements change no file
                known.add(content)
                place = self._folder / f"killed-{next(self._numbers)}.db"
                places.append(place)
                for file in files:
                    shutil.copyfile(file, file.with_name(file.name.replace(world.path.name, place.name)))

        FailingConnection.on_step = staticmethod(keep)
        try:
            world.scan()
        finally:
            FailingConnection.on_step = staticmethod(lambda: None)
        world.state.close()
        keep()
        return [problem for place in places if (problem := self.problem_of_start(world, place))]

    def _reference(self) -> Reference:
        world = self.world()
        steps, old = self._steps(world), world.shown()
        steps.arm(None, None)
        new, labels = world.scan(), list(steps.labels)
        healed = world.scan()
        problems = [dishonesty(world, new), dishonesty(world, healed), *inconsistencies(world)]
        assert not any(problems), problems
        world.close()
        return Reference(old, new, healed, labels)

    def world(self) -> World:
        """Return the world before the scan."""
        path = copy_of(self._template, self._folder / f"{next(self._numbers)}.db")
        world = World(self._scenario.store(), path, **self._scenario.settings)
        self._scenario.prepare(world)
        return world

    def _steps(self, world: World) -> Steps:
        return FailingConnection.steps if self._kind == "statements" else world.store.steps

    def _problem(self, number: int, fault: Fault) -> str:
        world = self.world()
        steps, forgotten = self._steps(world), fault.name in DAMAGE and fault.lasting
        hiding_since = world.ledger.traits.hiding_since
        steps.arm(number, fault)
        shown = world.scan()
        failed = steps.failed
        steps.arm(None, None)
        problem = "" if failed else "no step failed"
        if shown.summary not in (self.reference.old.summary, self.reference.new.summary):
            problem = problem or dishonesty(world, shown)
        problem = problem or self.problem_of_next(world, forgotten=forgotten)
        if hiding_since not in (None, world.ledger.traits.hiding_since) and not forgotten:
            problem = problem or "the listing is taken for one that hides uploads since another scan"
        if not fault.lasting and [*world.path.parent.glob(f"{world.path.name}.set-aside-*")]:
            problem = problem or "the file is set aside"
        world.close()
        return problem

    def problem_of_start(self, world: World, path: Path) -> str:
        """Return what is wrong with what a new process shows of a file, and with its first scan."""
        FailingConnection.steps.arm(None, None)
        world.path, moment = path, world.moment
        world.start()
        right = [_as_stored(each.summary) for each in self.reference[:3]]
        shown = world.shown().summary  # None: it is too old
        problem = "" if shown is None or _as_stored(shown) in right else "another result is shown"
        problem = problem or self.problem_of_next(world, forgotten=False)
        world.moment = moment
        world.close()
        return problem

    def problem_of_next(self, world: World, *, forgotten: bool) -> str:
        """Scan once more, and return what is wrong then."""
        shown = world.scan()
        if not shown.success:
            return "the next scan fails"
        if problem := dishonesty(world, shown, forgotten=forgotten):
            return f"next: {problem}"
        if shown.summary != self.reference.healed.summary and not forgotten:
            return f"next: {shown.summary} instead of {self.reference.healed.summary}"
        return "; ".join(inconsistencies(world, forgotten=forgotten))


def _as_stored(summary: Summary | None) -> Summary | None:
    return summary and replace(summary, age_bytes=(), unexamined=False)
