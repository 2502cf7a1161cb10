"""XML as the standard library's parser reads it, another one than the exporter's; and written texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANK_HEAD = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)+(?=<\?xml)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DoctypeError(AssertionError):
    """The document has a DOCTYPE: nothing of it may be accepted."""


class _Builder(ET.TreeBuilder):
    def doctype(self, *_: object) -> None:
        raise DoctypeError


class Tree:
    """An element; names are local ones."""

    def __init__(self, element: ET.Element) -> None:
        """Wrap it."""
        self._element = element
        self.namespace, self.name = _split(element)
        self.text = element.text or ""

    def children(self, name: str) -> list[Tree]:
        """Return its children of this name, in any namespace."""
        return [each for each in map(Tree, self._element) if each.name == name]

    def texts(self, *names: str) -> list[str]:
        """Return the texts of its children of these names."""
        return [child.text for name in names for child in self.children(name)]

    def first(self, name: str) -> str:
        """Return the text of its first child of this name, one in its own namespace before any other."""
        found = self.children(name)
        own = [each for each in found if each.namespace == self.namespace]
        return next((each.text for each in (*own, *found)), "")

    @property
    def errors(self) -> list[Tree]:
        """All elements named Error, itself included."""
        return [each for each in map(Tree, self._element.iter()) if each.name == "Error"]

    def all_names(self) -> Iterator[str]:
        """Yield the names of all elements."""
        return (_split(each)[1] for each in self._element.iter())


def read_tree(body: bytes) -> Tree | None:
    """Return the root of a document, None where this parser does not read it. Raises DoctypeError."""
    parser = ET.XMLParser(target=_Builder())
    body = body[match.end() :] if (match := _BLANK_HEAD.match(body)) else body
    try:
        parser.feed(body)
        return Tree(parser.close())
    except (ET.ParseError, ValueError, LookupError):
        return None


def escaped(text: str) -> str:
    """Return a text for XML in which every character but plain ones is a reference, also forbidden ones."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_./~ ") else f"&#{ord(c)};" for c in text)


def moment(seconds: float | None) -> str:
    """Return Unix seconds as ISO 8601, '' for None."""
    return "" if seconds is None else (_EPOCH + timedelta(seconds=seconds)).isoformat()


def _split(element: ET.Element) -> tuple[str, str]:
    namespace, _, name = element.tag.rpartition("}")
    return namespace, name
