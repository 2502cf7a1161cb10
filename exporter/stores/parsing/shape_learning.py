"""Shapes of pages, learned from pages that the parser has proven: a bounded number, at a bounded cost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from exporter.stores.parsing.markup import NoShapeError, markup_of
from exporter.stores.parsing.page_shape import PageShape
from exporter.stores.parsing.page_text import page_text

if TYPE_CHECKING:
    from exporter.stores.parsing.fields import PageFields, PageKind
    from exporter.stores.parsing.page_shape import ShapedPage

MAX_SHAPES = 8
"""Shapes kept of each kind of page: of one store it is one or two."""
FREE_LESSONS = 32
"""Pages that are learned from in any case."""
PAGES_READ_PER_LESSON, PAGES_PARSED_PER_LESSON = 16, 512
"""To learn takes as long as to parse some pages: after the first lessons, another takes so many pages read by
a shape, or so many parsed, lest a store that never writes two pages alike slow us down."""


class Shapes:
    """The shapes of one kind of page, those used last first. Safe to use from many threads."""

    def __init__(self, kind: PageKind, limit: int = MAX_SHAPES) -> None:
        """Begin without shapes, and keep at most `limit`."""
        self.kind = kind
        self._limit = limit
        self._shapes: tuple[PageShape, ...] = ()
        self._lock = threading.Lock()
        self._lessons = self._read = self._parsed = 0

    def read(self, body: bytes) -> ShapedPage | None:
        """Return the fields of a page of a known shape, None where the parser has to read it."""
        shapes = self._shapes
        page = page_text(body) if shapes else None
        if page is None:
            return None
        text, has_references = page
        for shape in shapes:
            found = shape.read(text, has_references=has_references)
            if found is not None:
                self._read += 1  # a rough count will do, here and below
                if shape is not shapes[0]:
                    self._put_first(shape)
                return found
        return None

    def learn(self, body: bytes, document: PageFields) -> None:
        """Learn the shape of a page that the parser has read as `document`, if it has one."""
        self._parsed += 1
        page = page_text(body) if self._may_learn and not document.is_repaired else None
        if page is None:  # no pattern could read it: that is no lesson
            return
        self._lessons += 1
        text, has_references = page
        shape, instead_of = self._shape_of(text)
        found = shape.read(text, has_references=has_references) if shape else None
        if shape and found and self._reads_alike(found, document):
            self._put_first(shape, instead_of)

    @property
    def _may_learn(self) -> bool:
        earned = self._read // PAGES_READ_PER_LESSON + self._parsed // PAGES_PARSED_PER_LESSON
        return self._lessons < FREE_LESSONS + earned

    def _shape_of(self, text: str) -> tuple[PageShape | None, PageShape | None]:
        """Return the shape of a page, None if it has none; and a known shape that is covered by it."""
        try:
            markup = markup_of(text, self.kind)
        except NoShapeError:
            return None, None
        for known in self._shapes:
            try:
                return PageShape(self.kind, known.markup.merged(markup, self.kind)), known
            except NoShapeError:
                continue
        return PageShape(self.kind, markup), None

    def _reads_alike(self, read: PageFields, document: PageFields) -> bool:
        kind = self.kind
        return all(read.text(name) == document.text(name) for name in kind.fields) and all(
            _column(read, kind.path, name) == _column(document, kind.path, name) for name in kind.columns
        )

    def _put_first(self, shape: PageShape, instead_of: PageShape | None = None) -> None:
        with self._lock:
            others = tuple(each for each in self._shapes if each is not shape and each is not instead_of)
            self._shapes = (shape, *others)[: self._limit]


def _column(page: PageFields, item: str, name: str) -> list[str]:
    outer, _, inner = name.rpartition("/")
    return page.nested_column(item, outer, inner) if outer else page.columns(item, name)[0]
