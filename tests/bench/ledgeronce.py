"""A process that scans a config's bucket once: `ledgeronce.py CONFIG UPLOADS PARTS [STATE NOW NAMES]`.

UPLOADS of so many PARTS is what it must find; with a state file, by what that remembers, as if it were NOW
(Unix seconds), and with `state.names: NAMES`. Prints the seconds of opening the file and of the scan, the
requests that this took, and by how many MiB the memory grew over what it was with all imports done.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.ours import Ours, read_config
from bench.pages import Bucket
from bench.procfs import memory_mib
from bench.statefile import ledger_in

from exporter.service import tune_garbage_collector
from exporter.stores.engine.store_client import Clocks


def main(config: str, uploads: str, parts: str, *state: str) -> None:
    """Scan and print."""
    settings = read_config(Path(config))
    [[bucket]] = [target.buckets for target in settings.targets]
    file, now, max_names = state or ("", "0", "0")
    clocks = Clocks(wall=lambda: float(now)) if file else None
    tune_garbage_collector()
    before, began = memory_mib("self", "VmRSS"), time.perf_counter()
    opening = ledger_in(Path(file), int(max_names)) if file else nullcontext()
    with opening as ledger, Ours(settings, clocks) as exporter:
        opened = time.perf_counter()
        exporter.scan(Bucket(bucket.name, int(uploads), int(parts)), ledger)
        report = {
            "seconds": time.perf_counter() - opened,
            "open_s": opened - began,
            "grown_mib": memory_mib("self") - before,
            "requests": exporter.requests(),
        }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
