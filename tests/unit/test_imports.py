"""The floors of the house: imports go down, never up, never across, never in a circle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "exporter"

# Top to bottom, rooms of one floor side by side; a folder is one room.
FLOORS = (
    {"__main__"},
    {"cli"},
    {"commands", "flags"},
    {"demo"},
    {"service", "estimate_table", "probe_table", "scan_formats", "telling", "upload_formats"},
    {"roster", "reload", "web", "foretell", "probe"},
    {"loop"},
    {"track", "exposition", "survey"},
    {"lane", "finding"},
    {"scan", "metrics"},
    {"sizing", "insight"},
    {"lifecycle", "discovery"},
    {"retrying"},
    {"stores", "candidates", "estimate"},
    {"pace", "rate", "ledger", "selection", "scan_log"},
    {"board"},
    {"cost"},
    {"summary", "groups", "worst", "abort", "grants", "watched", "terminal", "sharding"},
    {"choice"},
    {"model", "config", "logs", "human", "quoting", "exits", "repeats"},
    {"hiding"},
    {"__init__"},
)
FLOOR_OF = {room: number for number, floor in enumerate(reversed(FLOORS)) for room in floor}
SEAMS = {
    "ledger": {"__init__"},
    "metrics": {"__init__"},
    "stores": {"base", "flows", "paging", "table", "transport"},
    "demo": {"__init__"},
}
"""What rooms let others import; the rest is their own affair."""


def modules() -> dict[str, Path]:
    """Name every module below the package: `cli`, `stores.s3`; a folder's `__init__` is the folder."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        steps = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(steps[:-1] if len(steps) > 1 and steps[-1] == "__init__" else steps)
        found[name] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, wherever in it, for type checking too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.split(".")[0] == "exporter"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module and node.module.split(".")[0] == "exporter":
                found |= {whole(node.module, name.name) for name in node.names}
    return {name.removeprefix("exporter").removeprefix(".") or "__init__" for name in found}


def whole(module: str, name: str) -> str:
    """Return the module that `from module import name` means: the name may be a module itself."""
    inner = f"{module}.{name}"
    return inner if inner.removeprefix("exporter.") in MODULES else module


GRAPH = {name: imports(path) for name, path in MODULES.items()}
EDGES = sorted((name, other) for name, others in GRAPH.items() for other in others)


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_is_on_a_floor_and_no_floor_has_a_room_that_is_not():
    assert sorted({room(name) for name in MODULES}) == sorted(chain.from_iterable(FLOORS))


def test_an_import_is_seen_wherever_it_stands():
    assert {"service", "config", "exits"} <= GRAPH["commands.serve"]  # in a function, at the top, for types
    assert {"board", "stores.base", "__init__"} <= GRAPH["metrics.board"] | GRAPH["metrics.work"]


@pytest.mark.parametrize(("name", "other"), EDGES)
def test_imports_go_down(name: str, other: str):
    assert other in MODULES
    assert room(name) == room(other) or FLOOR_OF[room(name)] > FLOOR_OF[room(other)]


@pytest.mark.parametrize("edge", [edge for edge in EDGES if room(edge[0]) != room(edge[1])], ids=" ".join)
def test_others_come_in_by_the_door(edge: tuple[str, str]):
    place, _, inner = edge[1].partition(".")
    assert place not in SEAMS or (inner or "__init__") in SEAMS[place]


def test_nothing_imports_in_a_circle():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_stores_know_nothing_of_each_other():
    stores = {"stores.s3", "stores.obs", "stores.glacier"}
    assert {"stores.table"} == {name for name, others in GRAPH.items() if others & stores}
    assert {"stores.s3"} == {name for name, others in GRAPH.items() if "stores.wire" in others}
