"""The runbooks as tests read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from charts import CHART
from docs.documents import GUIDE, code, table
from rules import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = CHART.parent / "runbooks"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
PAGES = {name: (FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
DOCUMENTS = {"README": INDEX, **PAGES}
SECTIONS = ["How to look", "What to do", "When it is not worth an alert"]


def metrics() -> dict[str, set[str]]:
    """Return the labels of every metric by docs/metrics.md, which is held against the code elsewhere."""
    rows = table(GUIDE["metrics"], "name", "type", "labels", "meaning")
    return {code(name)[0]: set(code(labels)) for name, _, labels, _ in rows}


def panels() -> dict[str, set[str]]:
    """Return the titles of all panels by the uid of their dashboard."""
    boards = [
        json.loads(file.read_text(encoding="utf-8")) for file in (CHART / "files/dashboards").glob("*.json")
    ]
    return {board["uid"]: {panel["title"] for panel in _all(board["panels"])} for board in boards}


def _all(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _all(panel.get("panels", []))
