"""Flags, pod name and host name in; the shard of this process out."""

from __future__ import annotations

import re

from exporter.cli.errors import UsageError
from exporter.config.sharding import Shard

MAX_SHARDS = 1000
"""Maximum number of shards: more is a typing error, and each costs time per bucket."""
_ORDINAL = re.compile("-([0-9]{1,9})$")


def choose_shard(total: int, ordinal: int | None, pod_name: str, host_name: str) -> Shard:
    """Return the shard of this process; without an `ordinal`, the number at the end of its pod's name.

    The pod's name is `pod_name`, or `host_name` if that is empty. Raises UsageError.
    """
    if not 1 <= total <= MAX_SHARDS:
        raise UsageError(f"--shard.total: must be 1 to {MAX_SHARDS}, not {total}")
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
