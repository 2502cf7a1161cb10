"""What each command loads when it starts, in milliseconds by package, as `python -X importtime` tells it."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh, nginx
from bench.builds import TODAY, Build, Builds
from bench.measure import alternate
from bench.ours import target, write_config
from bench.pages import Bucket
from bench.verdict import Row, figure, verdict
from servers.exporter import serving

BUCKET = Bucket("media", 1, 1)
_LINE = re.compile(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)
_COMMANDS = {"help": ("--help",), "check": ("check",), "scan": ("scan",)}


def imports(rounds: int, builds: Builds) -> Row:
    """Show the budget of this build and of an older one: of `--help`, `check`, `scan` and `serve`."""
    older = builds.older(TODAY)
    with nginx.serving(BUCKET) as server:
        write_config(server.folder, target(server.url, BUCKET.name))
        mine, before = alternate(
            rounds, lambda: _budgets(builds.present, server), lambda: _budgets(older, server)
        )
    return verdict([], ours=_least(mine), baseline=_least(before))


def _budgets(build: Build, server: nginx.Nginx) -> dict[str, Counter[str]]:
    output = server.folder / "output"
    config = f"--config.file={server.folder / 'config.yaml'}"
    budgets = {}
    for name, arguments in _COMMANDS.items():
        flags = () if name == "help" else (config,)
        command = build.program(*arguments, *flags)
        fresh.run([command[0], "-X", "importtime", *command[1:]], output, fresh.ENVIRONMENT, errors=True)
        budgets[name] = _by_package(output.read_text(encoding="utf-8"))
    program = build.program()
    with TemporaryDirectory() as name, _served(Path(name), server, program) as log:
        budgets["serve"] = _by_package(log.read_text(encoding="utf-8"))
    return budgets


@contextmanager
def _served(folder: Path, server: nginx.Nginx, program: list[str]) -> Iterator[Path]:
    """Run `serve` until its first scan is done; what it has written by then is in the file."""
    config = {"targets": [target(server.url, BUCKET.name)]}
    with serving(folder, config, program=[program[0], "-X", "importtime", *program[1:]]) as exporter:
        exporter.wait_tried(BUCKET.name)
        yield exporter.log


def _by_package(said: str) -> Counter[str]:
    """Return milliseconds by top-level package; those of the standard library together."""
    taken: Counter[str] = Counter()
    for microseconds, module in _LINE.findall(said):
        package = module.partition(".")[0]
        group = "standard library" if package in sys.stdlib_module_names else package
        taken[group] += int(microseconds) / 1000
        taken["all"] += int(microseconds) / 1000
    return taken


def _least(rounds: tuple[dict[str, Counter[str]], ...]) -> dict[str, dict[str, float]]:
    """Return the least of the rounds, since other work only adds, of packages that take a millisecond."""
    found = {}
    for command in rounds[0]:
        packages = sorted({package for budgets in rounds for package in budgets[command]})
        least = ((name, figure(min(each[command][name] for each in rounds))) for name in packages)
        found[command] = {name: ms for name, ms in least if ms >= 1}
    return found
