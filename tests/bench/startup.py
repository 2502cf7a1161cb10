"""What it takes to start: `mpu-exporter --help`, and `check` of a config of one target."""

from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh
from bench.builds import TODAY, Build, Builds
from bench.measure import Cost, Ratio, alternate, cpu_ratio, median
from bench.ours import target, write_config
from bench.verdict import Row, at_most, in_seconds, verdict

STARTS = 5
"""In each turn: one is too short to be measured well."""


def startup(rounds: int, builds: Builds) -> Row:
    """Compare the CPU of both with that of an older build."""
    with TemporaryDirectory() as folder:
        config = write_config(Path(folder), target("http://127.0.0.1:1", "media"))
        checked = _compare(rounds, builds, config, "check", f"--config.file={config}")
        helped = _compare(rounds, builds, config, "--help")
    checks = [
        at_most("times the older build's CPU: check", checked[0], 0.5),
        at_most("times the older build's CPU: --help", helped[0], 0.35),
    ]
    sides = {
        name: {"check": in_seconds(checked[side]), "help": in_seconds(helped[side])}
        for side, name in ((1, "ours"), (2, "baseline"))
    }
    return verdict(checks, **sides)


def _compare(rounds: int, builds: Builds, config: Path, *arguments: str) -> tuple[Ratio, Cost, Cost]:
    """Return the ratio of one start's CPU, ours to the older build's, and the costs of both."""
    output, older = config.with_name("output"), builds.older(TODAY)
    mine, before = alternate(
        rounds,
        lambda: _start(builds.present, output, arguments),
        lambda: _start(older, output, arguments),
    )
    return cpu_ratio(mine, before), median(mine), median(before)


def _start(build: Build, output: Path, arguments: tuple[str, ...]) -> Cost:
    command = build.program(*arguments)
    return median([fresh.run(command, output, fresh.ENVIRONMENT) for _ in range(STARTS)])
