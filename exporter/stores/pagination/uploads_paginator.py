"""The paginator of a bucket's uploads: knows the ways on that S3 has, and remembers what was shown."""

from __future__ import annotations

from array import array
from operator import itemgetter
from typing import TYPE_CHECKING

from exporter.model.uploads import Upload
from exporter.stores.pagination.end_check import EndCheck, ends, id_of, key_alone, key_of
from exporter.stores.pagination.hash_set import HashSet
from exporter.stores.pagination.paginator import Paginator, is_last, never_ends

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from exporter.model.errors import StoreError
    from exporter.stores.base import Marker, Page

MAX_UPLOADS = 20_000_000
"""Maximum number of uploads of a listing: twice as many as the largest that was read, in 160 MB of memory."""
_key_and_id = itemgetter(0, 1)


class UploadsPaginator(Paginator[Upload]):
    """State of the listing of a bucket's uploads, in 8 bytes an upload.

    The ways on are the marker as given, its key alone, and the last listed pair. In any way but the first,
    uploads are dropped that any page has shown (`HashSet`). An empty page at the end of a listing is believed
    only once another way says the same.
    """

    def __init__(self, *, by_key: bool = False, start: Marker | None = None) -> None:
        """Start a listing, at its first upload or after the marker `start`.

        `by_key` is for a store that is known to skip or refuse its own markers.
        """
        super().__init__(hashes_of)
        self.marker = self.start = start
        self.by_key = by_key
        """Whether each page is asked for by key alone, as the store refuses its own pairs."""
        self.encoded = False
        """Whether keys are asked for in percent-encoding, as the store's pages cannot be read otherwise."""
        self.outside_prefix = 0
        """Number of uploads left out because their keys do not begin with the bucket's prefix."""
        self.edge_keys: tuple[str, ...] = ()
        """Keys of which the page accepted last may lack uploads: they are to be asked for by name."""
        self._shown: array[int] | HashSet = array("q")
        self._first_of_pages: set[Hashable] = set()
        self._given: Marker | None = None
        self._last_key = ""
        self._keys_at_edge: tuple[str, ...] = ()
        self._refused: Marker | None = None
        self._page_marker: Marker | None = None
        self._end_check: EndCheck | None = None
        self._dead_ends: set[int] = set()

    def lacking(self, uploads: Collection[Upload]) -> list[Upload]:
        """Return those of these uploads that no page of this listing has shown."""
        hashes, shown = hashes_of(uploads), self._shown
        names = set(hashes)
        lacking = (
            names.difference(shown)
            if isinstance(shown, array)
            else {each for each in names if each not in shown}
        )
        return [upload for upload, name in zip(uploads, hashes, strict=True) if name in lacking]

    def shown(self) -> Collection[int]:
        """Return the hashes of the uploads that were returned."""
        return self._shown

    @property
    def is_plain(self) -> bool:
        """Whether each page so far was asked for by the marker that the page before named."""
        return isinstance(self._shown, array) and self._end_check is None and not self.encoded

    def accept(self, page: Page[Upload]) -> Collection[Upload]:
        """Take the page that was requested, as `Paginator.accept` does; ask about `edge_keys` next."""
        asked_with, keys = self.marker, self._keys_at_edge
        self.edge_keys = self._keys_at_edge = ()
        if self._end_check is not None:
            return self._accept_check(page, self._end_check)
        if not page.items and ends(page) and asked_with is not None and len(asked_with) > 1:
            self._end_check = EndCheck(page, asked_with, self._page_marker, self.start)
            self.marker = self._end_check.marker
            self.edge_keys = keys
            return page.items
        new = super().accept(page)
        self._page_marker = asked_with
        if new or self.done or not page.items:
            self.edge_keys = keys
        return new

    def accept_named(self, uploads: Sequence[Upload]) -> Collection[Upload]:
        """Take uploads that were listed by name, and return those that no page has shown."""
        self._remember_all()
        if self._refused and any(each[:2] == self._refused[-2:] for each in uploads):
            self._stay_by_key()  # the marker's upload had not ended
        self._refused = None
        return self._new_items(uploads)

    def refuse(self) -> bool:
        """Note that the store refused `marker`, and go another way; false where there is none."""
        refused = self.marker
        if self._end_check is not None:
            is_left = self._end_check.refuse()
            self.marker = self._end_check.marker
            return is_left
        if not super().refuse():
            return False
        self._refused = self._refused or refused
        # what was passed on the way to an upload that ended may lead elsewhere now
        self._dead_ends |= {hash(refused), hash(self.marker)}
        self._markers_tried = set(self._dead_ends)
        return True

    def _accept_check(self, page: Page[Upload], check: EndCheck) -> Collection[Upload]:
        """Go on where the page shows anything new; end the listing where it proves that there is nothing."""
        if self.lacking(page.items):
            self._end_check, self._other_ways = None, []
            self._remember_all()
            self.edge_keys = (check.key,) if check.key else ()
            return super().accept(page)
        if page.rest is not None:
            self.rest = page.rest
            return ()
        self.rest = None
        if not check.is_end(page):
            self.marker = check.marker
            return ()
        self._end_check = None
        if is_last(check.empty):
            self.done = True
        else:
            self._advance(check.empty, repeats_only=False)
        return ()

    def _stay_by_key(self) -> None:
        """Go on by key alone for good, as the store refuses its own pairs."""
        self.by_key = True
        pair = self.marker
        if key_alone(pair) and not self.done and self._end_check is None:
            self._markers_tried.discard(hash(pair))
            self._go_on([way for way in (key_alone(pair), pair, *self._other_ways) if way])

    def _recall(self, identities: Sequence[Hashable], distinct: set[Hashable]) -> set[Hashable]:
        if not (self._first_of_pages.isdisjoint(distinct) and self._page_before.isdisjoint(distinct)):
            self._remember_all()
        self._first_of_pages.add(identities[0])
        self._page_before = distinct
        if len(self._shown) + len(distinct) > MAX_UPLOADS:
            raise too_many_uploads()
        if isinstance(self._shown, array):
            self._shown.fromlist(identities)  # type: ignore[arg-type]  # of `hashes_of`
            return set()
        return self._shown.add_new(distinct)  # type: ignore[arg-type, return-value]  # of `hashes_of`

    def _remember_all(self) -> None:
        """Drop from now on what any page has shown, not only the page before."""
        if isinstance(self._shown, array):
            self._shown = HashSet.taken_from(self._shown)

    def _ways(self, page: Page[Upload]) -> list[Marker]:
        given, last = page.next_marker, page.last_marker
        ways = [given, key_alone(given), last, key_alone(last)]
        if self.by_key:
            ways.insert(0, key_alone(given or last))
        return list(dict.fromkeys(way for way in ways if way))

    def _advance(self, page: Page[Upload], *, repeats_only: bool) -> None:
        self._given = page.next_marker or page.last_marker
        self._last_key = key_of(page.last_marker)
        super()._advance(page, repeats_only=repeats_only)

    def _go_on(self, ways: Sequence[Marker]) -> bool:
        moves = super()._go_on(ways)
        if moves and (self.by_key or self.marker != self._given):
            self._remember_all()
            if self.by_key or not id_of(self.marker):
                keys = dict.fromkeys((key_of(self.marker), self._last_key))
                self._keys_at_edge = tuple(filter(None, keys))
        return moves


def too_many_uploads() -> StoreError:
    """Return the error of a bucket with more uploads than a scan takes."""
    return never_ends(f"{MAX_UPLOADS:,} uploads")


def hashes_of(uploads: Collection[Upload]) -> list[int]:
    """Return a hash of each upload's key and id."""
    return list(map(hash, map(_key_and_id, uploads)))
