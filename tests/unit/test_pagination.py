"""The page loop, and what walks with it: neither network nor clock."""

import itertools
from collections.abc import Iterator, Sequence

import pytest
from fakes import GONE
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.answers import Answers

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Part, Parts, PartTotals, Upload
from exporter.stores.base import Marker, Page, PageRequest
from exporter.stores.pagination.listing import RestartError, list_next_page, uploads_paginator
from exporter.stores.pagination.paginator import MAX_STALLED_PAGES, Paginator
from exporter.stores.pagination.part_listing import PartsPaginator, sum_parts
from exporter.stores.pagination.part_sums import NumberedPartSum

BUCKET = BucketSettings("b")


def upload(number: int) -> Upload:
    return Upload("k", f"{number}")


def ids(uploads: Sequence[Upload]) -> list[str]:
    return [found.upload_id for found in uploads]


def listing(answers: Answers) -> list[str]:
    loop, found = uploads_paginator(), []
    while not loop.done:
        found += ids(answers.to(list_next_page(loop, BUCKET)))
    assert answers.left == []
    return found


def pages(*groups: list[int], last: Page[Upload] | None = None) -> Iterator[Page[Upload]]:
    for number, group in enumerate(groups):
        yield Page([upload(item) for item in group], truncated=True, next_marker=(f"m{number}",))
    yield last or Page([], truncated=False)


def refusal(status: int, code: str) -> StoreError:
    return StoreError(Reason.BAD_RESPONSE, "no", status=status, code=code)


class TestPaginator:
    def test_the_number_of_barren_pages_is_the_design_s(self):
        assert MAX_STALLED_PAGES == 1000

    def test_markers_are_followed_as_given(self):
        answers = Answers(*pages([1], [2], [3]))
        assert listing(answers) == ["1", "2", "3"]
        assert answers.markers == [None, ("m0",), ("m1",), ("m2",)]

    def test_each_page_of_the_bucket_s_uploads_is_asked_for_once(self):
        answers = Answers(*pages([1], [2]))
        listing(answers)
        assert {(ask.bucket, ask.upload) for ask in answers.asked} == {(BUCKET, None)}
        assert len(answers.asked) == 3

    @pytest.mark.parametrize("truncated", [False, None])
    def test_an_end_is_an_end(self, *, truncated: bool | None):
        assert listing(Answers(Page([upload(1)], truncated=truncated))) == ["1"]

    def test_a_marker_stands_in_for_what_is_not_said(self):
        first = Page([upload(1)], truncated=None, next_marker=("m",))
        assert listing(Answers(first, Page([upload(2)], truncated=None))) == ["1", "2"]

    def test_false_stands_above_a_marker(self):
        assert listing(Answers(Page([upload(1)], truncated=False, next_marker=("m",)))) == ["1"]

    def test_the_last_pair_stands_in_for_a_marker(self):
        first = Page([upload(1)], truncated=True, last_marker=("k", "1"))
        answers = Answers(first, Page([upload(2)], truncated=False))
        listing(answers)
        assert answers.markers == [None, ("k", "1")]

    def test_the_server_s_marker_stands_above_the_last_pair(self):
        first = Page([upload(1)], truncated=True, next_marker=("m", ""), last_marker=("k", "1"))
        answers = Answers(first, Page([upload(2)], truncated=False))
        listing(answers)
        assert answers.markers == [None, ("m", "")]

    def test_one_that_goes_on_but_says_not_where_fails(self):
        with pytest.raises(StoreError, match="says not where it goes on") as caught:
            listing(Answers(Page([upload(1)], truncated=True)))
        assert (caught.value.reason, caught.value.status) == (Reason.BAD_RESPONSE, 200)

    def test_markers_that_repeat_fail(self):
        again = [Page([upload(number)], truncated=True, next_marker=("m",)) for number in range(2)]
        with pytest.raises(StoreError, match="does not move") as caught:
            listing(Answers(*again))
        assert (caught.value.reason, caught.value.retryable) == (Reason.BAD_RESPONSE, False)

    def test_markers_that_alternate_fail(self):
        turns = [Page([upload(n)], truncated=True, next_marker=(f"{n % 2}",)) for n in range(3)]
        with pytest.raises(StoreError, match="does not move"):
            listing(Answers(*turns))

    def test_repeats_of_the_page_before_are_dropped(self):
        assert listing(Answers(*pages([1, 2, 2], [2, 1, 3], [3, 4]))) == ["1", "2", "3", "4"]

    def test_repeats_are_dropped_over_an_empty_page(self):
        assert listing(Answers(*pages([1, 2], [], [2, 3]))) == ["1", "2", "3"]

    def test_an_upload_is_known_by_its_key_and_its_id(self):
        twice = [Upload("k", "1", 5.0), Upload("k", "1", 6.0, "GLACIER"), Upload("l", "1"), Upload("k", "2")]
        assert listing(Answers(Page(twice, truncated=False))) == ["1", "1", "2"]

    def test_an_item_without_identity_is_never_known_again(self):
        loop: Paginator[Part] = Paginator(lambda parts: [part.start for part in parts])
        nameless = Part(None, 5)
        assert loop.accept(
            Page([nameless, Part(1, 5), nameless, Part(1, 6)], truncated=True, next_marker=("1",))
        ) == [
            nameless,
            Part(1, 5),
            nameless,
        ]
        assert loop.accept(Page([nameless, Part(1, 5)], truncated=False)) == [nameless]

    def test_parts_with_numbers_are_given_back_again_ranges_are_not(self):
        numbered, ranges = PartsPaginator(), PartsPaginator()
        numbered.accept(Page(Parts([1, None], [5, 6], [None, None]), truncated=True, next_marker=("1",)))
        again = Page(Parts([1, None], [7, 6], [None, None]), truncated=False)
        assert list(numbered.accept(again)) == [Part(1, 7), Part(None, 6)]
        ranges.accept(Page([Part(0, 5)], truncated=True, next_marker=("1",)))
        assert ranges.accept(Page([Part(0, 5), Part(0, 6)], truncated=False)) == [Part(0, 6)]

    def test_items_may_be_known_by_themselves(self):
        loop: Paginator[Part] = Paginator(lambda parts: parts)
        parts = [Part(1, 5), Part(1, 6), Part(1, 5)]
        assert loop.accept(Page(parts, truncated=True, next_marker=("1",))) == parts[:2]
        assert loop.accept(Page([*parts, Part(2, 5)], truncated=False)) == [Part(2, 5)]

    def test_only_the_page_before_is_remembered(self):
        loop: Paginator[Upload] = Paginator(lambda items: [item.upload_id for item in items])
        found = [ids(loop.accept(page)) for page in itertools.islice(pages([1], [2], [2], [1]), 4)]
        assert found == [["1"], ["2"], [], ["1"]]

    def test_markers_that_never_repeat_do_not_go_on_for_ever(self):
        answers = Answers(
            *(
                Page([upload(1)], truncated=True, next_marker=(f"{n}", ""))
                for n in range(MAX_STALLED_PAGES * 2)
            )
        )
        with pytest.raises(StoreError) as caught:
            listing(answers)
        assert caught.value.reason == Reason.BAD_RESPONSE
        assert len(answers.asked) == MAX_STALLED_PAGES + 1

    def test_pages_without_news_may_be_many(self):
        empty = [
            Page([], truncated=True, next_marker=(str(number),)) for number in range(MAX_STALLED_PAGES - 1)
        ]
        assert listing(Answers(*empty, Page([upload(1)], truncated=False))) == ["1"]

    def test_they_are_counted_from_the_last_news(self):
        markers = iter(range(MAX_STALLED_PAGES * 2))
        turns = [[], [1], [], [2]]
        empties = [
            Page([upload(item) for item in group], truncated=True, next_marker=(f"{next(markers)}",))
            for group in turns
            for _ in range(1 if group else MAX_STALLED_PAGES - 1)
        ]
        assert listing(Answers(*empties, Page([], truncated=False))) == ["1", "2"]

    @settings(deadline=None)
    @given(st.lists(st.lists(st.integers(0, 30), max_size=5), max_size=10))
    def test_each_is_found_in_order_but_not_again_on_the_page_after(self, groups: list[list[int]]):
        loop = uploads_paginator()
        found = [ids(loop.accept(page)) for page in pages(*groups)]
        expected = [f"{number}" for group in groups for number in group]
        assert list(dict.fromkeys(sum(found, []))) == list(dict.fromkeys(expected))  # noqa: RUF017
        filled = [set(group) for group in groups if group]
        new = [set(map(int, page)) for page, group in zip(found, groups, strict=False) if group]
        assert [set()] * len(filled[1:]) == [one & other for one, other in zip(filled, new[1:], strict=False)]


class TestRestart:
    @pytest.mark.parametrize(
        ("status", "code"),
        [(404, "NoSuchUpload"), (400, "InvalidArgument"), (400, "InvalidParameterValueException")],
    )
    def test_a_marker_that_is_refused(self, status: int, code: str):
        (first, *_) = pages([1])
        with pytest.raises(RestartError):
            listing(Answers(first, refusal(status, code)))

    @pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (403, "NoSuchUpload"), (400, "")])
    def test_any_other_refusal_is_a_failure(self, status: int, code: str):
        (first, *_) = pages([1])
        with pytest.raises(StoreError):
            listing(Answers(first, refusal(status, code)))

    def test_no_such_upload_at_first_means_none(self):
        assert listing(Answers(refusal(404, "NoSuchUpload"))) == []

    @pytest.mark.parametrize(
        ("status", "code"), [(400, "InvalidArgument"), (403, "NoSuchUpload"), (404, "NoSuchBucket")]
    )
    def test_any_other_refusal_at_first_is_a_failure(self, status: int, code: str):
        error = refusal(status, code)
        with pytest.raises(StoreError) as caught:
            listing(Answers(error))
        assert caught.value is error


class TestSizing:
    def size(self, *answers: Page[Part] | StoreError) -> PartTotals:
        self.answers = Answers(*answers)
        return self.answers.to(sum_parts(BUCKET, upload(1), NumberedPartSum()))

    def test_all_pages_add_up(self):
        first = Page([Part(1, 5), Part(2, 6)], truncated=True, next_marker=("2",))
        assert self.size(first, Page([Part(3, 7)], truncated=False)) == PartTotals(3, 18)
        assert self.answers.asked == [
            PageRequest(BUCKET, upload(1), None),
            PageRequest(BUCKET, upload(1), ("2",)),
        ]

    def test_an_upload_without_parts(self):
        assert self.size(Page([], truncated=False)) == PartTotals(0, 0)

    @pytest.mark.parametrize("classes", [("GLACIER", ""), ("", "GLACIER"), ("STANDARD", "GLACIER")])
    def test_the_storage_class_of_any_page_is_kept(self, classes: tuple[str, str]):
        first = Page([Part(1, 5)], truncated=True, next_marker=("1",), storage_class=classes[0])
        last = Page([Part(2, 6)], truncated=False, storage_class=classes[1])
        assert self.size(first, last) == PartTotals(2, 11, None, "GLACIER")

    def test_a_listing_of_parts_that_does_not_move_fails(self):
        again = [Page([Part(number, 5)], truncated=True, next_marker=("1",)) for number in range(2)]
        with pytest.raises(StoreError, match="does not move"):
            self.size(*again)

    @pytest.mark.parametrize("error", [GONE, refusal(400, "InvalidArgument"), refusal(404, "NoSuchUpload")])
    def test_an_error_is_the_upload_s_outcome(self, error: StoreError):
        with pytest.raises(StoreError) as caught:
            self.size(Page([Part(1, 5)], truncated=True, next_marker=("1",)), error)
        assert caught.value is error


class TestSizingOn:
    """Sizing an upload of which parts 1 to 5 were counted before, 50 bytes."""

    def size(self, *answers: Page[Part] | StoreError) -> PartTotals:
        self.answers = Answers(*answers)
        self.fold = NumberedPartSum(5, 50, 1e9)
        return self.answers.to(sum_parts(BUCKET, upload(1), self.fold))

    @property
    def markers(self) -> list[Marker | None]:
        return [ask.marker for ask in self.answers.asked]

    def test_goes_on_after_them(self):
        first = Page([Part(6, 6)], truncated=True, next_marker=("6",))
        assert self.size(first, Page([Part(7, 7)], truncated=False)) == PartTotals(7, 63, 1e9)
        assert self.markers == [("5",), ("6",)]

    def test_nothing_new_is_what_was_known(self):
        assert self.size(Page(Parts.of([]), truncated=False)) == PartTotals(5, 50, 1e9)

    @pytest.mark.parametrize("first", [1, 3, 5])
    def test_parts_listed_again_count_once(self, first: int):
        """Some servers count the marker in, others take no notice of it."""
        listed = Parts.of([Part(number, 1000, 1e9 if number < 6 else 2e9) for number in range(first, 8)])
        assert self.size(Page(listed, truncated=False)) == PartTotals(7, 2050, 2e9)

    def test_where_one_of_them_was_sent_again_all_are_listed(self):
        again = Page(Parts.of([Part(5, 1000, 2e9), Part(6, 6, 1e9)]), truncated=False)
        whole = Page(Parts.of([Part(n, 7, 2e9 if n == 5 else 1e9) for n in range(1, 7)]), truncated=False)
        assert PartTotals(6, 42, 2e9) == self.size(again, whole)
        assert self.markers == [("5",), None]

    def test_a_server_that_refuses_the_marker_is_asked_from_the_beginning(self):
        whole = Page([Part(1, 1), Part(2, 2)], truncated=False)
        assert self.size(refusal(400, "InvalidArgument"), whole) == PartTotals(2, 3)
        assert (self.markers, self.fold.skipped_parts) == ([("5",), None], 0)

    @pytest.mark.parametrize("error", [GONE, refusal(403, "AccessDenied"), refusal(500, "InternalError")])
    def test_any_other_error_is_the_upload_s_outcome(self, error: StoreError):
        with pytest.raises(StoreError) as caught:
            self.size(error)
        assert (caught.value, self.markers) == (error, [("5",)])
