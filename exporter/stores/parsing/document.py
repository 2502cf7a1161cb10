"""XML documents: parsed by libxml2 without DTDs, read column by column.

lxml takes half the time of the standard library's ElementTree, and one XPath fetches a field of all items.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ESCAPE = "\ue000"
_FORBIDDEN = re.compile(
    "&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));"  # a reference; forbidden if its character is
    f"|([{_ESCAPE}\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff])"
)
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{6}})")
_LAST_CODE_POINT = 0x10FFFF
_ROW_WISE_MAX_ITEMS = 20
"""Up to this number of items, reading item by item is faster than XPaths."""
_ENCODING_ERRORS = {etree.ErrorTypes.ERR_UNKNOWN_ENCODING, etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING}
MAX_REPAIRS = 4_000_000
"""Four times what a page of 1,000 keys of control characters only needs; 64 MiB of zeros exceed it."""
# what some servers send before the declaration, though XML does not allow it
_BLANK_HEAD = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)+(?=<\?xml\s)")
# the beginning of a document without a DOCTYPE and certainly in UTF-8
_PLAIN_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?"
    rb"(?:<\?xml\s+version=[\"']1\.0[\"'](?:\s+encoding=[\"'](?i:utf-8)[\"'])?"
    rb"(?:\s+standalone=[\"'](?:yes|no)[\"'])?\s*\?>)?"
    rb"\s*<[A-Za-z_]"
)


class DoctypeError(Exception):
    """The document has a DOCTYPE, which could define entities."""


class NotXmlError(Exception):
    """The body is not well-formed, even with forbidden characters replaced."""


class _RootReachedError(Exception):
    pass


class Document:
    """A parsed document: the fields below its root, and the fields of its items.

    Fields are looked up by local name, in any namespace. Of a repeated field the first counts: below the root
    the first of all, in an item the first in the root's namespace before any other. A missing field is ''.
    """

    def __init__(self, body: bytes, *fields: str) -> None:
        """Parse a body; of the fields below the root only `fields` are read, all if none are given.

        Raises DoctypeError and NotXmlError.
        """
        self._root, self._repaired = _parse(body)
        self.name = _local(self._root.tag)
        children = self._root.iterchildren(*_any_namespace(fields))
        self._fields = [(_local(child.tag), child.text or "") for child in children]
        self._first_texts = dict(reversed(self._fields))
        self._items_by_name: dict[str, list[etree._Element]] = {}

    def text(self, name: str) -> str:
        """Return the text of a field below the root."""
        return self.restore(self._first_texts.get(name, ""))

    def all_texts(self, name: str) -> list[str]:
        """Return the texts of all fields of this name below the root."""
        return [self.restore(text) for field, text in self._fields if field == name]

    def texts(self) -> dict[str, str]:
        """Return the texts of all fields below the root."""
        return {name: self.restore(text) for name, text in self._first_texts.items()}

    def children(self, name: str) -> list[Element]:
        """Return the elements of this name below the root."""
        return Element(self, self._root).children(name)

    def columns(self, item: str, *names: str) -> list[list[str]]:
        """Return for each name the texts of all items' fields, in the order of the items."""
        items = self._items(item)
        tags, paths = _field_paths(self._root.tag, item, names)
        if len(items) <= _ROW_WISE_MAX_ITEMS:
            columns = list(map(list, zip(*[_row(each, tags) for each in items], strict=True)))
            return self._restored(columns or [[] for _ in names])
        columns = [path(self._root) for path in paths]
        for number, column in enumerate(columns):
            # at most one node per item: where the numbers are equal, each node belongs to its item
            if len(column) != len(items) or not _are_texts(column):
                columns[number] = [_first(each, tags[number]) for each in items]
        return self._restored(columns)

    def nested_column(self, item: str, outer: str, name: str) -> list[str]:
        """Return the texts of the field `name` within all items' field `outer`, in the order of the items."""
        items = self._items(item)
        (outer_tag, tag), (_, path) = _field_paths(self._root.tag, item, (outer, name), nested=True)
        column = path(self._root) if len(items) > _ROW_WISE_MAX_ITEMS else []
        if len(column) != len(items) or not _are_texts(column):
            outers = [_first_element(each, outer_tag) for each in items]
            column = ["" if each is None else _first(each, tag) for each in outers]
        return self._restored([column])[0]

    def _items(self, item: str) -> list[etree._Element]:
        if item not in self._items_by_name:
            self._items_by_name[item] = list(self._root.iterchildren(f"{{*}}{item}"))
        return self._items_by_name[item]

    def _restored(self, columns: list[list[str]]) -> list[list[str]]:
        return [list(map(self.restore, column)) for column in columns] if self._repaired else columns

    def restore(self, text: str) -> str:
        """Return the text as the store sent it, where the document was repaired."""
        if not self._repaired:
            return text
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


class Element:
    """An element below the root; for documents that are deeper than a page."""

    def __init__(self, document: Document, element: etree._Element) -> None:
        """Wrap an element of a document."""
        self._document = document
        self._element = element

    @property
    def own_text(self) -> str:
        """Its text before its first child."""
        return self._document.restore(self._element.text or "")

    def names(self) -> list[str]:
        """Return the local names of its children."""
        return [_local(child.tag) for child in self._element.iterchildren()]

    def text(self, name: str) -> str:
        """Return the text of its first child of this name, '' without one."""
        return self._document.restore(_first(self._element, name))

    def children(self, name: str) -> list[Element]:
        """Return its children of this name."""
        return [Element(self._document, child) for child in self._element.iterchildren(f"{{*}}{name}")]


class _Parsers(threading.local):
    """The parsers of one thread: threads that share a parser wait for each other."""

    def __init__(self) -> None:
        self.utf_8 = _parser("utf-8")
        self.as_declared = _parser(None)


def _parse(body: bytes) -> tuple[etree._Element, bool]:
    """Return the root, and whether forbidden characters had to be replaced."""
    body = body[match.end() :] if (match := _BLANK_HEAD.match(body)) else body
    try:
        return _parse_strict(body), False
    except (etree.XMLSyntaxError, expat.ExpatError, ValueError, LookupError) as error:
        if not _is_repairable(error):
            raise NotXmlError from None
    text = body.decode("utf-8-sig", "surrogateescape")
    repaired = _FORBIDDEN.sub(_escape, text, count=MAX_REPAIRS)
    try:
        return _parse_strict(repaired.encode("utf-8"), encoding_known=True), True
    except (etree.XMLSyntaxError, expat.ExpatError, ValueError, LookupError):
        raise NotXmlError from None


def _is_repairable(error: Exception) -> bool:
    """Whether the text is at fault, rather than an encoding that a parser does not know."""
    if isinstance(error, etree.XMLSyntaxError):
        return getattr(error, "code", None) not in _ENCODING_ERRORS
    return isinstance(error, expat.ExpatError)


def _parse_strict(body: bytes, *, encoding_known: bool = False) -> etree._Element:
    plain = _PLAIN_HEAD.match(body)
    if not plain:
        _refuse_doctype(body, "utf-8" if encoding_known else None)
    return etree.fromstring(body, _PARSERS.utf_8 if plain or encoding_known else _PARSERS.as_declared)


def _refuse_doctype(body: bytes, encoding: str | None) -> None:
    """Read up to the root element, before any entity is declared.

    Raises DoctypeError where a DOCTYPE comes first, ExpatError, and ValueError or LookupError where the
    encoding cannot be read.
    """
    parser = expat.ParserCreate(encoding)
    parser.StartDoctypeDeclHandler = _raise_doctype
    parser.StartElementHandler = _raise_root_reached
    try:
        parser.Parse(body, True)  # noqa: FBT003 - takes no keywords
    except _RootReachedError:
        return


def _raise_doctype(*_: object) -> None:
    raise DoctypeError


def _raise_root_reached(*_: object) -> None:
    raise _RootReachedError


def _parser(encoding: str | None) -> etree.XMLParser:
    """Return a parser; `encoding` overrides what the document says."""
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


_PARSERS = _Parsers()


def _escape(match: re.Match[str]) -> str:
    """Replace a character that XML 1.0 forbids, or the escape character, by the escape and six hex digits."""
    hexadecimal, decimal, raw = match.groups()
    point = ord(raw) if raw else int(hexadecimal or decimal, 16 if hexadecimal else 10)
    if point > _LAST_CODE_POINT or (not raw and _is_allowed(point)):
        return match.group()
    return f"{_ESCAPE}{point:06x}"


def _is_allowed(point: int) -> bool:
    return _FORBIDDEN.fullmatch(chr(point)) is None


def _row(item: etree._Element, tags: Sequence[str]) -> list[str]:
    """Return the texts of an item's fields."""
    texts = {child.tag: child.text for child in item}
    if len(texts) == len(item):
        try:
            return [texts[tag] or "" for tag in tags]
        except KeyError:
            pass
    return [_first(item, tag) for tag in tags]


def _first(item: etree._Element, tag: str) -> str:
    """Return the text of an item's first field of this name."""
    child = _first_element(item, tag)
    return "" if child is None else child.text or ""


def _first_element(item: etree._Element, tag: str) -> etree._Element | None:
    """Return an item's first field of this name, in the root's namespace before any other."""
    for each in (tag, f"{{*}}{_local(tag)}"):
        for child in item.iterchildren(each):
            return child
    return None


def _are_texts(nodes: Sequence[str]) -> bool:
    """Whether no node is an element: a field that begins with an element has no text."""
    try:
        "".join(nodes)
    except TypeError:
        return False
    return True


@lru_cache(maxsize=16)
def _field_paths(
    root_tag: str, item: str, names: tuple[str, ...], *, nested: bool = False
) -> tuple[tuple[str, ...], list[Callable[..., Any]]]:
    """Return for each name its tag in the root's namespace, and the XPath to each item's first such field.

    The XPath fetches the first node of that field. `nested` names are fields each within the one before.
    """
    namespace = root_tag.rpartition("}")[0][1:]
    namespaces = {"s": namespace} if namespace else None
    prefix = "s:" if namespace else ""
    steps = [f"{prefix}{name}[1]" for name in names]
    if nested:
        steps = ["/".join(steps[: number + 1]) for number in range(len(steps))]
    paths = [f"{prefix}{item}/{step}/node()[1]" for step in steps]
    tags = tuple(f"{{{namespace}}}{name}" if namespace else name for name in names)
    return tags, [etree.XPath(path, namespaces=namespaces, smart_strings=False) for path in paths]


@lru_cache(maxsize=64)
def _any_namespace(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{{*}}{name}" for name in names)


@lru_cache(maxsize=256)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
