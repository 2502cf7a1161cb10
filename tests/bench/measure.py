"""What work costs, measured in turns: no machine is equally fast twice, so that only ratios count."""

import gc
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass


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


def median(costs: tuple[Cost, ...]) -> Cost:
    """Return the median of the clock and that of the CPU."""
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs), strict=True)))
