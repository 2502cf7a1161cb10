"""What the tasks of a listing ask for, beyond following markers: other ways, names, another encoding."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from unit.answers import Answers
from unit.listing_server import ListingServer, refusal

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import Marker, Page, PageRequest
from exporter.stores.pagination.listing import (
    KeyListing,
    RestartError,
    list_by_key,
    list_next_page,
    uploads_paginator,
)

if TYPE_CHECKING:
    from exporter.stores.pagination.uploads_paginator import UploadsPaginator

BUCKET = BucketSettings("b")
GARBLED = StoreError(Reason.BAD_RESPONSE, "not the XML of a store", status=200, garbled=True)
FAILED = StoreError(Reason.SERVER_ERROR, "HTTP 500", status=500, retryable=True)


def page(*names: str, more: Marker | None = None, **fields: object) -> Page[Upload]:
    """Return a page of uploads, each named by its key and a digit, its id; `more` is the next marker."""
    items = [Upload(name[:-1], name[-1]) for name in names]
    return Page(items, truncated=more is not None, next_marker=more, **fields)


def names(uploads: object) -> list[str]:
    return ["".join(each[:2]) for each in uploads]


def listed(
    answers: Answers, paginator: UploadsPaginator | None = None, bucket: BucketSettings = BUCKET
) -> list[str]:
    paginator, found = paginator or uploads_paginator(), list[str]()
    while not paginator.done:
        found += names(answers.to(list_next_page(paginator, bucket)))
    assert answers.left == []
    return found


class TestWaysOn:
    def test_a_key_alone_is_taken_as_given(self):
        answers = Answers(page("a1", more=("a", "")), page("b1"))
        assert listed(answers) == ["a1", "b1"]
        assert answers.markers == [None, ("a", "")]

    def test_an_id_alone_is_taken_as_given(self):
        answers = Answers(page("b1", more=("", "1")), page("a2"))
        assert listed(answers) == ["b1", "a2"]
        assert answers.markers == [None, ("", "1")]

    def test_where_the_pair_does_not_move_its_key_does_and_is_asked_by_name(self):
        first = page("a1", "a2", more=("a", "2"))
        answers = Answers(first, first, page("b1"), page("a1", "a2", "a3"))
        assert listed(answers) == ["a1", "a2", "b1", "a3"]
        assert answers.markers == [None, ("a", "2"), ("a", ""), None]
        assert answers.asked[3] == PageRequest(replace(BUCKET, prefix="a"), None, None, by_name=True)

    def test_where_that_does_not_either_the_last_listed_pair_does(self):
        first = page("a1", "a2", more=("x", "9"), last_marker=("a", "2"))
        answers = Answers(first, first, first, page("b1"))
        assert listed(answers) == ["a1", "a2", "b1"]
        assert answers.markers == [None, ("x", "9"), ("x", ""), ("a", "2")]

    def test_a_page_that_only_repeats_is_left_by_the_ways_of_the_page_before(self):
        answers = Answers(page("a1", more=("a", "1")), page("a1", more=("y", "9")), page("b1"), page("a1"))
        assert listed(answers) == ["a1", "b1"]
        assert answers.markers == [None, ("a", "1"), ("a", ""), None]

    def test_a_node_s_last_page_that_only_repeats_leads_to_the_next_node(self):
        last = page("a1", more=("1",), last_of_node=True)
        answers = Answers(page("a1", more=("0", "a", "1")), last, page("b1"))
        assert listed(answers) == ["a1", "b1"]
        assert answers.markers == [None, ("0", "a", "1"), ("1",)]

    def test_where_nothing_moves_the_listing_fails(self):
        first = page("a1", more=("a", "1"))
        answers = Answers(first, first, first)
        with pytest.raises(StoreError, match="does not move") as caught:
            listed(answers)
        assert (caught.value.reason, len(answers.asked)) == (Reason.BAD_RESPONSE, 3)

    def test_an_upload_of_any_page_before_counts_once_in_another_way(self):
        pages = page("a1", more=("a", "1")), page("b1", more=("b", "1")), page("b1", more=("b", "1"))
        answers = Answers(*pages, page("a1", "c1"), page("b1"))
        assert listed(answers) == ["a1", "b1", "c1"]

    def test_pages_that_come_again_count_once(self):
        pages = page("a1", "a2", more=("1",)), page("b1", "b2", more=("2",)), page("a1", "a2", more=("3",))
        assert listed(Answers(*pages, page("b1", "b2", "c1"))) == ["a1", "a2", "b1", "b2", "c1"]

    def test_a_marker_of_several_nodes_keeps_the_node_in_every_way(self):
        first = page("a1", more=("2", "a", "1"))
        answers = Answers(first, first, page("b1"), page("a1"))
        assert listed(answers) == ["a1", "b1"]
        assert answers.markers == [None, ("2", "a", "1"), ("2", "a", ""), None]


class TestEmptyEnd:
    @pytest.mark.parametrize("truncated", [False, None])
    def test_it_is_confirmed_by_the_key_alone(self, *, truncated: bool | None):
        empty = Page((), truncated=truncated)
        answers = Answers(page("a1", more=("a", "1")), empty, page("a1"))
        assert listed(answers) == ["a1"]
        assert answers.markers == [None, ("a", "1"), ("a", "")]

    def test_what_the_key_alone_lists_goes_on_and_is_asked_by_name(self):
        answers = Answers(
            page("a1", "b1", more=("c", "1")), page(), page("d1", more=("e", "1")), page("c2"), page("e1")
        )
        assert listed(answers) == ["a1", "b1", "d1", "c2", "e1"]
        assert answers.markers == [None, ("c", "1"), ("c", ""), None, ("e", "1")]

    @pytest.mark.parametrize("marker", [("", "1"), ("a", "")])
    def test_that_of_no_pair_by_the_page_before(self, marker: Marker):
        answers = Answers(page("a1", more=marker), page(), page("a1", more=marker))
        assert listed(answers) == ["a1"]
        assert answers.markers == [None, marker, None]

    def test_the_page_before_shows_where_it_goes_on_now(self):
        answers = Answers(
            page("a1", "a2", more=("", "2")),
            page(),
            page("a1", more=("", "1")),
            page("a3", more=("", "3")),
            page("a4"),
        )
        assert listed(answers) == ["a1", "a2", "a3", "a4"]

    def test_where_that_is_empty_now_the_listing_is_gone_through_again(self):
        first, second = page("a1", more=("a", "")), page("b1", more=("b", ""))
        answers = Answers(first, second, page(), page(), page("c1"))
        assert listed(answers) == ["a1", "b1", "c1"]
        assert answers.markers == [None, ("a", ""), ("b", ""), ("a", ""), None]

    def test_an_empty_first_page_is_the_end(self):
        assert listed(Answers(page())) == []

    def test_an_opaque_token_has_nothing_to_ask_by(self):
        assert listed(Answers(page("a1", more=("token",)), page())) == ["a1"]

    def test_a_refused_confirmation_is_asked_of_the_page_before(self):
        first = page("a1", more=("a", "1"))
        answers = Answers(first, page(), refusal(), first)
        assert listed(answers) == ["a1"]
        assert answers.markers == [None, ("a", "1"), ("a", ""), None]

    def test_the_last_page_of_a_node_is_confirmed_too(self):
        next_node = Page((), truncated=True, next_marker=("1",), last_of_node=True)
        answers = Answers(
            page("a1", more=("0", "a", "1")), next_node, page("b1", more=("0", "b", "1")), page(), page("c1")
        )
        assert listed(answers) == ["a1", "b1", "c1"]
        assert answers.markers == [None, ("0", "a", "1"), ("0", "a", ""), None, ("0", "b", "1")]

    def test_then_the_next_node_is_listed(self):
        next_node = Page((), truncated=True, next_marker=("1",), last_of_node=True)
        answers = Answers(page("a1", more=("0", "a", "1")), next_node, next_node, page("z1"))
        assert listed(answers) == ["a1", "z1"]
        assert answers.markers == [None, ("0", "a", "1"), ("0", "a", ""), ("1",)]


class TestRefusedMarkers:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (400, "InvalidArgument"),
            (404, "NoSuchUpload"),
            (400, "MalformedXML"),
            (404, "NoSuchKey"),
            (501, ""),
        ],
    )
    def test_the_listing_goes_on_by_the_key_and_by_name(self, status: int, code: str):
        refused = refusal(status, code)
        answers = Answers(page("a1", more=("a", "1")), refused, page("b1"), page("a1", "a2"))
        assert listed(answers) == ["a1", "b1", "a2"]
        assert answers.markers == [None, ("a", "1"), ("a", ""), None]

    @pytest.mark.parametrize(("status", "reason"), [(400, Reason.CREDENTIALS), (403, Reason.BAD_RESPONSE)])
    def test_what_has_nothing_to_do_with_the_marker_is_a_failure_at_once(self, status: int, reason: Reason):
        answers = Answers(page("a1", more=("a", "1")), StoreError(reason, "no", status=status))
        with pytest.raises(StoreError):
            listed(answers)
        assert len(answers.asked) == 2

    def test_where_no_way_is_taken_the_failure_is_the_store_s_own(self):
        refused = refusal(400, "MalformedXML")
        answers = Answers(page("a1", more=("a", "1")), *[refused] * 3)
        with pytest.raises(StoreError) as caught:
            listed(answers)
        assert caught.value is refused

    @pytest.mark.parametrize(("still", "by_key"), [("a1", True), ("a2", False)])
    def test_it_stays_so_where_the_marker_s_upload_had_not_ended(self, still: str, *, by_key: bool):
        paginator = uploads_paginator()
        answers = Answers(page("a1", more=("a", "1")), refusal(), page("b1"), page(still))
        listed(answers, paginator)
        assert paginator.by_key == by_key

    def test_a_key_that_is_refused_as_well_starts_over(self):
        with pytest.raises(RestartError):
            listed(Answers(page("a1", more=("a", "1")), refusal(), refusal()))

    def test_a_question_by_name_that_is_refused_starts_over(self):
        with pytest.raises(RestartError):
            listed(Answers(page("a1", more=("a", "1")), refusal(), page("b1"), refusal()))

    def test_more_uploads_of_one_key_than_it_lists_are_an_error_in_words(self):
        server = ListingServer(
            [Upload("k", f"{n}") for n in range(5)], 2, page_size_by_name=3, pairs="refused"
        )
        paginator = uploads_paginator()
        server.run(list_next_page(paginator, BUCKET))
        text = r"more than 3 uploads of one key, .* does not list the rest"
        with pytest.raises(StoreError, match=text) as caught:
            server.run(list_next_page(paginator, BUCKET))
        assert caught.value.reason == Reason.BAD_RESPONSE

    def test_by_key_from_the_start_asks_for_the_marker_s_key_and_the_last_listed_one(self):
        first = page("a1", more=("b", "1"), last_marker=("a", "1"))
        answers = Answers(first, page("c1"), page("b1"), page("a1", "a2"))
        assert listed(answers, uploads_paginator(by_key=True)) == ["a1", "c1", "b1", "a2"]
        assert [ask.bucket.prefix for ask in answers.asked] == [None, None, "b", "a"]


class TestByName:
    def asked(self, *answers: Page[Upload] | StoreError, key: str = "k") -> KeyListing:
        self.answers = Answers(*answers)
        return self.answers.to(list_by_key(BUCKET, key))

    def test_only_uploads_of_exactly_that_key_count(self):
        assert self.asked(page("k1", "k/x2", "kk3", "k4")) == KeyListing(
            [Upload("k", "1"), Upload("k", "4")],
            complete=True,
            others=(Upload("k/x", "2"), Upload("kk", "3")),
        )
        assert self.answers.asked == [PageRequest(replace(BUCKET, prefix="k"), None, None, by_name=True)]

    def test_no_upload_is_an_answer(self):
        assert self.asked(refusal(404, "NoSuchUpload")) == KeyListing([], complete=True)

    def test_its_pages_are_followed(self):
        assert names(self.asked(page("k1", more=("k", "1")), page("k2")).uploads) == ["k1", "k2"]

    @pytest.mark.parametrize(
        "answers", [[refusal(), page("l1")], [refusal(), refusal()], [page("k1", more=("k", "1"))] * 2]
    )
    def test_it_is_not_complete_where_the_store_does_not_go_on(self, answers: list[Page[Upload]]):
        found = self.asked(page("k1", more=("k", "1")), *answers)
        assert (names(found.uploads), found.complete) == (["k1"], False)

    @pytest.mark.parametrize(
        ("after_the_first", "is_cut"), [([], True), (["l1"], True), (["k2"], False), (["k2", "k3"], False)]
    )
    def test_what_nothing_follows_though_there_is_more_is_cut_unless_upload_ids_are_heeded(
        self, after_the_first: list[str], *, is_cut: bool
    ):
        first = page("k1", "k2", "k3", more=("k", "3"), last_marker=("k", "3"))
        found = self.asked(first, page(), page(), page(*after_the_first))
        assert self.answers.asked[-1].marker == ("k", "1")
        assert (found.is_cut, found.complete) == (is_cut, not is_cut)

    def test_uploads_of_later_keys_are_not_followed(self):
        later = [f"k/{n}1" for n in range(9)]
        found = self.asked(page("k1", *later, more=("k/8", "1")))
        assert (names(found.uploads), found.complete) == (["k1"], True)

    @pytest.mark.parametrize("later", ["k!", "k-"])
    def test_they_are_where_the_order_may_be_by_key_and_dot(self, later: str):
        others = [f"{later}{n}1" for n in range(10)]
        found = self.asked(page(*others, more=(f"{later}9", "1")), page("k1"))
        assert (names(found.uploads), found.complete) == (["k1"], True)

    def test_but_not_for_ever(self):
        others = [page(f"k{9 - n}1", more=(f"k{9 - n}", "1")) for n in range(10)]
        found = self.asked(*others, page("k1x", more=("k1", "x")))
        assert (names(found.uploads), found.complete) == ([], False)

    def test_those_of_one_node_may_follow_those_of_another(self):
        later = [f"k/{n}1" for n in range(12)]
        first = Page(page(*later).items, truncated=True, next_marker=("1",), last_of_node=True)
        assert names(self.asked(first, page("k1")).uploads) == ["k1"]

    def test_another_failure_is_raised_once_encoded_keys_do_not_help(self):
        with pytest.raises(StoreError, match="HTTP 500"):
            self.asked(FAILED, FAILED)
        assert [each.encoded for each in self.answers.asked] == [False, True]


class TestUnreadablePages:
    def asked(self, *answers: Page[Upload] | StoreError, may_encode: bool = False) -> list[str]:
        self.answers, self.paginator = Answers(*answers), uploads_paginator()
        return names(self.answers.to(list_next_page(self.paginator, BUCKET, may_encode=may_encode)))

    @property
    def encoded(self) -> list[bool]:
        return [ask.encoded for ask in self.answers.asked]

    def test_a_garbled_page_is_asked_for_once_more(self):
        assert self.asked(GARBLED, page("a1")) == ["a1"]
        assert self.answers.asked == [PageRequest(BUCKET, None, None)] * 2

    @pytest.mark.parametrize("may_encode", [False, True])
    def test_then_encoded_where_the_store_can(self, *, may_encode: bool):
        answers = [GARBLED, GARBLED, page("a1")]
        if may_encode:
            assert self.asked(*answers, may_encode=True) == ["a1"]
            assert self.encoded == [False, False, True]
        else:
            with pytest.raises(StoreError, match="not the XML"):
                self.asked(*answers)

    def test_a_page_that_the_store_fails_to_make_is_asked_for_encoded(self):
        assert self.asked(FAILED, page("a1"), may_encode=True) == ["a1"]
        assert self.encoded == [False, True]

    @pytest.mark.parametrize(
        "reason", [Reason.THROTTLED, Reason.TIMEOUT, Reason.ACCESS_DENIED, Reason.BAD_RESPONSE]
    )
    def test_no_other_failure_is(self, reason: Reason):
        with pytest.raises(StoreError, match="no"):
            self.asked(StoreError(reason, "no"), may_encode=True)
        assert len(self.answers.asked) == 1

    def test_the_first_failure_counts_where_that_fails_too(self):
        with pytest.raises(StoreError, match="HTTP 500"):
            self.asked(FAILED, StoreError(Reason.UNSUPPORTED, "no such option"), may_encode=True)

    def test_later_pages_and_questions_by_name_are_encoded_at_once(self):
        self.asked(FAILED, page("a1", more=("a", "1")), may_encode=True)
        answers = Answers(refusal(), page("b1"), page("a1"))
        answers.to(list_next_page(self.paginator, BUCKET, may_encode=True))
        assert [(ask.encoded, ask.by_name) for ask in answers.asked] == [
            (True, False),
            (True, False),
            (True, True),
        ]


class TestPrefix:
    def test_uploads_outside_it_are_left_out_and_counted_once(self):
        bucket = replace(BUCKET, prefix="b/")
        paginator = uploads_paginator()
        answers = Answers(page("a/1", "b/2", more=("b/", "2")), page("a/1", "b/3", "c4"))
        assert listed(answers, paginator, bucket) == ["b/2", "b/3"]
        assert paginator.outside_prefix == 2

    def test_the_listing_goes_on_though_a_page_lies_outside(self):
        answers = Answers(page("a/1", more=("a/", "1")), page("b/2"))
        assert listed(answers, bucket=replace(BUCKET, prefix="b/")) == ["b/2"]


class TestLacking:
    def test_those_that_no_page_has_shown(self):
        paginator = uploads_paginator()
        listed(Answers(page("a1", more=("a", "1")), page("b1", "b2")), paginator)
        asked = [Upload("b", "2", 5.0), Upload("a", "2"), Upload("a", "1"), Upload("c", "1")]
        assert names(paginator.lacking(asked)) == ["a2", "c1"]

    def test_those_found_by_name_are_not(self):
        paginator = uploads_paginator()
        listed(Answers(page("a1", more=("a", "1")), refusal(), page("b1"), page("a2")), paginator)
        assert names(paginator.lacking([Upload("a", "2"), Upload("a", "3")])) == ["a3"]

    def test_it_takes_8_bytes_an_upload(self):
        paginator, count = uploads_paginator(), 50_000
        paginator.accept(page("a1", more=("0",)))
        tracemalloc.start()
        for number in range(count // 1000):
            shown = [Upload(f"key-{number}", f"{n}") for n in range(1000)]
            paginator.accept(Page(shown, truncated=True, next_marker=(f"{number + 1}",)))
        del shown
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken / count < 8 * 1.2 + 120_000 / count
