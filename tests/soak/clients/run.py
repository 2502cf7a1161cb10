"""Idle connections and clients' mistakes, by the thousand.

`tests/soak/clients/run.py [--against COMMIT] [ROW …]` prints a line of figures for each row, of this build
and, with --against, of an older one; at the end all of them as tables, both builds beside each other.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.builds import Build, Builds
from soak.clients import idle, mistakes
from soak.clients.served import attacked

Figures = dict[str, object]
Row = Callable[[Path, Build], Figures]
"""Measures a build in a folder of its own; returns the figures."""
DEFAULT_FILES = (1024, 20_000)
"""The soft and the hard limit of open files; the soft one is what Linux gives by default."""
FEW_FILES = (1024, 1024)


def main() -> None:
    """Run the rows whose names hold one of the words; all of them without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="ROW")
    parser.add_argument("--against", metavar="COMMIT", help="the older build")
    parser.add_argument("--times", type=int, default=mistakes.TIMES, help="of each mistake")
    options = parser.parse_args()
    measured: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        builds = Builds(Path(folder), options.against)
        compared = [builds.present, *([builds.older(options.against)] if options.against else [])]
        for number, (name, row) in enumerate(rows(options.times)):
            if not options.words or any(word in name for word in options.words):
                measured[name] = []
                for place, build in enumerate(compared):
                    figures = row(Path(folder) / f"row-{number}-{place}", build)
                    figures["load"] = round(os.getloadavg()[0], 1)
                    measured[name].append(figures)
                    label = options.against if place else "this build"
                    print(f"{name} | {label} | {json.dumps(figures)}", flush=True)  # noqa: T201
    print(_tables(measured, ["this build", *([options.against] if options.against else [])]))  # noqa: T201


def _tables(measured: dict[str, list[Figures]], labels: list[str]) -> str:
    """Return a table of the rows of each kind; each cell has a figure of every build."""
    tables: dict[tuple[str, ...], list[str]] = {}
    for name, builds in measured.items():
        cells = [" / ".join(str(figures[key]) for figures in builds) for key in builds[0]]
        tables.setdefault(tuple(builds[0]), []).append(" | ".join(["", name, *cells, ""]).strip())
    return "\n".join(
        f"\n| {' / '.join(labels)} | {' | '.join(keys)} |\n{'|---' * (len(keys) + 1)}|\n" + "\n".join(lines)
        for keys, lines in tables.items()
    )


def rows(times: int) -> Iterator[tuple[str, Row]]:
    for tls in (False, True):
        for files in (DEFAULT_FILES, FEW_FILES):
            for crowd in idle.CROWDS[tls]:
                name = f"idle, {'TLS' if tls else 'plain'}, {crowd.name}, files {files[0]}:{files[1]}"
                yield name, _idle(files, crowd, tls=tls)
    for mistake in mistakes.MISTAKES:
        yield f"mistake: {mistake.name}", _mistake(mistake, times)


def _idle(files: tuple[int, int], crowd: idle.Crowd, *, tls: bool) -> Row:
    def row(folder: Path, build: Build) -> Figures:
        with attacked(folder, build, files, tls=tls) as served:
            return idle.measure(served, crowd)

    return row


def _mistake(mistake: mistakes.Mistake, times: int) -> Row:
    def row(folder: Path, build: Build) -> dict[str, object]:
        how = {"tls": mistake.tls, "passwords": mistake.passwords, "level": mistake.level}
        with attacked(folder, build, DEFAULT_FILES, **how) as served:
            return mistakes.measure(served, mistake, times)

    return row


if __name__ == "__main__":
    main()
