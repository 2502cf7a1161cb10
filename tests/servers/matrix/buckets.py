"""What the buckets of the matrix hold: made once on each server, and at rest while the exporter looks."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from servers.matrix.declaration import KEYS, Server
from servers.matrix.record import Made, Record
from servers.sender import RefusedError

SEED = 15
AGAIN = "another size for a part"
PREFIXES = ("a/", "none/", "a/1", "ab")
"""Matches some, none, a key itself among longer ones, a key itself."""
_PREFIX_KEYS = ("a/1", "a/1", "a/10", "a/2", "ab", "b/1", "b/a/1", "c")
_MORE_THAN_A_PAGE = 50


@dataclass
class Buckets:
    """The buckets by group, and what became of the odd keys."""

    names: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """By upload id: the key by which the server has to list it."""
    refused: dict[str, str] = field(default_factory=dict)
    """By the name of an odd key, and AGAIN: the answer of the server that would not take it."""


def fill(server: Server, record: Record) -> Buckets:
    """Make all buckets at rest but the large one."""
    buckets = Buckets()
    began = time.monotonic()
    again = _resent(record, _bucket(buckets, record, "re-sent part"))
    for group, keys in KEYS.items():
        _odd(server, record, buckets, group, keys)
    _bucket(buckets, record, "empty")
    _plain(record, _bucket(buckets, record, "plain"))
    record.create_all(_bucket(buckets, record, "prefix"), [(key, {1: 7}) for key in _PREFIX_KEYS])
    time.sleep(max(0.0, began + 1.1 - time.monotonic()))  # dates of parts may be whole seconds
    for made, size in again:
        try:
            record.put(made, 1, size)
        except RefusedError as error:
            buckets.refused[AGAIN] = str(error)
    for bucket in buckets.names.values():
        for made in record.of(bucket):
            buckets.keys.setdefault(made.upload_id, made.key)
    return buckets


def fill_many(server: Server, record: Record) -> str:
    """Make a bucket of more uploads than the server lists in one page; return its name."""
    bucket, count = record.bucket(), server.own_page + _MORE_THAN_A_PAGE
    record.create_all(bucket, [(f"many/{n // 3:05}", {}) for n in range(count)])
    return bucket


def fill_moving(record: Record) -> str:
    """Make a bucket of uploads, some of one key, that will change while it is listed; return its name."""
    bucket = record.bucket()
    record.create_all(bucket, [(f"moving/{n // 2:02}", {1: n + 1}) for n in range(20)])
    return bucket


def _bucket(buckets: Buckets, record: Record, group: str) -> str:
    buckets.names[group] = record.bucket()
    return buckets.names[group]


def _odd(server: Server, record: Record, buckets: Buckets, group: str, keys: Mapping[str, str]) -> None:
    bucket = _bucket(buckets, record, group)
    record.create(bucket, "0-before", {1: 1_000})
    for number, (name, key) in enumerate(keys.items()):
        try:
            made = record.create(bucket, key, {1: 10 + number, 2: 5})
        except RefusedError as error:
            buckets.refused[name] = str(error)
            for begun in record.of(bucket):  # begun, and no part of it taken
                if begun.key == key:
                    record.drop(begun)
            continue
        buckets.keys[made.upload_id] = server.key(name, key)
    record.create(bucket, "~after", {1: 2_000})


def _plain(record: Record, bucket: str) -> None:
    """Make uploads of several keys, up to five of one key, with 0 to 4 parts whose numbers have gaps."""
    pick = random.Random(SEED)
    keys = [f"plain/{n}" for n in (*range(9), 10) for _ in range(1 + n % 5)]  # 10 begins with 1
    sizes = [
        {number: pick.randrange(1, 400) for number in pick.sample(range(1, 9_999), n % 5)}
        for n in range(len(keys))
    ]
    made = record.create_all(bucket, zip(keys, sizes, strict=True))
    for upload in pick.sample(made, 3):
        record.abort(upload)
    record.complete(record.create(bucket, "completed", {1: 12}))


def _resent(record: Record, bucket: str) -> list[tuple[Made, int]]:
    """Begin uploads whose first part is to be sent again, with the size that it has then."""
    sizes = {"grows": (50, 7_000), "shrinks": (7_000, 50), "stays": (60, 60)}
    record.create(bucket, "once", {1: 3, 2: 4})
    return [(record.create(bucket, key, {1: first, 2: 9}), then) for key, (first, then) in sizes.items()]
