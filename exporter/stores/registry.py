"""Which store serves which kind of target. A new store is one file and one line here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind
from exporter.stores.glacier import GlacierStore
from exporter.stores.multi_node import MultiNodeStore, Node
from exporter.stores.obs.store import ObsStore
from exporter.stores.s3.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.stores.base import Store
    from exporter.stores.transport.client import Transport

STORES: dict[StoreKind, Callable[[TargetSettings, Transport], Store]] = {
    StoreKind.S3: S3Store,
    StoreKind.OBS: ObsStore,
    StoreKind.GLACIER: GlacierStore,
}


def make_store(target: TargetSettings, transport: Transport) -> Store:
    """Return the store of a target; nothing is sent yet."""
    make = STORES[target.store]
    if not target.endpoint_urls:
        return make(target, transport)
    nodes = [replace(target, endpoint_url=url, endpoint_urls=()) for url in target.endpoint_urls]
    return MultiNodeStore([Node(node.endpoint_url or "", make(node, transport)) for node in nodes])
