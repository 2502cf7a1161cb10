"""Whether a store lists uploads by prefix: some know whole keys only, and list nothing for a part of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.scan.examination.questions import Question
from exporter.stores.base import PageRequest
from exporter.stores.pagination.uploads_paginator import UploadsPaginator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
        self._lacking: Callable[[Sequence[Upload]], Sequence[Upload]] = list

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
        """Yield the first question; `lacking` returns those of uploads that the listing has not shown."""
        self._lacking = lacking
        yield Question(self._is_broken(), self._take)

    def _is_broken(self) -> Task[bool | None]:
        """Return whether the store does not list by prefix, None where no upload shows it."""
        uploads = yield from _first_pages(replace(self._bucket, prefix=None))
        if self._lacking([upload for upload in uploads if upload.key.startswith(self._prefix)]):
            return True
        for upload in uploads:
            if part := _part_of(upload.key):
                listed = yield from _first_pages(replace(self._bucket, prefix=part))
                return all(each.key != upload.key for each in listed)
        return None

    def _take(self, is_broken: bool | Exception | None) -> None:  # noqa: FBT001 - an answer
        if isinstance(is_broken, Exception) or is_broken is None:
            return
        traits = self._ledger.traits
        self._ledger.traits = traits._replace(prefix_checked_at=self._now, prefix_is_broken=is_broken)
        if is_broken:
            self._found()


def _part_of(key: str) -> str:
    """Return the folder of a key, or the key without its last character; '' for a key of one character."""
    folder = key.rstrip("/").rpartition("/")
    return folder[0] + folder[1] or key[:-1]


def _first_pages(bucket: BucketSettings) -> Task[Sequence[Upload]]:
    """Return the first page of a bucket's uploads; of several nodes, of each that lists all on one page."""
    paginator = UploadsPaginator()
    uploads: list[Upload] = []
    while True:
        page: Page[Upload] = yield PageRequest(bucket, None, paginator.marker)
        uploads += paginator.accept(page)
        if paginator.done or not page.last_of_node:
            return uploads
