"""The dashboards as tests read them: panels, their queries, and PromQL without Grafana's variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cases import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / "helm" / "mpu-exporter" / "files" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
BOARDS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text()) for file in FILES}

every_board = in_turn("board", BOARDS.values(), BOARDS)


def everything(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows and panels; those of a row that is shut stand within it in the file."""
    return [panel for each in board["panels"] for panel in (each, *each.get("panels", []))]


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that show something: all but the titles of rows."""
    return [panel for panel in everything(board) if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Yield each query of each dashboard, under a name for people."""
    for uid, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{uid}: {panel['title']} {target['refId']}", target["expr"]


every_query = in_turn("query", dict(queries()).values(), dict(queries()))


def query_of(uid: str, title: str, ref: str = "A") -> str:
    """Return one query of a panel, its variables not filled in."""
    found = dict(queries())
    return found[f"{uid}: {title} {ref}"]


def filled(query: str, job: str = ".+", window: str = "5m", **chosen: str) -> str:
    """Return the query as Grafana sends it, where All is chosen of every variable that is not given here."""
    values = {"job": job, "store": ".+", "target": ".+", "bucket": ".+", "__rate_interval": window, **chosen}
    for name, value in values.items():
        query = query.replace(f"${name}", value)
    return query
