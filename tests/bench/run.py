"""Benchmarks: `python tests/bench/run.py [ROW ...]` prints one line of JSON per row, all rows by default.

Times are CPU times of this process, measured against a baseline in the same run: the two take turns, and
the medians of the rounds are compared. Only ratios carry over from one machine to another.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.listparts import listparts_cpu
from bench.scrape import scrape_2000_buckets

ROWS: dict[str, Callable[[], dict[str, object]]] = {
    "scrape-2000-buckets": scrape_2000_buckets,
    "listparts-cpu": listparts_cpu,
}


def main(names: list[str]) -> int:
    """Run the rows named; 1 where one is over its limit, 2 where one does not exist."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.stderr.write(f"no such row: {', '.join(unknown)}; there are: {', '.join(ROWS)}\n")
        return 2
    fine = True
    for name in names or ROWS:
        fields = {"row": name, **ROWS[name]()}
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()
        fine = fine and bool(fields.get("ok", True))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
