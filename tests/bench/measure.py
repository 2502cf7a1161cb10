"""What work costs, measured in turns: no machine is equally fast twice, so that only ratios count."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What one call costs: seconds of the clock, and seconds of CPU in all threads of the process."""

    wall: float
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Calls a second."""
        return 1 / self.wall


def cost(
    work: Callable[[], object],
    calls: int = 1,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Cost:
    """Return what each of the calls that `work` makes costs this process; it is done within `around`."""
    gc.collect()
    with around():
        started, cpu = time.perf_counter(), time.process_time()
        work()
        return Cost((time.perf_counter() - started) / calls, (time.process_time() - cpu) / calls)


def take_turns(
    rounds: int, *sides: Callable[[], Cost], between: Callable[[], object] = lambda: None
) -> list[Cost]:
    """Return each side's medians over the rounds; a first round warms up and does not count.

    `between` is done before each round, unmeasured.
    """
    taken: list[list[Cost]] = []
    for _ in range(rounds + 1):
        between()
        taken.append([side() for side in sides])
    return [median(costs) for costs in zip(*taken[1:], strict=True)]


def alternate(rounds: int, *sides: Callable[[], T]) -> list[tuple[T, ...]]:
    """Return each side's measurements of all rounds; the sides are measured in turns."""
    return list(zip(*([side() for side in sides] for _ in range(rounds)), strict=True))


@dataclass(frozen=True)
class Ratio:
    """A ratio that each round measured anew: the median of the rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """Return the ratio of two sides, measured in the same rounds."""
    each = [above / below for above, below in zip(over, under, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def cpu_ratio(over: Sequence[Cost], under: Sequence[Cost]) -> Ratio:
    """Return the ratio of what two sides took of the CPU."""
    return ratio([cost.cpu for cost in over], [cost.cpu for cost in under])


def wall_ratio(over: Sequence[Cost], under: Sequence[Cost]) -> Ratio:
    """Return the ratio of what two sides took of the clock."""
    return ratio([cost.wall for cost in over], [cost.wall for cost in under])


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of the clock and that of the CPU."""
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs), strict=True)))
