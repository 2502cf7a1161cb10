"""One entry for each kind of store: how to make it, and what is particular to it.

Importing this loads no SDK: a module of a store is imported when the first target of its kind is made.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind
from exporter.stores.multi_node import MultiNodeStore, Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.stores.base import Store
    from exporter.stores.transport.client import Transport

    NewStore = Callable[[TargetSettings, Transport], Store]


@dataclass(frozen=True, slots=True)
class StoreType:
    """A kind of store. `load` imports its module and returns the class of its stores."""

    load: Callable[[], NewStore]
    has_abort_dates: bool = False
    """Whether answers to ListParts say when the store will abort the upload."""


def store_type(kind: str) -> StoreType:
    """Return the entry of a kind of store, as `store` of a target or of a board's entry names it."""
    return _TYPES[StoreKind(kind)]


def make_store(target: TargetSettings, transport: Transport) -> Store:
    """Return the store of a target; nothing is sent yet. Safe to call from many threads."""
    with _LOADING:
        new_store = store_type(target.store).load()
    if not target.endpoint_urls:
        return new_store(target, transport)
    nodes = [replace(target, endpoint_url=url, endpoint_urls=()) for url in target.endpoint_urls]
    return MultiNodeStore([Node(node.endpoint_url or "", new_store(node, transport)) for node in nodes])


def _s3() -> NewStore:
    from exporter.stores.s3.store import S3Store  # noqa: PLC0415 - loads boto3

    return S3Store


def _obs() -> NewStore:
    from exporter.stores.obs.store import ObsStore  # noqa: PLC0415 - loads the OBS SDK

    return ObsStore


def _glacier() -> NewStore:
    from exporter.stores.glacier import GlacierStore  # noqa: PLC0415 - loads boto3

    return GlacierStore


_LOADING = threading.Lock()  # the SDKs import in circles, which threads must not enter side by side
_TYPES = {
    StoreKind.S3: StoreType(_s3, has_abort_dates=True),
    StoreKind.OBS: StoreType(_obs),
    StoreKind.GLACIER: StoreType(_glacier),
}
