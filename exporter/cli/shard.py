"""Flags and environment in, the shard that this process is out."""

from __future__ import annotations

import re

from exporter.cli.errors import UsageError
from exporter.config.sharding import Shard

MOST_SHARDS = 1000
"""More are a slip of the pen, and each costs time for each bucket."""
_ORDINAL = re.compile("-([0-9]{1,9})$")


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
