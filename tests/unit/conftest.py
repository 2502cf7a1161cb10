"""A server that answers as told, and a Multi to ask it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers.standin import StandIn
from unit.multi_requests import Answering

from exporter.stores.transport.handles import HandleOptions
from exporter.stores.transport.multi import MultiTransport

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def answering() -> Answering:
    return Answering()


@pytest.fixture
def server(answering: Answering) -> Iterator[StandIn]:
    with StandIn(answering, name="localhost") as standin:
        yield standin


@pytest.fixture
def multi() -> Iterator[MultiTransport]:
    made = MultiTransport(HandleOptions())
    yield made
    made.close()
