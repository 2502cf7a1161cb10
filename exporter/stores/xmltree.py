"""A body in, a document out: parsed by libxml2 without DTDs, read column by column.

lxml parses a page in half the time of the standard library's ElementTree, and an XPath fetches one field of
all items at once.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ESCAPE = "\ue000"
_FORBIDDEN = re.compile(
    "&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));"  # a reference, judged by what it stands for
    f"|([{_ESCAPE}\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff])"
)
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{6}})")
_LAST_CODE_POINT = 0x10FFFF
_ENCODING_ERRORS = {etree.ErrorTypes.ERR_UNKNOWN_ENCODING, etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING}
_FEW = 40
"""Up to so many children of the root, walking over them is faster than XPaths."""


class DoctypeError(Exception):
    """The document has a DOCTYPE, which could define entities."""


class NotXmlError(Exception):
    """The body is not a well-formed document, not even after the repair of forbidden characters."""


class Document:
    """A parsed document: the fields below its root, and those of the items among them.

    Fields are known by their local name, whatever their namespace; of a repeated one the first counts. What
    is not there is ''.
    """

    def __init__(self, body: bytes, item: str = "") -> None:
        """Parse a body, whose root's children of the name `item` are its items.

        Raises DoctypeError and NotXmlError.
        """
        self._root, self._repaired = _parse(body)
        namespace, _, self.name = self._root.tag.rpartition("}")
        self._item = item
        self._paths = _Paths.of(namespace[1:], item) if len(self._root) > _FEW else None
        self._items: list[etree._Element] = []
        self._fields: list[tuple[str, str]] = []
        for child in self._paths.others(self._root) if self._paths else self._root:
            if (name := _local(child.tag)) == item:
                self._items.append(child)
            else:
                self._fields.append((name, child.text or ""))
        self._firsts = dict(reversed(self._fields))

    def text(self, name: str) -> str:
        """Return the text of a field below the root."""
        return self._own(self._firsts.get(name, ""))

    def all_texts(self, name: str) -> list[str]:
        """Return the texts of all fields of this name below the root."""
        return [self._own(text) for field, text in self._fields if field == name]

    def texts(self) -> dict[str, str]:
        """Return the texts of all fields below the root."""
        return {name: self._own(text) for name, text in self._firsts.items()}

    def columns(self, *names: str) -> list[list[str]]:
        """Return for each name the texts of all items' fields, in the order of the items."""
        columns = None
        if self._paths and not self._items:  # items found so far are not in the root's namespace
            columns = self._paths.columns(self._root, names)
        if columns is None:
            columns = self._walk(names)
        return [list(map(self._own, column)) for column in columns] if self._repaired else columns

    def _walk(self, names: Sequence[str]) -> list[list[str]]:
        """Read item by item: the way for few, and for those that do not all have the same fields."""
        items = self._items
        if self._paths:
            items = [child for child in self._root if _local(child.tag) == self._item]
        rows = [_texts(item) for item in items]
        return [[row.get(name) or "" for row in rows] for name in names]

    def _own(self, text: str) -> str:
        """Return the store's own text of one that was repaired."""
        if not self._repaired:
            return text
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


class _Paths:
    """XPaths over the items in one namespace, each of which fetches a field of all items at once."""

    def __init__(self, namespace: str, item: str) -> None:
        self._namespaces = {"s": namespace} if namespace else None
        self._prefix = "s:" if namespace else ""
        self._item = f"{self._prefix}{item}"
        self._count = self._compiled(f"count({self._item})")
        self._fields: dict[str, Callable[..., Any]] = {}
        self.others = self._compiled(f"*[not(self::{self._item})]")

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, namespace: str, item: str) -> Self:
        """Return those of a namespace; they are compiled once."""
        return cls(namespace, item)

    def columns(self, root: etree._Element, names: Sequence[str]) -> list[list[str]] | None:
        """Return the columns; None where some item lacks a text, and so none can be told whose it is.

        Each XPath gives one text an item at most.
        """
        items = self._count(root)
        columns = [self._field(name)(root) for name in names]
        return columns if all(len(column) == items for column in columns) else None

    def _field(self, name: str) -> Callable[..., Any]:
        if name not in self._fields:
            self._fields[name] = self._compiled(f"{self._item}/{self._prefix}{name}[1]/text()[1]")
        return self._fields[name]

    def _compiled(self, path: str) -> Callable[..., Any]:
        return etree.XPath(path, namespaces=self._namespaces, smart_strings=False)


def _parse(body: bytes) -> tuple[etree._Element, bool]:
    """Return the root, and whether the body had to be repaired."""
    try:
        return _checked(etree.fromstring(body, _parser())), False
    except (etree.XMLSyntaxError, ValueError) as error:
        if getattr(error, "code", None) in _ENCODING_ERRORS:
            raise NotXmlError from None
        repaired = _FORBIDDEN.sub(_escape, body.decode("utf-8-sig", "surrogateescape"))
    try:
        return _checked(etree.fromstring(repaired.encode("utf-8"), _parser("utf-8"))), True
    except (etree.XMLSyntaxError, ValueError):
        raise NotXmlError from None


@lru_cache(maxsize=2)
def _parser(encoding: str | None = None) -> etree.XMLParser:
    """Return a parser, which several threads may use; `encoding` overrides what the document says."""
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


def _checked(root: etree._Element) -> etree._Element:
    if root.getroottree().docinfo.internalDTD is not None:
        raise DoctypeError
    return root


def _escape(match: re.Match[str]) -> str:
    """Replace what XML 1.0 forbids, and the escape character itself, by the escape and six hex digits."""
    hexadecimal, decimal, raw = match.groups()
    point = ord(raw) if raw else int(hexadecimal or decimal, 16 if hexadecimal else 10)
    if point > _LAST_CODE_POINT or (not raw and _is_allowed(point)):
        return match.group()
    return f"{_ESCAPE}{point:06x}"


def _is_allowed(point: int) -> bool:
    return _FORBIDDEN.fullmatch(chr(point)) is None


def _texts(item: etree._Element) -> dict[str, str | None]:
    """Return the texts of an item's fields."""
    texts = {_local(child.tag): child.text for child in item}
    if len(texts) < len(item):  # of a repeated one the first counts
        texts = {_local(child.tag): child.text for child in reversed(item)}
    return texts


@lru_cache(maxsize=256)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
