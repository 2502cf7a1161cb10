"""One row as it is printed: figures, and what is demanded of them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.measure import Cost, Ratio

Row = dict[str, object]
SERVER_MARGIN = 3.0
"""So many times faster than the fastest client has a server to be: else it is the server that is measured."""


@dataclass(frozen=True)
class Check:
    """A figure and its limit: `bound` is "at least" or "at most". Of a ratio, the median counts."""

    what: str
    found: float | Ratio
    bound: str
    limit: float

    @property
    def value(self) -> float:
        """The figure."""
        return self.found.median if isinstance(self.found, Ratio) else self.found

    @property
    def ok(self) -> bool:
        """Whether the figure keeps to its limit."""
        return self.value >= self.limit if self.bound == "at least" else self.value <= self.limit

    def row(self) -> Row:
        """Return the check as it is printed."""
        spread = (
            {"min": figure(self.found.least), "max": figure(self.found.greatest)}
            if isinstance(self.found, Ratio)
            else {}
        )
        said = {"what": self.what, "is": figure(self.value)} | spread
        return said | {self.bound: figure(self.limit), "ok": self.ok}


def at_least(what: str, value: float | Ratio, limit: float) -> Check:
    """Demand that much or more."""
    return Check(what, value, "at least", limit)


def at_most(what: str, value: float | Ratio, limit: float) -> Check:
    """Demand that much or less."""
    return Check(what, value, "at most", limit)


def verdict(checks: Iterable[Check], **figures: object) -> Row:
    """Return the row: it is ok where every check is."""
    checks = list(checks)
    return {
        "ok": all(check.ok for check in checks),
        "checks": [check.row() for check in checks],
        **figures,
    }


def against_server(
    checks: Iterable[Check], ours: Cost, baseline: Cost, server: Cost, **figures: object
) -> Row:
    """Return the row of two clients of a canned server, which has to be no bottleneck."""
    what = "times the server is faster than the fastest client"
    no_bottleneck = at_least(what, server.rate / max(ours.rate, baseline.rate), SERVER_MARGIN)
    sides = {"ours": shown(ours), "baseline": shown(baseline), "server_per_s": figure(server.rate)}
    return verdict([*checks, no_bottleneck], **sides, **figures)


def shown(cost: Cost) -> Row:
    """Return what a call costs in milliseconds, and how many were made a second."""
    return {"cpu_ms": figure(cost.cpu * 1e3), "wall_ms": figure(cost.wall * 1e3), "per_s": figure(cost.rate)}


def in_seconds(cost: Cost) -> Row:
    """Return what a whole process took."""
    return {"cpu_s": figure(cost.cpu), "wall_s": figure(cost.wall)}


def median_figure(values: Sequence[float]) -> float:
    """Return the median of the rounds."""
    return figure(statistics.median(values))


def figure(value: float) -> float:
    """Return a figure with the digits that mean something."""
    return float(f"{value:.3g}")
