"""A config file's bytes in, plain data with the line of every value out. Knows YAML, not our keys."""

from __future__ import annotations

import errno
import re
import sys
from typing import TYPE_CHECKING, Final

import yaml

from exporter.config.environment import substitute
from exporter.config.problems import STANDARD_INPUT, KeyPath, Problem, make_error, show_path
from exporter.config.yaml_nodes import MAX_DEPTH, compose, find_syntax_problem
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exporter.config.yaml_nodes import Loader

_MAX_BYTES = 1 << 20
_MAX_NODES = 100_000
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {
    f"{_TAG}str",
    f"{_TAG}timestamp",
    f"{_TAG}value",
}  # nothing here is a date: 2026-01-01 is a name
_SCALAR_TAGS = {f"{_TAG}null", f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float"}

_NO_TARGETS = "it needs at least targets: mpu-exporter config example prints one"
_IF_UNREADABLE = "check the path and its permissions"
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+")
"""A number with an exponent, as Go, JSON and YAML 1.2 write it: `4e-05`. YAML 1.1 wants a dot and a sign."""
Values = dict[str, object]
"""The plain data of a mapping."""


class NumberText(str):
    """A number with an exponent, unquoted: text where text is wanted, such as a bucket's name."""

    __slots__ = ()


INVALID: Final = object()
"""In place of a value that is faulty and whose problem has been noted."""


def as_mapping(value: object) -> Values:
    """Return `value` where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return `value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


class Document:
    """Plain data, the line of each value in it, and the problems found so far."""

    __slots__ = ("data", "lines", "problems")

    def __init__(self) -> None:
        """Begin empty."""
        self.data: object = None
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []

    def add(self, where: KeyPath, text: str, line: int | None = None) -> None:
        """Note a problem; without `line`, at the nearest value that has one."""
        self.problems.append(Problem(line or self.line(where), show_path(where), text))

    def line(self, where: KeyPath) -> int:
        """Return the line of a value, or of the nearest one that holds it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read_document(
    path: Path,
    environ: Mapping[str, str],
    if_empty: str = _NO_TARGETS,
    if_missing: str = _IF_UNREADABLE,
) -> Document:
    """Return what the file holds, variables replaced. Raises ConfigError where it is no YAML at all.

    `if_empty` is the advice for an empty file, `if_missing` for one that is not there.
    """
    text = _read_text(path, if_missing)
    try:
        loader, node = compose(text)
    except yaml.YAMLError as error:
        raise make_error(path, [find_syntax_problem(error, text)]) from None
    if node is None:
        raise make_error(path, [Problem(0, "", f"is empty: {if_empty}")])
    builder = _Builder(loader, environ)
    try:
        builder.document.data = builder.build(node, ())
    except _TooLargeError:
        text = f"holds more than {_MAX_NODES} values, aliases (*name) unfolded: no config does; write less"
        raise make_error(path, [Problem(0, "", text)]) from None
    return builder.document


def _read_bytes(path: Path) -> bytes:
    """Return the file's content, of one that is too large the beginning. Raises OSError."""
    if str(path) == STANDARD_INPUT:
        if not sys.stdin:  # closed by whoever started the process
            raise OSError(errno.EBADF, "it is closed")
        return sys.stdin.buffer.read(_MAX_BYTES + 1)
    with path.open("rb") as file:
        return file.read(_MAX_BYTES + 1)


def _read_text(path: Path, if_missing: str) -> str:
    try:
        content = _read_bytes(path)
        if len(content) > _MAX_BYTES:
            problem = Problem(
                0, "", f"is larger than {_MAX_BYTES} bytes: no config is; is this the right file?"
            )
            raise make_error(path, [problem])
        return content.decode()
    except OSError as error:
        advice = if_missing if isinstance(error, FileNotFoundError) else _IF_UNREADABLE
        problem = Problem(0, "", f"cannot be read: {because(error, advice)}")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(line, "", "is not UTF-8 text: save the file in that encoding")
    raise make_error(path, [problem])


class _TooLargeError(Exception):
    """The document unfolds to more values than any config has."""


class _Builder:
    """Turns YAML nodes into data; follows aliases and merges, up to a maximum number of values."""

    def __init__(self, loader: Loader, environ: Mapping[str, str]) -> None:
        self.document = Document()
        self._loader = loader
        self._environ = environ
        self._count = 0
        self._ancestors: set[int] = set()

    def build(self, node: yaml.Node, where: KeyPath) -> object:
        """Return the data of `node`, or INVALID. `where` is its path."""
        self._count_value()
        self.document.lines.setdefault(where, node.start_mark.line + 1)
        if id(node) in self._ancestors or len(self._ancestors) > MAX_DEPTH:
            return self._fail(
                where, "holds itself, or is too deep: an alias (*name) must not stand in its own anchor"
            )
        self._ancestors.add(id(node))
        try:
            return self._build(node, where)
        finally:
            self._ancestors.discard(id(node))

    def _build(self, node: yaml.Node, where: KeyPath) -> object:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(item, (*where, position)) for position, item in enumerate(node.value)]
        return self._fail_tag(where)

    def _mapping(self, node: yaml.MappingNode, where: KeyPath) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in self._pairs(node, where).items():
            path = (*where, key.value)
            if not where and key.value.startswith("x-"):
                continue
            self.document.lines[path] = key.start_mark.line + 1
            found[key.value] = self.build(value, path)
        return found

    def _pairs(self, node: yaml.MappingNode, where: KeyPath) -> dict[yaml.ScalarNode, yaml.Node]:
        """Return the entries of a mapping, its own before merged ones, each key once."""
        pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        sources: list[yaml.Node] = []
        for key, value in node.value:
            self._count_value()
            if not isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                self.document.add(where, "has a key that is not text: quote what begins with { or [", line)
            elif key.value in pairs:
                self._add_duplicate(pairs[key.value][0], key, where)
            else:
                pairs[key.value] = key, value
                if key.tag == f"{_TAG}merge":
                    sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if sources:
            del pairs["<<"]
        for key, value in self._merged(sources, where):
            pairs.setdefault(key.value, (key, value))
        return dict(pairs.values())

    def _merged(
        self, sources: list[yaml.Node], where: KeyPath
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for source in sources:
            self._count_value()
            if isinstance(source, yaml.MappingNode) and id(source) not in self._ancestors:
                self._ancestors.add(id(source))
                yield from self._pairs(source, where).items()
                self._ancestors.discard(id(source))
            else:
                line = source.start_mark.line + 1
                self.document.add(where, "<< must name another mapping, or a list of them", line)

    def _add_duplicate(self, first: yaml.ScalarNode, second: yaml.ScalarNode, where: KeyPath) -> None:
        text = f"this key stands here twice, first on line {first.start_mark.line + 1}: remove one"
        self.document.add((*where, second.value), text, second.start_mark.line + 1)

    def _scalar(self, node: yaml.ScalarNode, where: KeyPath) -> object:
        value, errors = substitute(node.value, self._environ)
        for error in errors:
            self.document.add(where, error)
        if errors:
            return INVALID
        tag, plain = node.tag, id(node) in self._loader.plain
        if plain:
            value = value.strip()
            tag = self._loader.resolve(yaml.ScalarNode, value, (True, False))
        return self._typed(tag, value, where, plain=plain)

    def _typed(self, tag: str, value: str, where: KeyPath, *, plain: bool) -> object:
        if tag in _TEXT_TAGS:
            return NumberText(value) if plain and _NUMBER.fullmatch(value) else value
        if tag not in _SCALAR_TAGS:
            return self._fail_tag(where)
        try:
            return self._loader.construct_object(yaml.ScalarNode(tag, value))
        except (ValueError, LookupError):
            return self._fail(where, "is not what its YAML tag (!!) says")

    def _count_value(self) -> None:
        self._count += 1
        if self._count > _MAX_NODES:
            raise _TooLargeError

    def _fail_tag(self, where: KeyPath) -> object:
        return self._fail(where, "YAML tags are not read here: quote a value that begins with !")

    def _fail(self, where: KeyPath, text: str) -> object:
        self.document.add(where, text)
        return INVALID
