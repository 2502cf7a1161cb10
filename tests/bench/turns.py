"""Two ways to do the same thing, measured in turns: medians of the CPU time of this process."""

import gc
import statistics
import time
from collections.abc import Callable

ROUNDS = 9


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the milliseconds of CPU that a call takes, in all threads of this process."""
    gc.collect()
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def take_turns(
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    between: Callable[[], object] = lambda: None,
    rounds: int = ROUNDS,
) -> dict[str, object]:
    """Return the medians of both and their ratio; `between` is done before each round, unmeasured."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        between()
        times.append((cpu_ms(ours), cpu_ms(baseline)))
    ours_ms, baseline_ms = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return {
        "ours_ms": round(ours_ms, 3),
        "baseline_ms": round(baseline_ms, 3),
        "ratio": round(baseline_ms / ours_ms, 1),
        "rounds": rounds,
    }
