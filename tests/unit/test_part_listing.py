"""Lists of parts on servers that take, give and end their markers in any of the ways that were seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.answers import Answers

from exporter.config.settings import BucketSettings
from exporter.model.errors import GoneError, Reason, StoreError
from exporter.model.uploads import Part, Parts, PartTotals, Upload
from exporter.stores.base import Marker, Page, PageRequest
from exporter.stores.pagination.part_listing import sum_parts
from exporter.stores.pagination.part_sums import NumberedPartSum

BUCKET = BucketSettings("b")
UPLOAD = Upload("k", "1")
GARBLED = StoreError(Reason.BAD_RESPONSE, "not the XML of a store", status=200, garbled=True)
MARKERS = ("last", "next", "none", "too far")
TAKES = ("number", "index", "ignored")


@dataclass
class PartServer:
    """Lists parts of these numbers, part n of n bytes, in pages of `page_size`.

    `gives` says what the next marker is, `takes` how a marker is taken: for the number after which, or (of
    `gives` next) from which parts are listed; for how many parts are left out; or not at all.
    With `compares`, a page is truncated where there are more parts than its last number says, as moto has it.
    """

    numbers: list[int]
    page_size: int = 2
    gives: str = "last"
    takes: str = "number"
    sloppy: bool = False
    compares: bool = False
    asked: list[PageRequest] = field(default_factory=list)

    def answer(self, request: PageRequest) -> Page[Part]:
        self.asked.append(request)
        rest = self._after(int(request.marker[0]) if request.marker else 0)
        page = rest[: self.page_size]
        more = len(rest) > len(page) or (self.sloppy and len(page) == self.page_size)
        if self.compares:
            more = bool(page) and len(self.numbers) > page[-1]
        return Page(
            Parts.of([Part(number, number, 1e9) for number in page]),
            truncated=more,
            next_marker=self._next_marker(page, rest) if more else None,
            last_marker=(f"{page[-1]}",) if page else None,
            full=not more and len(page) == self.page_size and page[-1] != len(page),
        )

    def _after(self, marker: int) -> list[int]:
        if self.takes == "ignored":
            return self.numbers
        if self.takes == "index":
            return self.numbers[marker:]
        return [number for number in self.numbers if number > marker - (self.gives == "next" and marker > 0)]

    def _next_marker(self, page: list[int], rest: list[int]) -> Marker | None:
        following = rest[len(page)] if len(rest) > len(page) else page[-1] + 1
        return {"none": None, "next": (f"{following}",), "too far": ("10000",)}.get(
            self.gives, (f"{page[-1]}",)
        )


def size(server: PartServer, part_sum: NumberedPartSum | None = None) -> PartTotals:
    task = sum_parts(BUCKET, UPLOAD, part_sum or NumberedPartSum())
    page = None
    while True:
        try:
            request = task.send(page)
        except StopIteration as end:
            return end.value
        page = server.answer(request)


@pytest.mark.slow
@settings(deadline=None, max_examples=500)
@given(
    st.builds(
        PartServer,
        st.sets(st.integers(1, 12), max_size=9).map(sorted),
        page_size=st.integers(1, 4),
        gives=st.sampled_from(MARKERS),
        takes=st.sampled_from(TAKES),
        sloppy=st.booleans(),
    )
)
def test_the_sum_is_exact_or_fails(server: PartServer):
    expected = PartTotals(len(server.numbers), sum(server.numbers), 1e9 if server.numbers else None)
    assume(not (server.gives == "next" and server.takes == "index"))  # nothing shows what that loses
    try:
        found = size(server)
    except StoreError:
        return
    assert expected == found


@pytest.mark.slow
@settings(deadline=None, max_examples=500)
@given(st.sets(st.integers(1, 12), max_size=9).map(sorted), st.integers(1, 4))
def test_a_server_that_takes_numbers_for_places_throughout_is_exact(numbers: list[int], page_size: int):
    """As moto is: its pages end too early, too."""
    assert size(PartServer(numbers, page_size, takes="index", compares=True)).bytes == sum(numbers)


@settings(deadline=None)
@given(
    st.sets(st.integers(1, 12), max_size=9).map(sorted),
    st.integers(1, 4),
    st.sampled_from(["last", "none", "too far"]),
    st.sampled_from(["number", "index"]),
)
def test_nothing_fails_where_markers_are_numbers_or_counts(
    numbers: list[int], page: int, gives: str, takes: str
):
    assert size(PartServer(numbers, page, gives, takes)).bytes == sum(numbers)


class TestRequests:
    @pytest.mark.parametrize("gives", ["last", "none"])
    @pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (10_000, 10)])
    def test_one_a_page_of_parts_without_gaps(self, count: int, requests: int, gives: str):
        server = PartServer(list(range(1, count + 1)), 1000, gives)
        assert size(server).parts == count
        assert len(server.asked) == requests

    def test_an_empty_last_page_after_parts_without_gaps_is_not_doubted(self):
        server = PartServer(list(range(1, 2001)), 1000, sloppy=True)
        assert size(server).parts == 2000
        assert len(server.asked) == 3

    def test_one_more_where_a_gap_stands_before_a_page_s_edge(self):
        server = PartServer([1, 2, 3, 5, 6, 7, 8], 4)
        assert size(server).bytes == 32
        assert [ask.marker for ask in server.asked] == [None, ("5",), ("4",)]


class TestPages:
    def test_the_last_listed_number_goes_on_where_the_given_marker_does_not(self):
        first = Page(Parts.of([Part(1, 5)]), truncated=True, next_marker=("9",), last_marker=("1",))
        answers = Answers(first, first, Page(Parts.of([Part(2, 6)]), truncated=False))
        assert answers.to(sum_parts(BUCKET, UPLOAD, NumberedPartSum())) == PartTotals(2, 11)
        assert answers.markers == [None, ("9",), ("1",)]

    def test_a_part_that_was_sent_again_counts_as_a_later_page_lists_it(self):
        first = Page(Parts.of([Part(1, 5, 1e9)]), truncated=True, next_marker=("1",))
        answers = Answers(first, Page(Parts.of([Part(1, 7, 2e9), Part(2, 6, 1e9)]), truncated=False))
        assert answers.to(sum_parts(BUCKET, UPLOAD, NumberedPartSum())) == PartTotals(2, 13, 2e9)

    @pytest.mark.parametrize("garbled_page", [1, 2])
    def test_a_garbled_page_is_asked_for_once_more(self, garbled_page: int):
        pages: list[Page[Part] | StoreError] = [
            Page(Parts.of([Part(1, 5)]), truncated=True, next_marker=("1",)),
            Page(Parts.of([Part(2, 6)]), truncated=False),
        ]
        pages.insert(garbled_page - 1, GARBLED)
        answers = Answers(*pages)
        assert answers.to(sum_parts(BUCKET, UPLOAD, NumberedPartSum())) == PartTotals(2, 11)
        assert answers.asked[garbled_page] == answers.asked[garbled_page - 1]

    def test_but_not_for_ever(self):
        with pytest.raises(StoreError, match="not the XML"):
            Answers(GARBLED, GARBLED).to(sum_parts(BUCKET, UPLOAD, NumberedPartSum()))

    def test_an_upload_that_ended_after_a_garbled_page_has_ended(self):
        gone = GoneError(Reason.BAD_RESPONSE, "it has ended", status=404, code="NoSuchUpload")
        with pytest.raises(GoneError):
            Answers(GARBLED, gone).to(sum_parts(BUCKET, UPLOAD, NumberedPartSum()))
