"""Azure Blob Storage: a container listed, and its uncommitted blobs sized, against azure-storage-blob."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import fresh, nginx, plainblobs
from bench.blobpages import Container
from bench.builds import Builds
from bench.measure import alternate, cost, cpu_ratio, median, take_turns
from bench.ours import azure_target, calm, ours, write_config
from bench.scans import scan
from bench.verdict import Row, at_least, in_seconds, shown, verdict

CONTAINER = Container("media", 10_000, 3)


def azure_10000(rounds: int, builds: Builds) -> Row:
    """Compare scans of processes that run already, and then whole processes, start-up included."""
    with nginx.serving(CONTAINER) as server, TemporaryDirectory() as folder:
        target = azure_target(server.url, CONTAINER.name)
        azure = plainblobs.client(server.url, CONTAINER.name)
        with ours(Path(folder), target) as exporter:
            mine, plain = take_turns(
                rounds,
                lambda: cost(lambda: exporter.scan(CONTAINER), around=calm),
                lambda: cost(lambda: plainblobs.scan(azure, CONTAINER)),
            )
        config = write_config(server.folder, target)
        arguments = [server.url, CONTAINER.name, str(CONTAINER.blobs), str(CONTAINER.parts)]
        command, output = builds.present.script("plainblobs.py", *arguments), server.folder / "plain"
        whole, plain_whole = alternate(
            rounds,
            lambda: scan(builds.present, config, CONTAINER),
            partial(fresh.run, command, output, fresh.ENVIRONMENT),
        )
    checks = [
        at_least("times less CPU", plain.cpu / mine.cpu, 15),
        at_least("times faster", plain.wall / mine.wall, 15),
        at_least("times less CPU with start-up", cpu_ratio(plain_whole, whole), 5),
    ]
    sides = {"ours": shown(mine), "baseline": shown(plain)}
    processes = {"ours": in_seconds(median(whole)), "baseline": in_seconds(median(plain_whole))}
    return verdict(checks, **sides, with_start=processes)
