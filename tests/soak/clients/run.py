"""Idle connections and clients' mistakes, by the thousand.

`tests/soak/clients/run.py [--against COMMIT] [ROW …]` prints a line of figures for each row, of
this build and, with --against, of an older one.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.builds import Build, Builds
from soak.clients import idle, mistakes
from soak.clients.served import attacked

Row = Callable[[Path, Build], dict[str, object]]
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
    with tempfile.TemporaryDirectory() as folder:
        builds = Builds(Path(folder), options.against)
        named = {"this build": builds.present}
        if options.against:
            named[options.against] = builds.older(options.against)
        for number, (name, row) in enumerate(_rows(options.times)):
            if options.words and not any(word in name for word in options.words):
                continue
            for label, build in named.items():
                figures = row(Path(folder) / f"row-{number}-{label.replace(' ', '-')}", build)
                print(f"{name} | {label} | {json.dumps(figures)}", flush=True)  # noqa: T201


def _rows(times: int) -> Iterator[tuple[str, Row]]:
    for tls in (False, True):
        for files in (DEFAULT_FILES, FEW_FILES):
            for crowd in idle.CROWDS[tls]:
                name = f"idle, {'TLS' if tls else 'plain'}, {crowd.name}, files {files[0]}:{files[1]}"
                yield name, _idle(files, crowd, tls=tls)
    for mistake in mistakes.MISTAKES:
        yield f"mistake: {mistake.name}", _mistake(mistake, times)


def _idle(files: tuple[int, int], crowd: idle.Crowd, *, tls: bool) -> Row:
    def row(folder: Path, build: Build) -> dict[str, object]:
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
