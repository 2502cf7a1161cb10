"""The rooms of the house: imports go down, by the modules that a room offers, and never in a circle."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "exporter"

# Top to bottom; rooms of one floor do not know each other.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("service",),
    ("web",),
    ("scheduler", "metrics"),
    ("scan",),
    ("stores", "state"),
    ("model",),
    ("config",),
    ("text",),
    ("__init__",),
)
FLOOR_OF = {room: number for number, floor in enumerate(reversed(FLOORS)) for room in floor}


def modules() -> dict[str, Path]:
    """Name every module below the package: `service`, `stores.s3.wire`; its `__init__` is a folder."""
    steps = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")}
    return {".".join(names).removesuffix(".__init__"): path for path, names in steps.items()}


MODULES = modules()


def imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, wherever in it, for type checking too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{name.name}" for name in node.names}
            found |= {
                name if name.removeprefix("exporter.") in MODULES else f"{node.module}" for name in inner
            }
    ours = {name for name in found if name.split(".")[0] == "exporter"}
    return {name.removeprefix("exporter").removeprefix(".") or "__init__" for name in ours}


GRAPH = {name: imports(path) for name, path in MODULES.items()}


def room(module: str) -> str:
    return module.partition(".")[0]


BETWEEN_ROOMS = {(name, other) for name in GRAPH for other in GRAPH[name] if room(name) != room(other)}


def offers(name: str) -> set[str]:
    """Return the modules that a room's docstring offers to others."""
    text = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8"))) or ""
    _, _, offered = text.partition("Offers: ")
    return {f"{name}.{module}" for module in re.findall(r"`([a-z_.]+)`", offered)}


def test_every_room_has_its_floor():
    assert sorted(FLOOR_OF) == sorted({room(name) for name in MODULES})


def test_imports_between_rooms_go_down():
    assert [edge for edge in BETWEEN_ROOMS if FLOOR_OF[room(edge[0])] <= FLOOR_OF[room(edge[1])]] == []


@pytest.mark.parametrize("name", [name for floor in FLOORS for name in floor if (PACKAGE / name).is_dir()])
def test_a_room_offers_what_others_import_of_it_and_no_more(name: str):
    assert offers(name) == {other for _, other in BETWEEN_ROOMS if room(other) == name}


def test_nothing_imports_in_a_circle():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
