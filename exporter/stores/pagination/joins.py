"""The question at a boundary between two segments of a listing: whether the store loses uploads there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import PageRequest, pieces_of
from exporter.stores.pagination.end_check import ends
from exporter.stores.pagination.listing import RestartError, list_by_key, list_next_page, within_prefix
from exporter.stores.pagination.segment_paginator import Segment, SegmentPaginator

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Upload
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

    None of them where the segment saw no upload past it, although later segments list some. `marker` is that
    of the segment's last page.
    """

    number: int
    boundary: str
    doubted: Sequence[Upload]
    marker: Marker | None


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
    if not join.doubted:
        is_cut = yield from _is_cut(join, order, bucket, may_encode=may_encode)
        return JoinAnswer(wrong=ENDED if is_cut else "")
    again, last = SegmentPaginator(Segment(after=join.boundary), order), join.doubted[-1].key
    for _ in range(MAX_PAGES):
        yield from list_next_page(again, bucket, may_encode=may_encode)
        if again.done or again.contradiction or order.is_past(again.last_key or "", last):
            break
    else:
        return JoinAnswer(wrong=UNTAKEN)
    missing = again.lacking(join.doubted)
    if again.contradiction:
        return JoinAnswer(wrong=again.contradiction)
    if (yield from _are_there(missing, join, bucket, may_encode=may_encode)):
        return JoinAnswer(wrong=UNTAKEN)
    ended = set(missing)
    return JoinAnswer(within_prefix([each for each in join.doubted if each not in ended], bucket))


def _is_cut(join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool) -> Task[bool]:
    """Whether the page that ended a segment lacks uploads that are listed after the boundary.

    These are asked for before it and after it: in between they may have ended.
    """
    first = yield from _follow(join, order, bucket, may_encode=may_encode)
    if not first:
        return False
    page = yield PageRequest(bucket, None, join.marker)
    for piece in pieces_of(page):
        if any(order.is_past(upload.key, join.boundary) for upload in piece.items):
            return False
    if not ends(piece):
        return False
    again = yield from _follow(join, order, bucket, may_encode=may_encode)
    return not first.isdisjoint(again)


def _follow(
    join: Join, order: KeyOrder, bucket: BucketSettings, *, may_encode: bool
) -> Task[set[tuple[str, str]]]:
    """Return names of the first uploads that are listed after the boundary."""
    paginator = SegmentPaginator(Segment(after=join.boundary), order)
    while not paginator.done and not paginator.contradiction:
        page = yield from list_next_page(paginator, bucket, may_encode=may_encode)
        if page:
            return {(upload.key, upload.upload_id) for upload in page}
    return set()


def _are_there(
    uploads: Sequence[Upload], join: Join, bucket: BucketSettings, *, may_encode: bool
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
        last = list(piece.items)[-1].key if piece.items else ""
        uploads = [] if ends(piece) else [each for each in uploads if each.key >= last]
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
