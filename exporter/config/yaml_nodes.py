"""A YAML text in, its nodes out, each with its line and tag; or what is wrong with the text."""

from __future__ import annotations

import itertools
import re

import yaml

from exporter.config.problems import Problem

MAX_DEPTH = 50
_READ_OTHERWISE = re.compile("[\t?!\ufeff]|[|>][-+0-9]*#")
"""Tabs, ?, !, byte order marks, and comments glued to | or >: libyaml accepts some that pyyaml does not."""
_Parser = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_SYNTAX_HINTS = (
    (r"'\\t'", "indent with spaces, not tabs"),
    (r"got '\{'", 'inside { } and [ ], put quotes around "${NAME}"'),
    ("alias|tag|cannot start", "quote a value that begins with * & ! % @ or `"),
)


class _Composer(yaml.composer.Composer):
    """Makes nodes of events; remembers the plain scalars, and refuses deep nesting."""

    def begin(self) -> None:
        """Forget what was read."""
        self.plain: set[int] = set()
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = parent.start_mark if parent else None
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_scalar_node(self, anchor: dict[str, yaml.Node]) -> yaml.ScalarNode:
        plain = self.peek_event().implicit[0]  # type: ignore[attr-defined] # the parser's
        node = super().compose_scalar_node(anchor)
        if plain:
            self.plain.add(id(node))
        return node


class _Loader(_Composer, yaml.SafeLoader):
    """pyyaml's own parser, whose errors are the clearer ones."""

    def __init__(self, text: str) -> None:
        yaml.SafeLoader.__init__(self, text)
        self.begin()


class _FastLoader(_Composer, _Parser):  # type: ignore[misc,valid-type] # either has the same methods
    """libyaml's parser, which takes a tenth of the time; its errors are not used."""

    def __init__(self, text: str) -> None:
        _Parser.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        self.begin()


Loader = _FastLoader | _Loader


def compose(text: str) -> tuple[Loader, yaml.Node | None]:
    """Return the document's node, and the loader that has read it. Raises yaml.YAMLError."""
    try:
        loader: Loader = _Loader(text) if _READ_OTHERWISE.search(text) else _FastLoader(text)
        return loader, loader.get_single_node()
    except yaml.YAMLError:
        loader = _Loader(text)
        return loader, loader.get_single_node()


def find_syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """Return the complaint of pyyaml without the words it quotes from the file: they may be a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
        return Problem(line, "", f"is not valid YAML: {_describe_syntax(error)} (column {column})")
    line = text.count("\n", 0, getattr(error, "position", 0)) + 1
    return Problem(
        line, "", "is not valid YAML: holds a control character: remove it, or write it as an escape"
    )


def _describe_syntax(error: yaml.MarkedYAMLError) -> str:
    words = ", ".join(filter(None, (error.context, error.problem)))
    hints = (text for sign, text in _SYNTAX_HINTS if re.search(sign, words))
    return "; ".join((re.sub(r"""(["']).*?\1""", _hide_quoted, words), *itertools.islice(hints, 1)))


def _hide_quoted(quoted: re.Match[str]) -> str:
    """Keep single characters and pyyaml's own `<words>`."""
    return quoted.group() if re.fullmatch(r"\\?.|<[a-z ]+>", quoted.group()[1:-1]) else "…"
