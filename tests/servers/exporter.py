"""The exporter itself as users run it: a process of its own with a config file, and its /metrics read."""

import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from prometheus_client.parser import text_string_to_metric_families

from servers import running, wait_until

SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
"""Of the stand-ins' only user; good for nothing else."""
Samples = dict[tuple[str, str], float]
"""Values by metric name and bucket."""


def target(name: str, url: str, *buckets: object, **settings: object) -> dict[str, object]:
    """Return a target of the config: buckets of a stand-in S3 server."""
    keys = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET_KEY}
    usual = {"store": "s3", "region": "eu-west-1", "addressing_style": "path", "credentials": keys}
    return {"name": name, "endpoint_url": url, "buckets": buckets, **usual, **settings}


@dataclass(frozen=True)
class Exporter:
    """A running exporter: where it serves, what it logged, and its process."""

    url: str
    log: Path
    process: Popen[bytes]

    def text(self, path: str = "/metrics") -> str:
        """Return what it answers."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def samples(self) -> Samples:
        """Return its samples that have a bucket, without further labels told apart."""
        return {
            (sample.name, sample.labels["bucket"]): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
            if "bucket" in sample.labels
        }

    def reason(self, bucket: str) -> str | None:
        """Return why the bucket's last scan failed, None where it did not."""
        found = re.search(
            rf'^mpu_scan_failing{{bucket="{re.escape(bucket)}",reason="(\w+)"', self.text(), re.MULTILINE
        )
        return found[1] if found else None

    def wait_tried(self, *buckets: str, seconds: float = 60) -> Samples:
        """Wait until a first scan of every bucket has ended, and return the samples."""

        def tried() -> bool:
            samples = self.samples()
            return all(("mpu_scan_success", bucket) in samples for bucket in buckets)

        wait_until("first scans", tried, seconds=seconds, log=self.log)
        return self.samples()


@contextmanager
def serving(
    folder: Path,
    config: Mapping[str, object],
    *flags: str,
    command: tuple[str, ...] = ("serve",),
    program: Sequence[str] = (sys.executable, "-m", "exporter"),
) -> Iterator[Exporter]:
    """Run `mpu-exporter serve` on a free port with this config while the block lasts."""
    file, log = folder / "config.yaml", folder / "exporter.log"
    file.write_text(json.dumps(config))  # JSON is YAML
    line = [
        *(*program, *command, f"--config.file={file}"),
        *("--web.listen-address=127.0.0.1:0", *flags),
    ]
    with running(line, log) as process:
        wait_until("exporter", lambda: "listening" in log.read_text() or process.poll() is not None, log=log)
        found = re.search(r"\bscheme\W+(https?)\W+port\W+(\d+)", log.read_text())
        assert found, log.read_text()
        yield Exporter(f"{found[1]}://127.0.0.1:{found[2]}", log, process)
        process.terminate()
        assert process.wait(10) == 0
