"""Notes of a probe: what is particular to the server that answered, and to numbers that come from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from exporter.config.advice import endpoint_advice
from exporter.model.errors import StoreError
from exporter.stores.not_listed import NOT_LISTED
from exporter.text.humanize import human_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.stores.pagination.listing import Task

T = TypeVar("T")

_KEPT_SECONDS = {"minio": 86400.0}
"""How long servers keep unfinished uploads by default after the initiation, by a part of their name."""
_INITIATION_MOVES = ("versitygw",)
"""Servers for which an upload is initiated anew with each part."""


def noting_servers(task: Task[T], servers: set[str]) -> Task[T]:
    """Run a task, and note what the servers of its pages call themselves."""
    try:
        request = next(task)
        while True:
            try:
                page = yield request
            except StoreError as error:
                request = task.throw(error)
            else:
                servers.add(page.server)
                request = task.send(page)
    except StopIteration as end:
        result: T = end.value
        return result


def notes(target: TargetSettings, bucket: BucketSettings, servers: Iterable[str]) -> Iterator[str]:
    """Yield what to know about the numbers of a bucket that these servers list."""
    yield from endpoint_advice(target, (bucket.name,) if target.discover else ())
    if target.store in NOT_LISTED:
        yield NOT_LISTED[target.store]
    for server in sorted({server.lower() for server in servers}):
        for name, kept in _KEPT_SECONDS.items():
            if name in server and not target.cleanup and bucket.stale_after > kept:
                yield (
                    f"this server ({name}) by default removes unfinished uploads {human_seconds(kept)} after "
                    f"their initiation: with stale_after of {human_seconds(bucket.stale_after)} none is stale"
                )
        for name in _INITIATION_MOVES:
            if name in server:
                yield (
                    f"this server ({name}) moves the initiation of an upload with each part: "
                    "ages are those of the last activity"
                )
