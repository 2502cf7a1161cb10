"""The example of a config that ships with the package: a text with all keys, or one for a kind of store."""

from __future__ import annotations

import itertools
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.config.field_types import Leaf
from exporter.config.settings import Settings
from exporter.config.shapes import list_sections, make_section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.config.key_definition import Key
    from exporter.config.shapes import Shape

EXAMPLE_FILE = Path(__file__).with_name("example.yaml")
_SCHEMA_LINES = """\
# yaml-language-server: $schema=mpu-exporter.schema.json
# An editor completes and checks keys, once `mpu-exporter config schema > mpu-exporter.schema.json` was run.
"""
_ABOUT_STORE = """\
# A config of mpu-exporter for store {store}: leave out whatever you do not change.
# `mpu-exporter config example` has every key, and every other kind of store.
"""
COLUMN, WIDTH = 36, 120
"""Where comments begin, and where lines end."""
HIDDEN = re.compile(r"targets\.scan\..*|targets\.vaults\.prefix|targets\.containers\..*")
"""Keys that are shown at the top or below buckets, or refused."""
LINE = re.compile(r"(?P<head> *(?:- )?)(?P<key>\w+):(?P<value>.*?)(?P<comment> +# .*)?")
_TARGET_COLUMN = 4
_CONTINUED = " " * COLUMN + "# "
_ABOUT_ALL = re.compile(r"# Every key of .*\n(?:# .*\n)*")
_TARGET = re.compile(r"^(?=  # .*\n(?:  # .*\n)*  - name:)", re.MULTILINE)


def make_example(store: str | None = None) -> str:
    """Return the text of a config: with all keys, or with the targets of one kind of store.

    The first of these has every key that the store takes, as the example's first target has them.
    """
    _, text = EXAMPLE_FILE.read_text(encoding="utf-8").split("\n", 1)
    if store:
        top, *targets = _TARGET.split(_ABOUT_ALL.sub(_ABOUT_STORE.format(store=store), text, count=1))
        own = [each.splitlines() for each in targets if re.search(rf"\n    store: {store}\b", each)]
        own[0] = _complete(own[0], targets[0].rstrip("\n").splitlines(), _TARGET_COLUMN)
        lines = [*top.splitlines(), *_keep_keys(itertools.chain.from_iterable(own), store)]
        text = "\n".join(write_comments(lines, keep=True)).rstrip("\n") + "\n"
    return _SCHEMA_LINES + text


def _keep_keys(lines: Iterable[str], store: str) -> Iterator[str]:
    """Yield the lines but those of keys that this kind of store does not take, with their comments."""
    others = {path for path, key, _ in list_shown_keys() if key.stores and store not in key.stores}
    hidden = {(2 + 2 * path.count("."), path.rpartition(".")[2]) for path in others}
    kept = True
    for line in lines:
        if not line.startswith(_CONTINUED):
            found = LINE.fullmatch(line)
            kept = not (found and (len(found["head"]), found["key"]) in hidden)
        if kept:
            yield line


def _complete(own: list[str], model: list[str], column: int) -> list[str]:
    """Return the lines of a target with the keys at this column, and below them, that only the model has."""
    blocks = _by_key(own, column)
    if "" in blocks and len(blocks) == 1:  # a value of one line
        return own
    last = blocks[next(reversed(blocks))]
    blank = [] if last[-1] else [last.pop()]
    for key, lines in _by_key(model, column).items():
        if key:
            blocks[key] = _complete(blocks[key], lines, column + 2) if key in blocks else lines
    return [*itertools.chain.from_iterable(blocks.values()), *blank]


def _by_key(lines: Iterable[str], column: int) -> dict[str, list[str]]:
    """Return the lines of each key at this column, and those before the first one as ''."""
    blocks: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        if (found := LINE.fullmatch(line)) and len(found["head"]) == column:
            key = found["key"]
        blocks.setdefault(key, []).append(line)
    return blocks


def list_shown_keys() -> Iterator[tuple[str, Key, Shape]]:
    """Yield the path, the key and the shape of every key that the example has to show."""
    for path, section in list_sections(make_section(Settings)):
        for name, known in section.keys.items():
            where = f"{path}.{name}".removeprefix(".")
            if not HIDDEN.fullmatch(where):
                yield where, known.key, known.shape


def write_comments(lines: Sequence[str], *, keep: bool = False) -> Iterator[str]:
    """Yield the lines with a comment at the first of each key; `keep` those that have one."""
    comments = {path: _describe(key, shape) for path, key, shape in list_shown_keys()}
    lines = [line for line in lines if keep or not line.startswith(_CONTINUED)]
    described = {number: comments[path] for path, number in locate(lines).items() if path in comments}
    for number, line in enumerate(lines):
        shown = LINE.fullmatch(line)
        if number not in described or not shown or (keep and shown["comment"]):
            yield line
            continue
        start = f"{shown['head']}{shown['key']}:{shown['value']}".ljust(COLUMN - 2) + "  # "
        wrapped = textwrap.wrap(
            described[number], WIDTH - COLUMN - 2, initial_indent=" " * (len(start) - COLUMN - 2)
        )
        first, *more = (text.replace("\N{NO-BREAK SPACE}", " ") for text in wrapped)
        yield start + first.lstrip()
        yield from (f"{_CONTINUED}{text}" for text in more)


def locate(lines: Sequence[str]) -> dict[str, int]:
    """Return the first line that shows a key, by its path."""
    found: dict[str, int] = {}
    parents: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        if shown := LINE.fullmatch(line):
            column = len(shown["head"])
            parents = [parent for parent in parents if parent[0] < column] + [(column, shown["key"])]
            found.setdefault(".".join(key for _, key in parents), number)
    return found


def _describe(key: Key, shape: Shape) -> str:
    """Return the comment of a key: its description, choices that this does not name, bounds and stores."""
    choices: list[str] = shape.schema.get("enum", []) if isinstance(shape, Leaf) else []  # type: ignore[assignment] # as field_types makes it
    if all(re.search(rf"\b{choice}\b", key.description) for choice in choices):
        choices = []
    bounds = [f"{key.bounds[name]:g}" for name in ("ge", "le") if "le" in key.bounds]
    stores = [f"{key.store_names} only"] if key.stores else []
    limits = [" | ".join(choices), " to ".join(bounds), *stores]
    return " ".join([key.description, *(f"{_unbroken(text)}." for text in limits if text)])


def _unbroken(text: str) -> str:
    """Return a text that is not wrapped; only ASCII space is."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
