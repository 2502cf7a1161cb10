"""The question at a boundary between two segments of a listing: whether the store loses uploads there."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.boundaries import Boundary, SegmentStart
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import PageRequest, keys_of, pieces_of
from exporter.stores.pagination.end_check import ends
from exporter.stores.pagination.listing import (
    RestartError,
    ask_twice,
    list_by_key,
    list_next_page,
    within_prefix,
)
from exporter.stores.pagination.segment_paginator import Segment, SegmentPaginator

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.stores.base import Marker
    from exporter.stores.pagination.key_order import KeyOrder
    from exporter.stores.pagination.listing import Task

UNTAKEN = "uploads are not listed after a key"
ENDED = "the listing ended before uploads that are listed after a key"
FAILED = "a page after a key failed"

_ANSWERS = {Reason.BAD_RESPONSE, Reason.UNSUPPORTED}

MAX_PAGES = 5
"""Maximum number of pages after a boundary that are asked for again."""
MAX_KEYS = 10
"""Maximum number of keys that are asked for by name."""


class Join(NamedTuple):
    """A boundary at which a segment ended, and the uploads past it that no later segment has listed.

    None of them where the segment saw none past it, although later segments list some. `marker` is that of
    the segment's last page, or of the one before: where a marker names what its page begins with, an empty
    last page says nothing of what is before that. `first_key` is the first that the next segment has shown.
    `is_apart` is whether the one ended before the other began, so that neither shows what is between.
    """

    number: int
    boundary: Boundary
    doubted: Sequence[Upload]
    marker: Marker | None
    is_apart: bool = False
    first_key: str | None = None


class JoinAnswer(NamedTuple):
    """What the store says at a boundary now: `found` are those doubted uploads that are listed after it.

    The others have ended, unless something is `wrong`: a sentence, '' for nothing.
    """

    found: Collection[Upload] = ()
    wrong: str = ""


def ask_at_join(join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool) -> Task[JoinAnswer]:
    """Ask again for the uploads after a boundary, then by name for those doubted that are not listed.

    Uploads that begin while a scan runs are on the later of two pages only; the store loses those that it
    does not list after the boundary even now. Raises StoreError and RestartError.
    """
    if join.is_apart:
        return (yield from _list_between(join, order, bucket, may_encode=may_encode))
    if not join.doubted:
        is_cut = yield from _is_cut(join, order, bucket, may_encode=may_encode)
        return JoinAnswer(wrong=ENDED if is_cut else "")
    again, last = _after(join, order), join.doubted[-1].key
    pages = 0
    while pages < MAX_PAGES:
        yield from list_next_page(again, bucket, may_encode=may_encode)
        pages += again.rest is None
        if again.done or again.contradiction or order.is_past(again.last_key or "", last):
            break
    else:
        return JoinAnswer(wrong=UNTAKEN)
    missing = again.lacking(join.doubted)
    if again.contradiction:
        return JoinAnswer(wrong=again.contradiction)
    if (yield from _are_there(missing, join, order, bucket, may_encode=may_encode)):
        return JoinAnswer(wrong=UNTAKEN)
    ended = set(missing)
    return JoinAnswer(within_prefix([each for each in join.doubted if each not in ended], bucket))


def _after(join: Join, order: KeyOrder) -> SegmentPaginator:
    """Return a new listing of what is past the boundary."""
    return SegmentPaginator(Segment(after=join.boundary.key, start=join.boundary.start), order)


def _list_between(
    join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool
) -> Task[JoinAnswer]:
    """List in one stream what is past the boundary, from the segment's last page to where the next began."""
    start = SegmentStart(join.marker)
    between, found = SegmentPaginator(Segment(after=join.boundary.key, start=start), order), list[Upload]()
    pages = 0
    while pages < MAX_PAGES:
        found += yield from list_next_page(between, bucket, may_encode=may_encode)
        pages += between.rest is None
        if between.contradiction:
            return JoinAnswer(wrong=between.contradiction)
        if between.done or (between.last_key is not None and _is_met(join, order, between.last_key)):
            return JoinAnswer(found)
    return JoinAnswer(wrong=UNTAKEN)


def _is_met(join: Join, order: KeyOrder, last_key: str) -> bool:
    return join.first_key is not None and not order.is_past(join.first_key, last_key)


def _is_cut(join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool) -> Task[bool]:
    """Whether the page that ended a segment lacks uploads that are listed after the boundary.

    These are asked for before it and after it: in between they may have ended.
    """
    first = yield from _follow(join, order, bucket, may_encode=may_encode)
    if not first:
        return False
    marker = join.marker
    for _ in range(1 if join.boundary.start is None else MAX_PAGES):
        page = yield PageRequest(bucket, None, marker)
        for piece in pieces_of(page):
            if any(order.is_past(key, join.boundary.key) for key in keys_of(piece)):
                return False
        if ends(piece):
            break
        marker = piece.next_marker
    else:
        return False
    again = yield from _follow(join, order, bucket, may_encode=may_encode)
    return not first.isdisjoint(again)


def _follow(
    join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool
) -> Task[set[tuple[str, str]]]:
    """Return names of the first uploads that are listed after the boundary."""
    if join.boundary.start is not None:
        return (yield from _follow_marker(join, order, bucket))
    paginator = _after(join, order)
    while not paginator.done and not paginator.contradiction:
        page = yield from list_next_page(paginator, bucket, may_encode=may_encode)
        if page:
            return {(upload.key, upload.upload_id) for upload in page}
    return set()


def _follow_marker(join: Join, order: KeyOrder, bucket: BucketSettings) -> Task[set[tuple[str, str]]]:
    """Do as `_follow` with all that is listed, uploads or not."""
    marker = join.marker if join.boundary.start is None else join.boundary.start.marker
    for _ in range(MAX_PAGES):
        page = yield from ask_twice(PageRequest(bucket, None, marker))
        pieces = list(pieces_of(page))
        keys = chain.from_iterable(map(keys_of, pieces))
        names = {(key, "") for key in keys if order.is_past(key, join.boundary.key)}
        if names or ends(pieces[-1]):
            return names
        marker = pieces[-1].next_marker
    return set()


def _are_there(
    uploads: Sequence[Upload], join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool
) -> Task[bool]:
    """Whether any of these uploads is still listed, or nobody can tell.

    Many are looked for on the page that showed them, which is asked for again; what it no longer covers, as
    others have begun, and few, by name.
    """
    if len({upload.key for upload in uploads}) > MAX_KEYS:
        page = yield PageRequest(bucket, None, join.marker)
        doubted = set(uploads)
        for piece in pieces_of(page):
            if not doubted.isdisjoint(piece.items):
                return True
        last = next(reversed(keys_of(piece)), "")
        uploads = [] if ends(piece) else [each for each in uploads if not order.is_past(last, each.key)]
    keys = dict.fromkeys(upload.key for upload in uploads)
    if len(keys) > MAX_KEYS:
        return True
    ids = {upload.upload_id for upload in uploads}
    for key in keys:
        listing = yield from list_by_key(bucket, key, may_encode=may_encode)
        if not listing.complete or any(each.upload_id in ids for each in listing.uploads):
            return True
    return False


def why_failed(error: Exception, refused: str) -> str:
    """Return FAILED for an error that may pass, and `refused` for one that is the store's answer to a key."""
    if isinstance(error, RestartError):
        return refused
    lasts = isinstance(error, StoreError) and error.reason in _ANSWERS and not error.garbled
    return refused if lasts else FAILED
