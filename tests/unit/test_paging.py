"""The page loop and the retry loop, with neither network nor clock."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fakes import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings
from exporter.model import Part, PartTotals, Reason, StoppingError, StoreError, Upload
from exporter.stores.base import Marker, Page
from exporter.stores.folds import NumberedParts
from exporter.stores.paging import BARREN_PAGES, Caller, PageLoop, RestartError, list_uploads, size_upload

BUCKET = BucketSettings("b")


@dataclass
class FakeStore:
    """Answers with these pages or errors, in turn."""

    answers: list[Page[Upload] | Page[Part] | StoreError]
    markers: list[Marker | None] = field(default_factory=list)

    def list_uploads(self, _bucket: BucketSettings, marker: Marker | None, _deadline: float) -> Page[Upload]:
        self.markers.append(marker)
        answer = self.answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def list_parts(
        self, bucket: BucketSettings, _upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        return self.list_uploads(bucket, marker, deadline)

    def new_fold(self) -> NumberedParts:
        return NumberedParts()


def caller(clock: Clock, **changes: object) -> Caller:
    settings = {"request_timeout": 30.0, "retries": 3, "deadline": 1000.0, "jitter": lambda _low, high: high}
    return Caller(**settings | {"stop": clock, "monotonic": clock.monotonic} | changes)


def failing(*, retryable: bool, retry_after: float | None = None) -> StoreError:
    return StoreError(Reason.THROTTLED, "no", retryable=retryable, retry_after=retry_after)


def upload(number: int) -> Upload:
    return Upload("k", f"{number}")


def listing(store: FakeStore) -> list[str]:
    clock = Clock(100.0)
    return [found.upload_id for page in list_uploads(store, BUCKET, caller(clock)) for found in page]


def pages(*groups: list[int], last: Page[Upload] | None = None) -> Iterator[Page[Upload]]:
    for number, group in enumerate(groups):
        yield Page([upload(item) for item in group], truncated=True, next_marker=(f"m{number}", ""))
    yield last or Page([], truncated=False)


class TestPageLoop:
    def test_markers_are_followed_as_given(self):
        store = FakeStore(list(pages([1], [2], [3])))
        assert listing(store) == ["1", "2", "3"]
        assert store.markers == [None, ("m0", ""), ("m1", ""), ("m2", "")]

    @pytest.mark.parametrize("truncated", [False, None])
    def test_an_end_is_an_end(self, *, truncated: bool | None):
        assert listing(FakeStore([Page([upload(1)], truncated=truncated)])) == ["1"]

    def test_false_stands_above_a_marker(self):
        assert listing(FakeStore([Page([upload(1)], truncated=False, next_marker=("m",))])) == ["1"]

    def test_the_last_pair_stands_in_for_a_marker(self):
        first = Page([upload(1)], truncated=True, last_marker=("k", "1"))
        store = FakeStore([first, Page([], truncated=False)])
        listing(store)
        assert store.markers == [None, ("k", "1")]

    def test_repeats_of_the_page_before_are_dropped(self):
        assert listing(FakeStore(list(pages([1, 2, 2], [2, 1, 3], [3, 4])))) == ["1", "2", "3", "4"]

    def test_repeats_are_dropped_over_an_empty_page(self):
        assert listing(FakeStore(list(pages([1, 2], [], [2, 3])))) == ["1", "2", "3"]

    def test_only_the_page_before_is_remembered(self):
        loop: PageLoop[Upload] = PageLoop(lambda item: item.upload_id)
        for page in itertools.islice(pages(*([number] for number in range(100))), 100):
            loop.accept(page)
        assert len(loop._page_before) == 1

    def test_markers_that_never_repeat_do_not_go_on_for_ever(self):
        numbers = range(BARREN_PAGES * 2)
        store = FakeStore([Page([upload(1)], truncated=True, next_marker=(f"{n}", "")) for n in numbers])
        with pytest.raises(StoreError) as caught:
            listing(store)
        assert caught.value.reason == Reason.BAD_RESPONSE

    def test_pages_without_news_may_be_many(self):
        empty = [Page([], truncated=True, next_marker=(str(number),)) for number in range(BARREN_PAGES - 1)]
        assert listing(FakeStore([*empty, Page([upload(1)], truncated=False)])) == ["1"]

    @settings(deadline=None)
    @given(st.lists(st.lists(st.integers(0, 30), max_size=5), max_size=10))
    def test_nothing_is_lost_whatever_the_pages(self, groups: list[list[int]]):
        found = listing(FakeStore(list(pages(*groups))))
        assert set(found) == {str(number) for group in groups for number in group}


class TestRestart:
    @pytest.mark.parametrize(
        ("status", "code"),
        [(404, "NoSuchUpload"), (400, "InvalidArgument"), (400, "InvalidParameterValueException")],
    )
    def test_a_marker_that_is_refused(self, status: int, code: str):
        refusal = StoreError(Reason.BAD_RESPONSE, "no", status=status, code=code)
        (first, *_) = pages([1])
        with pytest.raises(RestartError):
            listing(FakeStore([first, refusal]))

    @pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (403, "NoSuchUpload"), (400, "")])
    def test_any_other_refusal_is_a_failure(self, status: int, code: str):
        refusal = StoreError(Reason.BAD_RESPONSE, "no", status=status, code=code)
        (first, *_) = pages([1])
        with pytest.raises(StoreError):
            listing(FakeStore([first, refusal]))

    def test_no_such_upload_at_first_means_none(self):
        assert (
            listing(FakeStore([StoreError(Reason.BAD_RESPONSE, "", status=404, code="NoSuchUpload")])) == []
        )


class TestSizing:
    def test_the_storage_class_of_any_page_is_kept(self):
        first = Page([Part(1, 5)], truncated=True, next_marker=("1",), storage_class="GLACIER")
        store = FakeStore([first, Page([Part(2, 6)], truncated=False)])
        assert size_upload(store, BUCKET, upload(1), caller(Clock(100.0))) == PartTotals(
            2, 11, None, "GLACIER"
        )


class TestCaller:
    def attempts(self, *outcomes: StoreError | str, **changes: object) -> tuple[list[float], list[float]]:
        """Ask with these outcomes in turn; return the deadlines given and the pauses made."""
        clock, deadlines, left = Clock(100.0), [], list(outcomes)

        def attempt(deadline: float) -> str:
            deadlines.append(deadline)
            outcome = left.pop(0)
            if isinstance(outcome, StoreError):
                raise outcome
            return outcome

        self.clock = clock
        assert caller(clock, **changes).ask(attempt) == "done"
        return deadlines, clock.waited

    def test_what_may_pass_is_tried_again(self):
        again = failing(retryable=True)
        deadlines, pauses = self.attempts(again, again, again, "done")
        assert pauses == [0.5, 1.0, 2.0]
        assert deadlines == [130.0, 130.5, 131.5, 133.5]

    def test_pauses_have_a_cap(self):
        _, pauses = self.attempts(*[failing(retryable=True)] * 9, "done", retries=9)
        assert max(pauses) == 20.0

    def test_jitter_is_full(self):
        _, pauses = self.attempts(failing(retryable=True), "done", jitter=lambda low, _high: low)
        assert pauses == [0.0]

    def test_retry_after_is_a_floor(self):
        _, pauses = self.attempts(failing(retryable=True, retry_after=7.0), "done")
        assert pauses == [7.0]
        _, pauses = self.attempts(failing(retryable=True, retry_after=0.1), "done")
        assert pauses == [0.5]

    def test_the_last_error_is_the_one_raised(self):
        errors = [failing(retryable=True) for _ in range(4)]
        with pytest.raises(StoreError) as caught:
            self.attempts(*errors)
        assert caught.value is errors[3]

    def test_what_will_not_pass_is_not_tried_again(self):
        with pytest.raises(StoreError):
            self.attempts(failing(retryable=False), "done")

    @pytest.mark.parametrize("retry_after", [900.0, 1e9])
    def test_a_pause_beyond_the_scan_is_not_begun(self, retry_after: float):
        with pytest.raises(StoreError) as caught:
            self.attempts(failing(retryable=True, retry_after=retry_after), "done")
        assert (caught.value.reason, self.clock.waited) == (Reason.THROTTLED, [])

    def test_a_call_never_outlasts_the_scan(self):
        deadlines, _ = self.attempts("done", deadline=110.0)
        assert deadlines == [110.0]

    @pytest.mark.parametrize("deadline", [100.0, 99.0])
    def test_no_call_begins_after_it(self, deadline: float):
        with pytest.raises(StoreError) as caught:
            self.attempts("done", deadline=deadline)
        assert (caught.value.reason, caught.value.retryable) == (Reason.TIMEOUT, False)

    def test_stopping_ends_a_pause(self):
        stop = threading.Event()
        stop.set()
        with pytest.raises(StoppingError):
            self.attempts(failing(retryable=True), "done", stop=stop)
