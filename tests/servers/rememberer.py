"""A process that does nothing but remember: `rememberer.py STATE`. It says on its output what has been kept.

Each round remembers more uploads of one bucket, and every tenth settles the result of a scan that saw those
of even number only. What was said is kept, whatever happens to the process next.
"""

import sys
import threading
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from exporter.model.results import ScanResult
from exporter.model.uploads import PartTotals, Upload
from exporter.scan.tally import Tally
from exporter.state.database import MAX_NAMES, BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows, UploadRecord

NAME = BucketName("prod", "s3", "https://s3.example.com", "-", "media")
START = 1_790_000_000.0
PER_ROUND = 50
NAMED = 1000
"""So many have names: both below and above it, the process is ended."""
ROUNDS_PER_SCAN = 10


@dataclass
class Memory:
    """The ledger of the one bucket."""

    state: StateDatabase

    def __post_init__(self) -> None:
        self.rows = LedgerRows(self.state, NAME)
        self.ledger = Ledger(self.rows)


def upload(number: int) -> Upload:
    return Upload(f"a key that nobody may read/{number}", f"an id that nobody may read {number}", START)


def totals(number: int) -> PartTotals:
    return PartTotals(number % 7, number * 1000, START + number, abort_at=START + 7 * 86400 + number)


def remember(memory: Memory, numbers: range) -> None:
    uploads = [upload(number) for number in numbers]
    for number, each, (row_id, record) in zip(numbers, uploads, memory.ledger.look_up(uploads), strict=True):
        memory.ledger.record_parts(row_id, each, totals(number), START + number, record)


def settle(memory: Memory, uploads: int) -> bool:
    """End a scan that saw all uploads up to this one whose number is even."""
    memory.ledger.begin()
    for start in range(0, uploads, 1000):
        memory.ledger.look_up([upload(number) for number in range(start, min(start + 1000, uploads), 2)])
    tally = Tally(now=START, stale_after=1.0, ages=(), with_parts=True)
    for _ in range(uploads):
        tally.add_unsized(upload(0))
    return memory.ledger.commit(ScanResult(tally.summary(), START + uploads, 1.0))


def opened(path: Path, max_names: int = MAX_NAMES) -> Memory:
    state = StateDatabase(path, max_names=max_names)
    assert state.open(threading.Event(), wait=10.0)
    return Memory(state)


def kept(memory: Memory, numbers: range) -> list[UploadRecord | None]:
    return [record for _, record in memory.ledger.look_up([upload(number) for number in numbers])]


def known_names(memory: Memory) -> dict[int, Upload | None]:
    """Return the name of each upload that is remembered, by its row id."""
    memory.ledger.begin()
    memory.ledger.look_up([])
    known = {each.row_id: each.upload for batch in memory.ledger.missing() for each in batch}
    memory.ledger.begin()
    return known


def say(what: str, uploads: int) -> None:
    sys.stdout.write(f"{what} {uploads}\n")
    sys.stdout.flush()


def main(path: str) -> None:
    """Go on where the process before was ended."""
    memory = opened(Path(path), NAMED)
    done = memory.ledger.result.summary.uploads if memory.ledger.result else 0
    say("open", done)
    for number in range(done // PER_ROUND, sys.maxsize):
        remember(memory, range(number * PER_ROUND, (number + 1) * PER_ROUND))
        if memory.rows.flush():
            say("kept", (number + 1) * PER_ROUND)
        if number % ROUNDS_PER_SCAN == ROUNDS_PER_SCAN - 1:
            say("settled" if settle(memory, (number + 1) * PER_ROUND) else "full", (number + 1) * PER_ROUND)


if __name__ == "__main__":
    main(*sys.argv[1:])
