"""XML documents: parsed by libxml2 without DTDs, read column by column.

lxml takes half the time of the standard library's ElementTree, and one XPath fetches a field of all items.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from exporter.stores.parsing.parser import parse
from exporter.stores.parsing.repair import CLASSES, NAMES, restore_class, restore_name, restore_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROW_WISE_MAX_ITEMS = 20
"""Up to this number of items, reading item by item is faster than XPaths."""


class Document:
    """A parsed document: the fields below its root, and the fields of its items.

    Fields are looked up by local name, in any namespace. Of a repeated field the first counts: below the root
    the first of all, in an item the first in the root's namespace before any other. A missing field is '';
    so is one that is `torn`.
    """

    def __init__(self, body: bytes, *fields: str) -> None:
        """Parse a body; of the fields below the root only `fields` are read, all if none are given.

        Raises DoctypeError and NotXmlError.
        """
        self._root, self.is_repaired, self._lease = parse(body)
        """Whether it held characters that XML forbids."""
        self.torn: list[str] = []
        """The names of fields read so far that held such characters, and are no names (`repair.NAMES`)."""
        self.name = _local(self._root.tag)
        attributes = [name for name in fields if name.startswith("@")]
        children = self._root.iterchildren(*_any_namespace(fields))
        named = ((_local(child.tag), child.text or "") for child in children)
        self._all_fields = [(name, self.restore(name, text)) for name, text in named]
        self._all_fields += [(name, self._root.get(name[1:], "")) for name in attributes]
        self.fields: dict[str, str | None] = dict(reversed(self._all_fields))
        """The text of each field below the root that was asked for; see `PageFields`."""
        self._items_by_name: dict[str, list[etree._Element]] = {}

    def text(self, name: str) -> str:
        """Return the text of a field below the root."""
        return self.fields.get(name) or ""

    def all_texts(self, name: str) -> list[str]:
        """Return the texts of all fields of this name below the root."""
        return [text for field, text in self._all_fields if field == name]

    def has_text_in(self, name: str, inner: str) -> bool:
        """Whether a field of this name below the root has an `inner` field with text."""
        return name in self.fields and any(child.text(inner) for child in self.children(name))

    def texts(self) -> dict[str, str]:
        """Return the texts of all fields below the root."""
        return {name: text or "" for name, text in self.fields.items()}

    def names(self) -> set[str]:
        """Return the names of all elements below the root."""
        return {_local(child.tag) for child in self._root.iterchildren("{*}*")}

    def outer_elements(self) -> set[str]:
        """Return the names of the elements below the root that have elements in them."""
        return {_local(child.tag) for child in self._root.iterchildren("{*}*") if len(child)}

    def children(self, name: str) -> list[Element]:
        """Return the elements of this name below the root."""
        return Element(self, self._root).children(name)

    def error(self) -> Element | None:
        """Return the first element named Error: the root, or at any depth below it."""
        for error in self._root.iter("{*}Error"):
            return Element(self, error)
        return None

    def stray(self, paths: Sequence[Sequence[str]], fields: Sequence[str]) -> str:
        """Return the name of an element that has all of these fields, and is at none of these paths.

        '' where there is none; the paths are from below the root.
        """
        every = f"{{*}}{fields[0]}"
        in_place = sum(_count_path(self._root.tag, (*path, fields[0]))(self._root) for path in paths)
        if sum(1 for _ in self._root.iter(every)) == in_place:  # nearly always
            return ""
        for field in self._root.iter(every):
            element = field.getparent()
            if (
                element is not None
                and not any(self._is_at(path, element) for path in paths)
                and all(next(element.iterchildren(f"{{*}}{name}"), None) is not None for name in fields)
            ):
                return _local(element.tag)
        return ""

    def _is_at(self, path: Sequence[str], element: etree._Element) -> bool:
        for name in reversed(path):
            outer = element.getparent()
            if outer is None or _local(element.tag) != name:
                return False
            element = outer
        return element is self._root

    def columns(self, item: str, *names: str) -> list[list[str]]:
        """Return for each name the texts of all items' fields, in the order of the items."""
        items = self._items(item)
        tags, paths = _field_paths(self._root.tag, item, names)
        if len(items) <= _ROW_WISE_MAX_ITEMS:
            columns = list(map(list, zip(*[_row(each, tags) for each in items], strict=True)))
            return self._restored(names, columns or [[] for _ in names])
        columns = [path(self._root) for path in paths]
        for number, column in enumerate(columns):
            # at most one node per item: where the numbers are equal, each node belongs to its item
            if len(column) != len(items) or not _are_texts(column):
                has_any = column or self._has(names[number])
                columns[number] = (
                    [_first(each, tags[number]) for each in items] if has_any else [""] * len(items)
                )
        return self._restored(names, columns)

    def nested_column(self, item: str, outer: str, name: str) -> list[str]:
        """Return the texts of the field `name` within all items' field `outer`, in the order of the items."""
        items = self._items(item)
        (outer_tag, tag), (_, path) = _field_paths(self._root.tag, item, (outer, name), nested=True)
        column = path(self._root) if len(items) > _ROW_WISE_MAX_ITEMS else []
        if not (column or self._has(name)):
            return [""] * len(items)
        if len(column) != len(items) or not _are_texts(column):
            outers = [_first_element(each, outer_tag) for each in items]
            column = ["" if each is None else _first(each, tag) for each in outers]
        return self._restored((name,), [column])[0]

    def _has(self, name: str) -> bool:
        """Whether there is an element of this name, which may take long to look for in each item."""
        return next(self._root.iter(f"{{*}}{name}"), None) is not None

    def attributes(self, item: str, field: str, name: str) -> list[str]:
        """Return an attribute of the field `field` of all items; '' where a field is without it."""
        fields = [_first_element(each, f"{{*}}{field}") for each in self._items(item)]
        return ["" if each is None else each.get(name, "") for each in fields]

    def _items(self, item: str) -> list[etree._Element]:
        if item not in self._items_by_name:
            within: list[etree._Element] = [self._root]
            for name in item.split("/"):
                within = [child for outer in within for child in outer.iterchildren(f"{{*}}{name}")]
            self._items_by_name[item] = within
        return self._items_by_name[item]

    def _restored(self, names: Sequence[str], columns: list[list[str]]) -> list[list[str]]:
        if not self.is_repaired:
            return columns
        return [
            [self.restore(name, text) for text in column] for name, column in zip(names, columns, strict=True)
        ]

    def restore(self, name: str, text: str) -> str:
        """Return the text of a field of this name as the store sent it, where the document was repaired."""
        if not self.is_repaired:
            return text
        if name in NAMES or name in CLASSES:
            return (restore_name if name in NAMES else restore_class)(text)
        restored = restore_value(text)
        if restored is None:
            self.torn.append(name)
        return restored or ""


class Element:
    """An element below the root; for documents that are deeper than a page."""

    def __init__(self, document: Document, element: etree._Element) -> None:
        """Wrap an element of a document."""
        self._document = document
        self._element = element

    @property
    def own_text(self) -> str:
        """Its text before its first child."""
        return self._document.restore(_local(self._element.tag), self._element.text or "")

    def names(self) -> list[str]:
        """Return the local names of its children."""
        return [_local(child.tag) for child in self._element.iterchildren()]

    def text(self, name: str) -> str:
        """Return the text of its first child of this name, '' without one."""
        return self._document.restore(name, _first(self._element, name))

    def children(self, name: str) -> list[Element]:
        """Return its children of this name."""
        return [Element(self._document, child) for child in self._element.iterchildren(f"{{*}}{name}")]


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
    where = "/".join(f"{prefix}{name}" for name in item.split("/"))
    paths = [f"{where}/{step}/node()[1]" for step in steps]
    tags = tuple(f"{{{namespace}}}{name}" if namespace else name for name in names)
    try:
        return tags, [etree.XPath(path, namespaces=namespaces, smart_strings=False) for path in paths]
    except etree.XPathSyntaxError:  # of a path that is none: libxml2 has too little memory
        raise MemoryError from None


@lru_cache(maxsize=16)
def _count_path(root_tag: str, names: tuple[str, ...]) -> Callable[..., Any]:
    """Return an XPath that counts the elements at a path below the root, in its namespace."""
    namespace = root_tag.rpartition("}")[0][1:]
    path = "/".join(f"s:{name}" if namespace else name for name in names)
    return etree.XPath(f"count({path})", namespaces={"s": namespace} if namespace else None)


@lru_cache(maxsize=64)
def _any_namespace(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{{*}}{name}" for name in names if not name.startswith("@"))


@lru_cache(maxsize=256)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
