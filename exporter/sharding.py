"""Which of several processes watches a bucket: target and bucket in, one shard out, for all the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from exporter.choice import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.settings import BucketSettings, TargetSettings

MOST_SHARDS = 1000
"""More are a slip of the pen, and each costs time for each bucket."""
_ORDINAL = re.compile("-([0-9]{1,9})$")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `total` processes that share the buckets, the `ordinal`-th counted from 0."""

    total: int = 1
    ordinal: int = 0

    def has(self, target: str, bucket: str) -> bool:
        """Whether the bucket is this shard's. Of all shards of one `total` exactly one says yes."""
        return self.total == 1 or self.ordinal == _owner(self.total, target, bucket)

    def share(self, target: str, buckets: Sequence[BucketSettings]) -> tuple[BucketSettings, ...]:
        """Return those of a target's buckets that are this shard's."""
        return tuple(bucket for bucket in buckets if self.has(target, bucket.name))

    def part(self, target: TargetSettings) -> TargetSettings:
        """Return the target with those of its listed buckets that are this shard's."""
        return replace(target, buckets=self.share(target.name, target.buckets))


ALONE = Shard()
"""The only one: every bucket is its own."""


def _owner(total: int, target: str, bucket: str) -> int:
    """Return the ordinal with the highest score: one ordinal more takes buckets, and moves no other.

    Neither the scores nor what they are made of may ever change: every bucket would move.
    """

    def score(ordinal: int) -> bytes:
        name = f"{ordinal}\0{target}\0{bucket}".encode(errors="surrogatepass")
        return blake2b(name, digest_size=8).digest()

    return max(range(total), key=score)


def choose_shard(total: int, ordinal: int | None, pod_name: str, host_name: str) -> Shard:
    """Return which shard this process is; without an `ordinal`, the number at the end of its pod's name.

    That is `pod_name`, or where it is empty the `host_name`. Raises UsageError.
    """
    if not 1 <= total <= MOST_SHARDS:
        raise UsageError(f"--shard.total: must be 1 to {MOST_SHARDS}, not {total}")
    source = "--shard.ordinal"
    if ordinal is None and total > 1:
        source, name = ("$POD_NAME", pod_name) if pod_name else ("the host name", host_name.partition(".")[0])
        source = f"{source} {name!r}"
        ordinal = _last_number(name, source)
    ordinal = ordinal or 0
    if ordinal >= total:
        raise UsageError(
            f"{source}: {ordinal} has to be less than --shard.total, which is {total}: shards count from 0, "
            "also those of a StatefulSet (no .spec.ordinals.start)"
        )
    return Shard(total, ordinal)


def _last_number(name: str, source: str) -> int:
    found = _ORDINAL.search(name)
    if not found:
        raise UsageError(
            f"{source}: does not end with - and a number, as the names of a StatefulSet's pods do: "
            "say with --shard.ordinal which shard this is, 0 for the first"
        )
    return int(found[1])
