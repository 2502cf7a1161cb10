"""A process that scans a config's bucket once: `scanonce.py CONFIG UPLOADS`, the latter what it must find.

Prints the seconds of the scan, and by how many MiB its memory grew over what it was with all imports done.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.ours import Ours, read_config
from bench.pages import Bucket
from bench.procfs import memory_mib


def main(config: str, uploads: str) -> None:
    """Scan and print."""
    settings = read_config(Path(config))
    [[bucket]] = [target.buckets for target in settings.targets]
    before, started = memory_mib("self", "VmRSS"), time.perf_counter()
    with Ours(settings) as exporter:
        exporter.scan(Bucket(bucket.name, int(uploads)))
    seconds = time.perf_counter() - started
    json.dump({"seconds": seconds, "grown_mib": memory_mib("self") - before}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
