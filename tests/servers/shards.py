"""Several exporters that share one config's buckets, each a process that may be killed and started anew."""

import http.client
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from servers import free_port, running, wait_until
from servers.exporter import Exporter

STATE = (
    *("mpu_uploads_in_progress", "mpu_pending_bytes", "mpu_pending_parts"),
    *("mpu_stale_uploads", "mpu_stale_bytes", "mpu_empty_uploads"),
)
Values = dict[tuple[str, str, str], float]
"""What is known of buckets, by metric, target and bucket."""


def values(text: str) -> Values:
    """Return the values of an exposition."""
    return {
        (sample.name, sample.labels["target"], sample.labels["bucket"]): sample.value
        for family in text_string_to_metric_families(text)
        if family.name in STATE
        for sample in family.samples
    }


def merged(parts: list[Values]) -> Values:
    """Return the values of several processes as a query reads them: `max by (target, bucket)`."""
    keys = {key for part in parts for key in part}
    return {key: max(part[key] for part in parts if key in part) for key in keys}


def sums(found: Values) -> Counter[str]:
    """Return the sum over all buckets, by metric."""
    total: Counter[str] = Counter()
    for (name, *_), value in found.items():
        total[name] += int(value)
    return total


@dataclass
class Fleet:
    """Shards by ordinal; each keeps its port over restarts, and forgets all."""

    folder: Path
    config: Mapping[str, object]
    ports: list[int]
    running: dict[int, Exporter] = field(default_factory=dict)
    _stacks: dict[int, ExitStack] = field(default_factory=dict)

    def start(self, total: int, *ordinals: int) -> None:
        """Start shards as the pods of a StatefulSet are started, and wait until they are ready.

        On the main thread: they end with the thread that started them.
        """
        for ordinal in ordinals:
            self._launch(total, ordinal)
        for ordinal in ordinals:
            exporter = self.running[ordinal]
            wait_until(f"shard {ordinal}", partial(is_ready, exporter), seconds=120, log=exporter.log)

    def _launch(self, total: int, ordinal: int) -> None:
        file, log = self.folder / "config.yaml", self.folder / f"shard-{ordinal}.log"
        file.write_text(json.dumps(self.config))
        url = f"http://127.0.0.1:{self.ports[ordinal]}"
        command = [
            *("env", f"POD_NAME=mpu-exporter-{ordinal}"),
            *(sys.executable, "-m", "exporter", f"--config.file={file}", f"--shard.total={total}"),
            f"--web.listen-address={url.removeprefix('http://')}",
        ]
        stack = self._stacks[ordinal] = ExitStack()
        self.running[ordinal] = Exporter(url, log, stack.enter_context(running(command, log)))

    def kill(self, ordinal: int) -> None:
        """End a shard's process from one moment to the next."""
        self.running.pop(ordinal)
        self._stacks.pop(ordinal).close()

    def stop(self, ordinal: int) -> None:
        """End a shard's process as Kubernetes does."""
        process = self.running[ordinal].process
        process.terminate()
        assert process.wait(10) == 0
        self.kill(ordinal)

    def values(self) -> dict[int, Values]:
        """Return what each shard that answers shows."""
        found = {}
        for ordinal, exporter in sorted(self.running.items()):
            try:
                found[ordinal] = values(exporter.text())
            except (OSError, http.client.HTTPException):
                continue
        return found


def is_ready(exporter: Exporter) -> bool:
    """Whether it has tried all its buckets. One that has ended never will have."""
    assert exporter.process.poll() is None, exporter.log.read_text()
    try:
        return exporter.text("/-/ready") == "mpu-exporter is ready.\n"
    except OSError:
        return False


@contextmanager
def fleet(folder: Path, config: Mapping[str, object], most: int) -> Iterator[Fleet]:
    """Give room for so many shards; those that run are killed at the end."""
    made = Fleet(folder, config, [free_port() for _ in range(most)])
    try:
        yield made
    finally:
        for ordinal in list(made.running):
            made.kill(ordinal)


@contextmanager
def looking(at: Fleet) -> Iterator[list[Values]]:
    """Scrape all shards that answer, over and over, while the block lasts; yield what was seen each time."""
    seen: list[Values] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.05):
            seen.append(merged(list(at.values().values())))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
