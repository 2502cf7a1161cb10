"""Memory over 10,000 names of buckets that come and go: `python tests/soak/gone_names.py`, a minute.

Writes the resident memory after each tenth of the names; from the second on it may grow by 2 MiB.
"""

import gc
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.comings import comings
from servers.exporter import SECRET_KEY

from exporter.config.credentials import Credentials, Secret
from exporter.scheduler.memory import system_trim

NAMES, PER_ROUND, ROUNDS_PER_LINE = 10_000, 50, 20
LIMIT_MIB = 2.0


def resident_mib() -> float:
    """Return what is resident after all that can be freed is."""
    gc.collect()
    system_trim()(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> int:
    """Print the figures; 1 where memory grew."""
    logging.disable()
    keys = Credentials(access_key_id=Secret("AKIAIOSFODNN7EXAMPLE"), secret_access_key=Secret(SECRET_KEY))
    found = []
    with comings(keys) as account:
        for number in range(NAMES // PER_ROUND):
            first = number * PER_ROUND
            account.round(
                [f"b-{name}{'-odd' if name % 2 else ''}" for name in range(first, first + PER_ROUND)]
            )
            if (number + 1) % ROUNDS_PER_LINE == 0:
                found.append(resident_mib())
                sys.stdout.write(f"{(number + 1) * PER_ROUND:6} names: {found[-1]:.2f} MiB\n")
    growth = found[-1] - found[1]
    sys.stdout.write(f"growth from the second line on: {growth:.2f} MiB (limit {LIMIT_MIB})\n")
    return growth > LIMIT_MIB


if __name__ == "__main__":
    sys.exit(main())
