"""A process that scans a config's bucket three times: `ledgeronce.py CONFIG UPLOADS PARTS NOW [STATE NAMES]`.

UPLOADS of so many PARTS is what it must find, the first time as if it were NOW (Unix seconds), then one
interval later each time; with a state file by what that remembers, and with `state.names: NAMES`. Prints
CPU, time and requests of the last scan, which is a steady one: whatever a process has to read or to learn
first, it has by then. Beside these the seconds of opening the file, and by how many MiB the memory grew over
what it was with all imports done.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measure import cost
from bench.ours import Ours, read_config
from bench.pages import Bucket
from bench.procfs import memory_mib
from bench.statefile import ledger_in
from bench.virtual import INTERVAL, Clock

from exporter.service import tune_garbage_collector
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import Clocks

SCANS = 3


def main(config: str, uploads: str, parts: str, now: str, *state: str) -> None:
    """Scan and print."""
    settings = read_config(Path(config))
    [[watched]] = [target.buckets for target in settings.targets]
    bucket, clock = Bucket(watched.name, int(uploads), int(parts)), Clock(float(now))
    tune_garbage_collector()
    before, began = memory_mib("self", "VmRSS"), time.perf_counter()
    opening = ledger_in(Path(state[0]), int(state[1])) if state else nullcontext(Ledger())
    with opening as ledger, Ours(settings, Clocks(wall=clock.read)) as exporter:
        opened = time.perf_counter()
        for _ in range(SCANS):
            asked = exporter.requests()
            last = cost(lambda: exporter.scan(bucket, ledger))
            clock.now += INTERVAL
        report = {
            "cpu_s": last.cpu,
            "wall_s": last.wall,
            "requests": exporter.requests() - asked,
            "open_s": opened - began,
            "grown_mib": memory_mib("self") - before,
        }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
