"""Whether an empty page is the end of a listing of uploads, or its marker's upload has ended meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.pagination.paginator import MAX_STALLED_PAGES, does_not_move, is_last

if TYPE_CHECKING:
    from exporter.model.uploads import Upload
    from exporter.stores.base import Marker, Page


class EndCheck:
    """Looks for what follows an empty page in other ways, as some servers list nothing after an ended upload.

    The marker's key alone is asked for, which nearly always ends it. A marker without a key, or of a key
    alone, is checked by the page that it came from: if that lists the marker's upload, it has not ended.
    """

    def __init__(
        self, empty: Page[Upload], asked_with: Marker, before: Marker | None, start: Marker | None = None
    ) -> None:
        """Check an `empty` page `asked_with` a marker that came from the page after `before`.

        `start` is the marker that the listing began with, None where it began at the first upload.
        """
        self.empty = empty
        self.key = key_of(asked_with) if key_alone(asked_with) else ""
        """Key of which the key alone may skip uploads; '' where that is not asked for."""
        self.marker: Marker | None = None
        """Where the next page starts."""
        self._before = before
        self._start = start
        self._doubted = asked_with
        self._walked: set[Marker | None] = set()
        self._pages = 0
        self._doubt(asked_with)

    def is_end(self, page: Page[Upload]) -> bool:
        """Whether the page after `marker`, which showed nothing new, proves the end; else `marker` moves.

        Raises StoreError (bad_response).
        """
        asked_with = self.marker
        if ends(page):
            is_proof = page.items or not (id_of(asked_with) or asked_with == self._before)
            if is_proof or asked_with is None or asked_with == self._start:
                return True
            self._doubt(asked_with)
        elif any(_names(self._doubted, each) for each in page.items):
            return True
        else:
            self._walk(page.next_marker or page.last_marker)
        return False

    def refuse(self) -> bool:
        """Note that the store refused `marker`, and go another way; false where there is none."""
        refused, self.marker = self.marker, self._before
        return refused != self._before

    def _doubt(self, asked_with: Marker) -> None:
        self._doubted = asked_with
        alone = key_alone(asked_with)
        start = asked_with[:-2] or self._start
        self.marker = alone or (self._before if asked_with != self._before else start)
        self._walked = {self.marker}
        self._count()

    def _walk(self, way: Marker | None) -> None:
        if way is None or way in self._walked:
            raise does_not_move()
        self._walked.add(way)
        self.marker = way
        self._count()

    def _count(self) -> None:
        self._pages += 1
        if self._pages > MAX_STALLED_PAGES:
            raise does_not_move()


def ends(page: Page[Upload]) -> bool:
    """Whether a page ends the listing, or that of one node of several."""
    return is_last(page) or page.last_of_node


def key_alone(marker: Marker | None) -> Marker | None:
    """Return the marker without its upload id; None where it has no key, or no id."""
    return (*marker[:-1], "") if marker and key_of(marker) and id_of(marker) else None


def key_of(marker: Marker | None) -> str:
    """Return the key in a marker, which may have a node's number before it; '' where it has none."""
    return marker[-2] if marker and len(marker) > 1 else ""


def id_of(marker: Marker | None) -> str:
    """Return the upload id in a marker, '' where it has none."""
    return marker[-1] if marker and len(marker) > 1 else ""


def _names(marker: Marker, upload: Upload) -> bool:
    key, upload_id = marker[-2:]
    return key in ("", upload.key) and upload_id in ("", upload.upload_id)
