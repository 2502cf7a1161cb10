"""Whether a store lists uploads by prefix: some know whole keys only, and list nothing for a part of one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.scan.examination.questions import Question
from exporter.stores.base import PageRequest, pieces_of
from exporter.stores.pagination.uploads_paginator import UploadsPaginator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Upload
    from exporter.state.ledger import Ledger
    from exporter.stores.base import Page
    from exporter.stores.pagination.listing import Task

CHECK_SECONDS = 86400.0
"""Time for which the outcome of a check is used."""


class PrefixCheck:
    """Checks the watched prefix of one bucket where nothing is listed under it. For one pass.

    A page of the whole bucket shows uploads of the prefix that the listing lacks, or any other upload: by a
    part of its key a store that lists by prefix lists it.
    """

    def __init__(self, bucket: BucketSettings, ledger: Ledger, now: float, found: Callable[[], None]) -> None:
        """Make it; `now` is the scan's start (Unix seconds), `found` is called where the prefix is broken."""
        self._bucket = bucket
        self._prefix = bucket.prefix or ""
        self._ledger = ledger
        self._now = now
        self._found = found

    @property
    def is_broken(self) -> bool:
        """Whether the store is known not to list by prefix."""
        return bool(self._prefix) and self._ledger.traits.prefix_is_broken and not self.is_due

    @property
    def is_due(self) -> bool:
        """Whether no check was made within a day."""
        checked_at = self._ledger.traits.prefix_checked_at
        return checked_at is None or not 0 <= self._now - checked_at < CHECK_SECONDS

    def questions(self, lacking: Callable[[Sequence[Upload]], Sequence[Upload]]) -> Iterator[Question]:
        """Yield the question; `lacking` returns those of uploads that the listing has not shown."""
        yield Question(is_prefix_broken(self._bucket, lacking), self._take)

    def _take(self, is_broken: bool | Exception | None) -> None:  # noqa: FBT001 - an answer
        if isinstance(is_broken, Exception) or is_broken is None:
            return
        traits = self._ledger.traits
        self._ledger.traits = traits._replace(prefix_checked_at=self._now, prefix_is_broken=is_broken)
        if is_broken:
            self._found()


def is_prefix_broken(
    bucket: BucketSettings, lacking: Callable[[Sequence[Upload]], Sequence[Upload]] = list
) -> Task[bool | None]:
    """Return whether the store does not list by the bucket's prefix, None where no upload shows it.

    `lacking` returns those of uploads that a listing by the prefix has not shown. Raises StoreError.
    """
    prefix = bucket.prefix or ""

    def lost(listed: Collection[Upload]) -> Sequence[Upload]:
        return lacking([upload for upload in listed if upload.key.startswith(prefix)])

    uploads, is_whole = yield from _first_pages(replace(bucket, prefix=None), lost)
    later = () if is_whole else (yield from _page_after(bucket, prefix))
    if lost([*uploads, *later]):
        return True
    for upload in uploads:
        if part := _part_of(upload.key, folder=prefix.endswith("/")):
            same = partial(_of_key, upload.key)
            listed, _ = yield from _first_pages(replace(bucket, prefix=part), same)
            return not same(listed)
    return None


def _page_after(bucket: BucketSettings, key: str) -> Task[Collection[Upload]]:
    """Return a page of the whole bucket from a key on, as most stores list by key."""
    try:
        page = yield PageRequest(replace(bucket, prefix=None), None, (key, ""))
    except StoreError:
        return ()
    return page.items


def _part_of(key: str, *, folder: bool) -> str:
    """Return a beginning of the key, a `folder` or not, as the watched prefix is; '' where it has none."""
    if folder:
        parts = key.rstrip("/").rpartition("/")
        return parts[0] + parts[1]
    return key[:-1].rstrip("/")


def _of_key(key: str, uploads: Collection[Upload]) -> Sequence[Upload]:
    return [each for each in uploads if each.key == key]


def _first_pages(
    bucket: BucketSettings, needed: Callable[[Collection[Upload]], Iterable[Upload]]
) -> Task[tuple[Sequence[Upload], bool]]:
    """Return the first page of a bucket's uploads, and whether these are all.

    Of several nodes, it is that of each one that lists all on one page; of a page in pieces the first one,
    and of each other one the first upload that is `needed`.
    """
    paginator = UploadsPaginator()
    uploads: list[Upload] = []
    while True:
        page: Page[Upload] = yield PageRequest(bucket, None, paginator.marker)
        for number, piece in enumerate(pieces_of(page)):
            new = paginator.accept(piece)
            uploads += islice(needed(new), 1) if number else new
        if paginator.done or not piece.last_of_node:
            return uploads, paginator.done
