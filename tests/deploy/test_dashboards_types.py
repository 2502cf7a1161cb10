"""The dashboards against Grafana's own types, which drop what they do not know: a key with a typo, mostly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from dashboards import BOARDS, every_board
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

if TYPE_CHECKING:
    from collections.abc import Iterator

register_default_plugins()


def dropped(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yield where something is no longer what was given."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from dropped(value, kept.get(key), f"{path}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from dropped(one, other, f"{path}[{number}]")
    elif given != kept:
        yield path


def unknown(board: dict[str, Any]) -> list[str]:
    """Return the places of a dashboard that Grafana's types have no place for."""
    kept = json.loads(JSONEncoder(sort_keys=True, indent=None).encode(Dashboard.from_json(board)))
    return list(dropped(board, kept))


@every_board
def test_every_key_is_one_that_grafana_knows(board: dict[str, Any]):
    assert unknown(board) == []


@pytest.mark.parametrize("key", ["graphTooltip", "noValue", "fillOpacity", "legendFormat", "showHeader"])
def test_a_typo_would_be_found_wherever_it_is(key: str):
    text = json.dumps(BOARDS["mpu-overview"])
    found = unknown(json.loads(text.replace(f'"{key}":', f'"{key}x":')))
    assert len(found) == text.count(f'"{key}":')
    assert {place.rpartition(".")[2] for place in found} == {f"{key}x"}
