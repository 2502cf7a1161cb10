"""Checks of the files that a config names: whether they can be read now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.document import as_list, as_mapping
from exporter.config.secret_checks import FAULT_FINDERS, find_secret_fault, find_sse_key_fault
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.config.document import Values
    from exporter.config.problems import Fault

_CHECK = "check the path and its permissions"
_MAX_SECRET_BYTES = 65536


def find_file_faults(data: object, folder: Path) -> Iterator[Fault]:
    """Yield the path and text of every file that is named and cannot be used. `folder`: the config file's."""
    state = as_mapping(as_mapping(data).get("state")).get("path")
    if isinstance(state, str) and (fault := _find_state_fault(folder / state)):
        yield ("state", "path"), fault
    for position, target in enumerate(as_list(as_mapping(data).get("targets"))):
        yield from _find_key_fault(position, as_mapping(target), folder)
        for section in ("credentials", "tls"):
            for key, name in _list_files(as_mapping(as_mapping(target).get(section))):
                check = FAULT_FINDERS.get(key.removesuffix("_file"), find_secret_fault)
                fault = _find_fault(folder / name, secret=section == "credentials", check=check)
                if fault:
                    yield ("targets", position, section, key), fault


def _find_key_fault(position: int, target: Values, folder: Path) -> Iterator[Fault]:
    name = target.get("sse_customer_key_file")
    if isinstance(name, str) and (fault := _find_fault(folder / name, secret=True, check=find_sse_key_fault)):
        yield ("targets", position, "sse_customer_key_file"), fault


def _find_state_fault(path: Path) -> str:
    """Return what is wrong with the path of a file that need not exist yet, or the empty text."""
    try:
        if path.is_dir():
            return "is a folder: name a file in it"
        if path.exists() and not path.is_file():
            return "is no regular file: name another"
        return "" if path.parent.is_dir() else "its folder is not there: make it, or name another"
    except OSError as error:
        return f"its folder cannot be read: {because(error, _CHECK)}"


def _list_files(section: Values) -> Iterator[tuple[str, str]]:
    for key, name in section.items():
        if key.endswith("_file") and isinstance(name, str):
            yield key, name


def _find_fault(path: Path, *, secret: bool, check: Callable[[str], str] = find_secret_fault) -> str:
    """Return what is wrong with a file, or the empty text.

    Neither its content nor its name is shown: secrets are written there by mistake.
    """
    try:
        if path.exists() and not path.is_file():
            return "is not a file: name the file itself"
        with path.open("rb") as file:
            text = file.read(_MAX_SECRET_BYTES).decode().strip() if secret else "no secret"
    except OSError as error:
        return f"the file cannot be read: {because(error, _CHECK)}"
    except UnicodeDecodeError:
        return "the file is not UTF-8 text: write the secret alone into it"
    fault = check(text)
    return f"what the file holds {fault}" if fault else ""
