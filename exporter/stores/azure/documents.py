"""Documents of Azure Blob Storage: read by a shape that is known, or parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.parsing.document import Document
from exporter.stores.parsing.document_size import memory_for, text_cost
from exporter.stores.parsing.pages import parse_answer
from exporter.stores.parsing.required import prove_empty

if TYPE_CHECKING:
    from exporter.stores.parsing.fields import PageFields
    from exporter.stores.parsing.shape_learning import Shapes
    from exporter.stores.transport.response import Response


def read(response: Response, shapes: Shapes) -> PageFields:
    """Return what a page says, read by its shape or parsed. Raises StoreError."""
    kind = shapes.kind
    lease = memory_for(text_cost(response.body))
    found = shapes.read(response.body)
    if found is not None and found.has_items:
        return found
    del lease
    return parse_answer(response, kind.root, kind.operation, *kind.fields)


def learn(document: PageFields, response: Response, shapes: Shapes) -> None:
    """Learn the shape of a page that was parsed, once it has proven itself."""
    if isinstance(document, Document):
        shapes.learn(response.body, document)


def prove_no_items(document: PageFields, operation: str) -> None:
    """Raise StoreError (bad_response) unless a page without items says that there are none."""
    if isinstance(document, Document):  # others have items: see `read`
        prove_empty(document, operation)
