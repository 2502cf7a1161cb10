"""The campaign against memory, connections, the log and names that are gone: a table of figures.

`python tests/soak/campaign.py [--against COMMIT] [WORD ...]` measures this build, and with --against an older
one beside it; with words, only the rows whose names hold one of them. What a row has at most is the limit of
its first figure, for this build. With two builds all of it takes an hour and a half.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import hostile
from bench.builds import Build, Builds
from soak import gone_names
from soak.clients import mistakes
from soak.clients.run import rows as client_rows

Figures = Mapping[str, object]
SCRAPE_SECONDS = 1.0
LOG_BYTES = 20 * 1024


@dataclass(frozen=True)
class Row:
    """What is measured of a build, in a folder of its own; the first figure is to be `most` at most."""

    name: str
    most: float
    measure: Callable[[Path, Build], Figures]


def rows(names: int, times: int) -> Iterator[Row]:
    """Yield all rows: `names` that come and go of each kind, `times` of each mistake."""
    for attack in (*hostile.ATTACKS, *hostile.ONE_PAGE):
        yield Row(f"memory: {attack}", hostile.LIMIT_MIB, partial(_memory, attack))
    for name, measure in client_rows(times):
        shown, most = (IDLE_FIGURES, SCRAPE_SECONDS) if name.startswith("idle") else (LOG_FIGURES, LOG_BYTES)
        yield Row(f"connections: {name}", most, partial(_chosen, shown, measure))
    for kind in gone_names.KINDS:
        yield Row(f"names: {names:,} {kind}", gone_names.LIMIT_MIB, partial(_names, kind, names))


IDLE_FIGURES = ("slowest s", "without an answer", "RSS MiB more", "log bytes")
LOG_FIGURES = ("log bytes", "tracebacks")
_idle_mib = cache(hostile.idle_mib)


def _memory(attack: str, _: Path, build: Build) -> Figures:
    peak = hostile.scan_once(build, attack)
    over = {"MiB over idle": round(peak.mib - _idle_mib(build), 1), "s": round(peak.seconds, 1)}
    return over if peak.ended else over | {"not ended": 1}


def _chosen(
    shown: tuple[str, ...], measure: Callable[[Path, Build], Figures], folder: Path, build: Build
) -> Figures:
    figures = measure(folder, build)
    return {name: figures[name] for name in shown}


def _names(kind: str, names: int, _: Path, build: Build) -> Figures:
    found = gone_names.measure(build, kind, names)
    return {"MiB more": round(gone_names.growth(found), 2), "MiB": round(found[-1], 1)}


def main() -> int:
    """Print the table; 1 where this build exceeds a limit, or cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--against", metavar="COMMIT", help="the older build")
    parser.add_argument(
        "--names", type=int, default=gone_names.NAMES, help="of each kind, a multiple of 1,000"
    )
    parser.add_argument("--times", type=int, default=mistakes.TIMES, help="of each mistake")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        builds = Builds(Path(folder), options.against)
        sides = {"this build": builds.present}
        if options.against:
            sides[options.against] = builds.older(options.against)
        _print("row", "at most", *sides)
        _print(*["---"] * (2 + len(sides)))
        chosen = [row for row in rows(options.names, options.times) if _is_chosen(row.name, options.words)]
        fine = [_measure(row, Path(folder) / f"row-{number}", sides) for number, row in enumerate(chosen)]
    return 0 if all(fine) else 1


def _is_chosen(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


def _measure(row: Row, folder: Path, sides: Mapping[str, Build]) -> bool:
    """Measure all builds and print their figures; return whether the first one keeps to the limit."""
    cells, found = [], []
    for number, build in enumerate(sides.values()):
        try:
            figures = row.measure(folder / str(number), build)
        except Exception as error:  # noqa: BLE001 - a build that ends under an attack is a figure, too
            figures = {f"{type(error).__name__}: {str(error).splitlines()[0]}": float("inf")}
        found.append(float(str(next(iter(figures.values())))))
        cells.append(", ".join(f"{value} {name}" for name, value in figures.items()))
    _print(row.name, f"{row.most:g}", *cells)
    return found[0] <= row.most


def _print(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
