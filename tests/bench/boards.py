"""A board of 2,000 buckets, drawn by chance, the same in every process."""

import random

from exporter.model.results import ScanResult, Summary
from exporter.state.board import Board, Entry

TARGETS, BUCKETS = 20, 100
"""So many targets, each of so many buckets."""
NOW = 1_790_000_000.0


def bucket_name(target: int, bucket: int) -> str:
    """Return the name of a bucket, given its number and that of its target."""
    return f"company-team-{target:02}-data-{bucket:03}"


class FilledBoard:
    """A board on which every bucket was scanned."""

    def __init__(self, ages: tuple[float, ...]) -> None:
        """Fill it; `ages` are the histogram's bounds."""
        self.board = Board()
        self._ages = ages
        self._chance = random.Random(7)
        self.board.declare(
            Entry(f"prod-{target:02}", bucket_name(target, bucket), "s3", 86400.0, ages)
            for target in range(TARGETS)
            for bucket in range(BUCKETS)
        )
        self._keys = [(entry.target, entry.bucket) for entry in self.board.entries()]
        self.scan(1.0)

    def scan(self, share: float) -> None:
        """Publish other results for a share of the buckets."""
        for key in self._chance.sample(self._keys, round(len(self._keys) * share)):
            self.board.publish(key, ScanResult(self._summary(), NOW, self._chance.uniform(0.1, 60)))

    def _summary(self) -> Summary:
        chance = self._chance
        uploads = int(chance.paretovariate(0.6))
        cuts = sorted(chance.randint(0, uploads) for _ in self._ages)
        size = uploads * chance.randint(1, 100) * 8 * 1024 * 1024
        infrequent = size // 3 if chance.random() < 0.5 else 0
        classes = [("STANDARD", size - infrequent), *([("STANDARD_IA", infrequent)] if infrequent else [])]
        return Summary(
            uploads=uploads,
            undated=0,
            unsized=0,
            empty=uploads // 10,
            parts=uploads * 20,
            bytes=size,
            stale=cuts[0],
            stale_bytes=size // 2,
            oldest_initiated=NOW - chance.uniform(0, 1e7),
            oldest_activity=NOW - chance.uniform(0, 1e7),
            age_counts=(*cuts, uploads),
            age_sum=uploads * chance.uniform(0, 1e6),
            bytes_by_class=tuple(classes),
            parts_known=True,
        )
