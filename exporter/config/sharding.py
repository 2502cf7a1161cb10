"""Which of several processes watches a bucket: target and bucket in, one shard out, for all the same."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.settings import BucketSettings, TargetSettings


class Shard(NamedTuple):
    """One of `total` processes that share the buckets, the `ordinal`-th counted from 0."""

    total: int = 1
    ordinal: int = 0

    def owns(self, target: str, bucket: str) -> bool:
        """Whether the bucket is this shard's. Of all shards of one `total` exactly one says yes."""
        return self.total == 1 or self.ordinal == _owning_ordinal(self.total, target, bucket)

    def own_buckets(self, target: str, buckets: Sequence[BucketSettings]) -> tuple[BucketSettings, ...]:
        """Return those of a target's buckets that are this shard's."""
        return tuple(bucket for bucket in buckets if self.owns(target, bucket.name))

    def own_part(self, target: TargetSettings) -> TargetSettings:
        """Return the target with those of its listed buckets that are this shard's."""
        return replace(target, buckets=self.own_buckets(target.name, target.buckets))


UNSHARDED = Shard()
"""The shard of a process that has all buckets."""


def _owning_ordinal(total: int, target: str, bucket: str) -> int:
    """Return the ordinal with the highest score (rendezvous hashing).

    A new shard takes over some buckets; no bucket moves between the other shards.

    Neither the scores nor what they are made of may ever change: every bucket would move.
    """

    def score(ordinal: int) -> bytes:
        name = f"{ordinal}\0{target}\0{bucket}".encode(errors="surrogatepass")
        return blake2b(name, digest_size=8).digest()

    return max(range(total), key=score)
