"""The table of docs/stores.md: a row for each server of the matrix, of its declaration."""

import importlib
import pkgutil
from pathlib import Path

from servers.matrix import recipes
from servers.matrix.buckets import AGAIN
from servers.matrix.declaration import GROUPS, HOW, Server

TESTS = Path(__file__).parents[2]
PLACES = {"in CI": TESTS / "real/matrix", "by hand": TESTS / "soak/servers"}
"""Where the files of tests are, `test_matrix_NAME.py` for the recipe NAME."""
HEAD = (
    "| server | run | exact | not exact, and how the exporter says so | what else the server does |\n"
    "|---|---|---|---|---|\n"
)


def table() -> str:
    """Return the table: the servers that have a file of tests, by place and name."""
    names = [each.name for each in pkgutil.iter_modules(recipes.__path__)]
    found = [
        (place, importlib.import_module(f"{recipes.__name__}.{name}").SERVER)
        for place, folder in PLACES.items()
        for name in names
        if (folder / f"test_matrix_{name}.py").exists()
    ]
    return HEAD + "".join(row(server, place) for place, server in found)


def row(server: Server, place: str) -> str:
    cells = (
        f"{server.name} {server.version}",
        f"{place}: {', '.join(f'`{each}`' for each in server.engines)}",
        _exact(server),
        _told(server) or "-",
        "; ".join(_habits(server)) or "-",
    )
    return f"| {' | '.join(cells)} |\n"


def _exact(server: Server) -> str:
    not_exact = [group for group in GROUPS if group in server.told]
    if not not_exact:
        return "all"
    run = [group for group in GROUPS if server.own_page or group != "many"]
    exact = [GROUPS[group] for group in run if group not in server.told]
    return ", ".join(exact) if len(exact) < len(not_exact) else "all else"


def _told(server: Server) -> str:
    by_told: dict[tuple[str, str], list[str]] = {}
    for group in GROUPS:
        if told := server.told.get(group):
            by_told.setdefault((told.by, told.why), []).append(GROUPS[group])
    whole = len(GROUPS) // 2
    told = [
        f"{'all else' if len(groups) > whole else ', '.join(groups)}: {HOW[by]} ({why})"
        for (by, why), groups in by_told.items()
    ]
    beyond = [
        f"{GROUPS[group]} at `page_size: {size}`: not seen ({why})"
        for (group, size), why in server.beyond.items()
    ]
    return "; ".join([*told, *beyond])


def _habits(server: Server) -> list[str]:
    habits = list(server.habits)
    if keys := sorted(server.refuses - {AGAIN}):
        habits.append(f"refuses keys with: {', '.join(keys)}")
    if AGAIN in server.refuses:
        habits.append("refuses a part that is sent again")
    if server.folds:
        habits.append(f"changes keys with: {', '.join(sorted(server.folds))}")
    if server.after_restart != "keeps":
        habits.append(f"{server.after_restart} at a restart")
    if server.initiated != "exact":
        habits.append(INITIATED[server.initiated])
    return habits


INITIATED = {
    "fixed": "dates all uploads alike: ages mean nothing",
    "activity": "its Initiated is the last activity",
    "first sight": "no upload has a date: first sight stands for it",
}
