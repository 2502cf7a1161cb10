"""A store and a clock of our own making: what a month of scans asks for is known within minutes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.pages import PAGE

from exporter.config.settings import BucketSettings
from exporter.model.uploads import Part, Parts, Upload
from exporter.stores.base import S3_OPERATIONS, CompletedCall, ListingStart, Page, PageRequest
from exporter.stores.pagination.part_sums import NumberedPartSum

INTERVAL = 300.0
"""Of `scan.interval`, in seconds."""
DAY = 86400.0


@dataclass
class Clock:
    """A wall clock that is set."""

    now: float

    def read(self) -> float:
        """Return the time it is set to."""
        return self.now


class Store:
    """Answers at once and on the scan's own thread; counts what it is asked."""

    operations = S3_OPERATIONS
    page_operations = S3_OPERATIONS
    has_part_times = True
    has_initiation_times = True
    lists_by_key = True
    encodes_keys = True
    listing_start = ListingStart.NOTHING
    signing_region = ""

    def __init__(self, uploads: Sequence[Upload], parts: Callable[[Upload, int], Page[Part]]) -> None:
        """Make a bucket of these uploads; `parts` returns an upload's page after a part's number."""
        pages = [list(uploads[first : first + PAGE]) for first in range(0, len(uploads), PAGE)]
        self._pages: list[Page[Upload]] = [
            Page(items, number < len(pages), (str(number),)) for number, items in enumerate(pages, 1)
        ]
        self._parts = parts
        self._by_key = {upload.key: upload for upload in uploads}
        self.requests = 0

    def open(self, _bucket: BucketSettings, _deadline: float) -> "Store":
        """Begin a scan."""
        self._answers: list[CompletedCall] = []
        return self

    def start(self, request: PageRequest, _deadline: float, label: object) -> None:
        """Answer a call; `completed` returns it."""
        self.requests += 1
        after = int(request.marker[0]) if request.marker else 0
        if request.by_name:
            page = Page([self._by_key[request.bucket.prefix or ""]], truncated=False)
        else:
            page = self._parts(request.upload, after) if request.upload else self._pages[after]
        self._answers.append((label, page))

    def completed(self, _timeout: float) -> list[CompletedCall]:
        """Return what was answered since."""
        answers, self._answers = self._answers, []
        return answers

    def new_part_sum(self) -> NumberedPartSum:
        """Return what adds up the parts of one upload."""
        return NumberedPartSum()

    def close(self) -> None:
        """Do nothing."""


def page_of(numbers: range, size: int, modified: Sequence[float], *, truncated: bool) -> Page[Part]:
    """Return a page of these parts, all of one size."""
    starts: list[int | None] = list(numbers)
    return Page(Parts(starts, [size] * len(numbers), list(modified)), truncated, (str(numbers[-1]),))
