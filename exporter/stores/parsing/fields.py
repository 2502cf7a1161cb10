"""What a page is read from: its fields and the columns of its items, however they were found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class PageFields(Protocol):
    """The texts of a page's fields; see `Document` for how they are looked up. A missing one is ''."""

    @property
    def is_repaired(self) -> bool:
        """Whether it held characters that XML forbids."""

    @property
    def torn(self) -> Sequence[str]:
        """The names of fields read so far that cannot be read for such characters."""

    @property
    def fields(self) -> dict[str, str | None]:
        """The text of each field below the root; None, or no entry, without one."""

    def text(self, name: str) -> str:
        """Return the text of a field below the root."""

    def all_texts(self, name: str) -> list[str]:
        """Return the texts of all fields of this name below the root."""

    def has_text_in(self, name: str, inner: str) -> bool:
        """Whether a field of this name below the root has an `inner` field with text."""

    def columns(self, item: str, *names: str) -> list[list[str]]:
        """Return for each name the texts of all items' fields, in the order of the items.

        `item` is the path of an item below the root.
        """

    def nested_column(self, item: str, outer: str, name: str) -> list[str]:
        """Return the texts of the field `name` within all items' field `outer`."""


class PageKind(NamedTuple):
    """A kind of page: its operation, the names of its root and its items, and what is read of it.

    `fields` are those below the root, `@Name` for an attribute of the root; `columns` those of an item,
    `Outer/Inner` for one within another. Nothing but an item has all `marks` in it. Items are below the root,
    or below the element `within` that is.
    """

    operation: str
    root: str
    item: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    marks: tuple[str, ...]
    within: str = ""

    @property
    def has_attributes(self) -> bool:
        """Whether its root has attributes that differ from page to page."""
        return any(name.startswith("@") for name in self.fields)

    @property
    def path(self) -> str:
        """Where the items are, below the root."""
        return f"{self.within}/{self.item}" if self.within else self.item
