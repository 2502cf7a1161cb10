"""The state of a listing, which all stores share: where it goes on, what repeats, when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.model.errors import Reason, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence

    from exporter.stores.base import Marker, Page

T = TypeVar("T")

MAX_STALLED_PAGES = 1000
"""Maximum number of pages in a row without a new item; a few are legal (filtered pages)."""
MAX_PAGES = 500_000
"""Maximum number of pages of a listing, each of which takes some 200 bytes of memory."""


class Paginator(Generic[T]):
    """State of one listing: `marker` is where the next page starts, until `done`.

    Only the store's answer ends it. Items repeated from the page before are dropped. Where the listing does
    not move, the other ways to go on are tried in turn: a listing that none of them moves is an error.
    """

    def __init__(self, identities: Callable[[Collection[T]], Sequence[Hashable]]) -> None:
        """Start a listing; items are compared by their `identities`, of which None equals no other."""
        self.marker: Marker | None = None
        self.done = False
        self._identities = identities
        self._page_before: set[Hashable] = set()
        self._markers_tried: set[int] = set()
        self._other_ways: list[Marker] = []
        self._stalled_pages = 0
        self._pages = 0
        self._has_moved = False
        self.rest: Callable[[], Page[T]] | None = None
        """Returns the next piece of the page that was accepted last, None where that is complete."""

    def accept(self, page: Page[T]) -> Collection[T]:
        """Take the page that was requested and return its new items.

        Raises StoreError (bad_response; unsupported where the listing does not end).
        """
        new = self._new_items(page.items)
        self._follow(page, moved=bool(new) or page.progressed)
        return new

    def refuse(self) -> bool:
        """Note that the store refused `marker`, and go another way; false where there is none."""
        return self._go_on(self._other_ways)

    def _new_items(self, items: Collection[T]) -> Collection[T]:
        if not items:
            return items
        identities = self._identities(items)
        distinct = set(identities)
        known = self._recall(identities, distinct)
        if len(distinct) == len(items) and known.isdisjoint(distinct):
            return items
        known = known - {None}
        new = []
        for identity, item in zip(identities, items, strict=True):
            if identity not in known:
                new.append(item)
                known |= set() if identity is None else {identity}
        return new

    def _recall(self, identities: Sequence[Hashable], distinct: set[Hashable]) -> set[Hashable]:  # noqa: ARG002
        """Return what may not be listed again, and note a page's items; `distinct` are these, each once."""
        known, self._page_before = self._page_before, distinct
        return known

    def _follow(self, page: Page[T], *, moved: bool) -> None:
        """End the listing after this page, or go on; a piece of a page leaves it where it is."""
        moved = moved or self._has_moved
        self.rest, self._has_moved = page.rest, moved and page.rest is not None
        if page.rest is not None:
            return
        self._stalled_pages = 0 if moved else self._stalled_pages + 1
        self._pages += 1
        if is_last(page):
            self.done = True
        elif self._pages >= MAX_PAGES:
            raise never_ends(f"{MAX_PAGES:,} pages")
        else:
            is_stuck = bool(page.items) and not moved and not page.last_of_node
            self._advance(page, repeats_only=is_stuck)

    def _ways(self, page: Page[T]) -> list[Marker]:
        """Return the ways to go on after a page, the best first."""
        return [marker for marker in (page.next_marker, page.last_marker) if marker]

    def _advance(self, page: Page[T], *, repeats_only: bool) -> None:
        ways = self._ways(page)
        if not ways:
            raise _bad_listing("is truncated but says not where it goes on")
        if repeats_only:  # this page's markers may lead round in a circle
            ways = [*self._other_ways, *ways]
        if self._stalled_pages >= MAX_STALLED_PAGES or not self._go_on(ways):
            raise does_not_move()

    def _go_on(self, ways: Sequence[Marker]) -> bool:
        """Take the first way that was not taken before, and keep the others; false where there is none."""
        untried = [way for way in ways if hash(way) not in self._markers_tried]
        if not untried:
            return False
        self.marker, self._other_ways = untried[0], untried[1:]
        self._markers_tried.add(hash(untried[0]))
        return True


def is_last(page: Page[T]) -> bool:
    """Whether a page says that the listing ends with it."""
    return page.truncated is False or (page.truncated is None and page.next_marker is None)


def does_not_move() -> StoreError:
    """Return the error of a listing that no way leads on."""
    return _bad_listing("does not move: the server repeats its pages")


def never_ends(so_many: str) -> StoreError:
    """Return the error of a listing that is longer than any that was seen, or never ends."""
    text = f"the listing has more than {so_many}, or does not end"
    return StoreError(Reason.UNSUPPORTED, f"{text}; watch the bucket in parts, a target for each prefix")


def _bad_listing(what: str) -> StoreError:
    return StoreError(Reason.BAD_RESPONSE, f"the listing {what}", status=200)
