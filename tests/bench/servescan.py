"""A process that serves a config's buckets and scans another one when told.

`servescan.py CONFIG BIG_CONFIG UPLOADS`, the last what the big bucket holds. Prints the port, then a report
for every line it is told: `scan` begins to scan the big bucket, again and again, `stop` ends that, `report`
does neither.
"""

import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.ours import Ours, read_config, serve
from bench.pages import Bucket


class BucketScanner:
    """Scans of the big bucket, when told."""

    def __init__(self, config: Path, uploads: int) -> None:
        self._settings = read_config(config)
        self._bucket = Bucket(self._settings.targets[0].buckets[0].name, uploads, 3)
        self._exporter = Ours(self._settings)
        self._thread = threading.Thread()

    def obey(self, order: str) -> None:
        """Begin or end."""
        if order == "scan":
            self._exporter = Ours(self._settings)
            self._thread = threading.Thread(target=self._scan, daemon=True)
            self._thread.start()
        elif order == "stop" and self._thread.is_alive():
            self._exporter.stop()
            self._thread.join()

    def report(self) -> dict[str, float]:
        """Return the CPU that serving took so far, the requests of the scan, and the time."""
        requests = self._exporter.requests()
        return {"web_cpu": web_cpu(), "requests": requests, "time": time.perf_counter()}

    def _scan(self) -> None:
        with self._exporter as exporter:
            exporter.scan_on(self._bucket)


def web_cpu() -> float:
    """Return the CPU seconds of the web server's threads: its own, and those on which it renders."""
    web = [thread for thread in threading.enumerate() if thread.name.startswith(("web", "asyncio_"))]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) for thread in web)


def main(config: str, big_config: str, uploads: str) -> None:
    """Serve until there is nothing more to be told."""
    scans = BucketScanner(Path(big_config), int(uploads))
    say({"port": serve(read_config(Path(config)))})
    for line in sys.stdin:
        scans.obey(line.strip())
        say(scans.report())


def say(fields: dict[str, float]) -> None:
    """Print a line at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
