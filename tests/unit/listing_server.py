"""A server of one bucket's uploads that orders, marks and ends its pages in any way that was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.stores.base import Marker, PageRequest
    from exporter.stores.pagination.listing import Task

MARKERS = ("pair", "next pair", "key and pair", "id", "none")
PAIRS = (
    "by place",
    "by place, inclusive",
    "lost once ended",
    "refused once ended",
    "refused",
    "ignored",
    "as key",
)
KEYS = ("after", "from", "refused")


def refusal(status: int = 400, code: str = "InvalidArgument") -> StoreError:
    return StoreError(Reason.BAD_RESPONSE, "no such marker", status=status, code=code)


@dataclass
class ListingServer:
    """Lists `uploads` by key and id or (`by_id`) by id alone, in pages of `page_size`.

    `markers` says what its pages give as next marker, `pairs` and `keys` how it takes a pair and a key alone;
    it takes an id alone by its place. With `sloppy`, a full page is always truncated; `unsaid` leaves out
    IsTruncated where it is false. `ending` maps a request's number, from 0, to the ids that end before it.
    """

    uploads: list[Upload]
    page_size: int = 2
    page_size_by_name: int = 1000
    by_id: bool = False
    markers: str = "pair"
    pairs: str = "by place"
    keys: str = "after"
    sloppy: bool = False
    unsaid: bool = False
    ending: dict[int, set[str]] = field(default_factory=dict)
    asked: list[PageRequest] = field(default_factory=list)

    def run(self, task: Task[Any]) -> Any:
        """Answer a task's requests; return what it returns, raise what it raises."""
        move: Callable[[Any], PageRequest] = task.send
        what: Any = None
        while True:
            try:
                request = move(what)
            except StopIteration as end:
                return end.value
            try:
                what, move = self.answer(request), task.send
            except StoreError as error:
                what, move = error, task.throw

    def answer(self, request: PageRequest) -> Page[Upload]:
        ended = self.ending.get(len(self.asked), set())
        self.asked.append(request)
        self.uploads = [upload for upload in self.uploads if upload.upload_id not in ended]
        listed = [each for each in self.uploads if each.key.startswith(request.bucket.prefix or "")]
        rest = self._after(sorted(listed, key=self._place), request.marker)
        page_size = self.page_size_by_name if request.by_name else self.page_size
        page = rest[:page_size]
        more = len(rest) > len(page) or (self.sloppy and len(page) == page_size)
        return Page(
            page,
            truncated=more or (None if self.unsaid else False),
            next_marker=self._next_marker(page, rest[len(page) :]) if more else None,
            last_marker=page[-1][:2] if page else None,
        )

    def _place(self, upload: Upload) -> tuple[str, ...]:
        return (upload.upload_id,) if self.by_id else (upload.key, upload.upload_id)

    def _next_marker(self, page: Sequence[Upload], rest: Sequence[Upload]) -> Marker | None:
        following = rest[0] if rest and self.markers == "next pair" else page[-1]
        if self.markers == "key and pair" and (not rest or rest[0].key != following.key):
            return (following.key, "")
        return {"none": None, "id": ("", following.upload_id)}.get(self.markers, following[:2])

    def _after(self, listed: list[Upload], marker: Marker | None) -> list[Upload]:
        key, upload_id = marker or ("", "")
        if marker is None:
            return listed
        if not upload_id or (key and self.pairs == "as key"):
            return self._after_key(listed, key)
        if not key:
            return [each for each in listed if each.upload_id > upload_id]
        ended = all(each[:2] != marker for each in self.uploads)
        if self.pairs == "refused" or (self.pairs == "refused once ended" and ended):
            raise refusal()
        if self.pairs == "lost once ended" and ended:
            return []
        if self.pairs == "ignored":
            return listed
        place = self._place(Upload(key, upload_id))
        inclusive = self.pairs == "by place, inclusive" or self.markers == "next pair"
        return [each for each in listed if self._place(each) > place or (inclusive and each[:2] == marker)]

    def _after_key(self, listed: list[Upload], key: str) -> list[Upload]:
        if self.keys == "refused":
            raise refusal()
        return [each for each in listed if each.key > key or (self.keys == "from" and each.key == key)]
