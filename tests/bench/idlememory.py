"""What memory `serve` holds once the first scan of its only target is done."""

from pathlib import Path
from tempfile import TemporaryDirectory

from bench import nginx
from bench.builds import TODAY, Build, Builds
from bench.measure import alternate, ratio
from bench.ours import target
from bench.pages import Bucket
from bench.procfs import memory_mib
from bench.verdict import Row, at_most, median_figure, verdict
from servers.exporter import serving

BUCKET = Bucket("media", 1000, 3)


def idle_rss(rounds: int, builds: Builds) -> Row:
    """Compare a target with static keys and an endpoint with the same in an older build."""
    older = builds.older(TODAY)
    mine, before = alternate(rounds, lambda: _idle(builds.present), lambda: _idle(older))
    check = at_most("times the older build's memory", ratio(mine, before), 0.65)
    return verdict([check], ours={"mib": median_figure(mine)}, baseline={"mib": median_figure(before)})


def _idle(build: Build) -> float:
    """Return the MiB of a process that was started, has scanned, and was scraped."""
    with nginx.serving(BUCKET) as server, TemporaryDirectory() as folder:
        config = {"targets": [target(server.url, BUCKET.name, parts="remembered")]}
        with serving(Path(folder), config, program=build.program()) as exporter:
            exporter.wait_tried(BUCKET.name)
            return memory_mib(exporter.process.pid, "VmRSS")
