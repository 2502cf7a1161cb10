"""Which uploads a scan asks about, and what it shows of the others."""

from __future__ import annotations

import pytest
from fakes import BUCKET, DAY, NOW, REFUSED, Clock, FakeStore, error, upload

from exporter.config.settings import ScanSettings
from exporter.model.errors import Reason
from exporter.model.uploads import Part
from exporter.scan.outcomes import OVER_BUDGET
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.pagination.part_sums import NumberedPartSum

BUSY = error(Reason.SERVER_ERROR, 500)


class Bucket:
    """A bucket under a scanner whose clock is turned by hand."""

    def __init__(self, count: int = 20, *, idle: float = DAY, **settings: object) -> None:
        self.store = FakeStore([upload(n, age=idle) for n in range(count)])
        self.store.default_parts = [Part(1, 10, NOW - idle)]
        self.clock, self.ledger, self.saved = Clock(), Ledger(), []
        self.settings = ScanSettings(**settings)

    def scan(self, after: float = 0.0, **settings: object):
        """Scan so many seconds after the last time, and return the result; `asked` is what was asked then."""
        self.clock.now += after
        self.store.asked.clear()
        chosen = ScanSettings(**{"retries": 0, **settings})
        client = StoreClient(self.store, chosen, self.clock, self.clock.clocks())
        return Scanner(client, (DAY,), on_calls_saved=self.saved.append).scan(BUCKET, self.ledger)

    @property
    def asked(self) -> set[str]:
        return {each for each, times in self.store.asked.items() if times}


class TestRemembered:
    def test_uploads_that_are_not_due_are_shown_and_not_asked_about(self):
        bucket = Bucket()
        first = bucket.scan().summary
        again = bucket.scan(0.09 * DAY).summary
        assert bucket.asked == set()
        assert (again.uploads, again.bytes, again.parts, again.unsized) == (20, 200, 20, 0)
        assert again.oldest_activity == first.oldest_activity == NOW - DAY
        assert bucket.saved == [0, 20]

    def test_due_ones_are_asked_about_again(self):
        bucket = Bucket()
        bucket.scan()
        bucket.store.parts = {"id-3": [Part(1, 10, NOW - DAY), Part(2, 7, NOW + 5)]}
        summary = bucket.scan(0.1 * DAY + 1).summary
        assert (len(bucket.asked), summary.bytes) == (20, 207)

    def test_new_ones_are_asked_about_at_once(self):
        bucket = Bucket()
        bucket.scan()
        bucket.store.uploads.append(upload(99))
        assert bucket.scan(300).summary.bytes == 210
        assert bucket.asked == {"id-99"}

    def test_those_that_ended_are_neither_shown_nor_known(self):
        bucket = Bucket()
        bucket.scan()
        del bucket.store.uploads[5:]
        assert bucket.scan(300).summary.bytes == 50
        assert bucket.ledger.rows.count() == 5

    def test_a_clock_that_was_wrong_does_not_keep_them_from_being_asked_about(self):
        bucket = Bucket()
        bucket.clock.now = 400 * DAY
        bucket.scan()
        assert bucket.scan(-400 * DAY).summary.uploads == 20
        assert len(bucket.asked) == 20

    def test_a_listing_that_starts_over_asks_nobody_twice(self):
        bucket = Bucket(8)
        bucket.store.page_size = 4
        bucket.store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
        assert bucket.scan().summary.bytes == 80
        assert set(bucket.store.asked.values()) == {1}

    def test_sizes_that_cannot_be_read_stay_unsized_until_they_are_due(self):
        bucket = Bucket(2)
        bucket.store.parts = {"id-0": [Part(1, None, NOW - DAY)]}
        assert [bucket.scan(300).summary.unsized for _ in range(2)] == [1, 1]
        assert bucket.asked == set()


class TestOtherWays:
    def test_always_asks_about_all(self):
        bucket = Bucket()
        for _ in range(2):
            assert bucket.scan(300, parts="always").summary.bytes == 200
            assert len(bucket.asked) == 20
        assert bucket.ledger.rows.count() == 0

    def test_never_asks_about_none_and_remembers_none(self):
        bucket = Bucket()
        assert bucket.scan(parts="never").summary.uploads == 20
        assert (bucket.asked, bucket.ledger.rows.count()) == (set(), 0)


class TestFailures:
    def test_a_recheck_that_fails_keeps_what_is_known_until_it_is_too_old(self):
        bucket = Bucket(5)
        bucket.scan()
        bucket.store.default_parts = BUSY
        result = bucket.scan(0.1 * DAY + 1)
        assert (result.summary.bytes, result.summary.unsized, result.summary.overdue) == (50, 0, 5)
        assert result.warning == str(BUSY)
        later = bucket.scan(DAY - 2).summary
        assert (later.bytes, later.overdue) == (50, 5)
        last = bucket.scan(2).summary
        assert (last.bytes, last.unsized, last.overdue) == (None, 5, 0)

    def test_one_never_sized_is_unsized_and_asked_about_at_every_scan(self):
        bucket = Bucket(5)
        bucket.store.parts = {"id-2": BUSY}
        assert [bucket.scan(300).summary.unsized for _ in range(3)] == [1, 1, 1]
        assert bucket.asked == {"id-2"}

    def test_refusals_of_few_uploads_add_up_over_scans(self):
        bucket = Bucket(200)
        bucket.scan()
        bucket.store.default_parts = REFUSED
        for number in range(4):
            bucket.store.uploads += [upload(1000 + 20 * number + n) for n in range(20)]
            bucket.scan(300)
        assert bucket.ledger.refusals.refused_at
        assert bucket.scan(300).summary.bytes == 2000
        assert bucket.asked == set()

    def test_those_refused_before_say_nothing_new_of_the_store(self):
        bucket = Bucket(100)
        bucket.store.parts = {f"id-{n}": REFUSED for n in range(60, 100)}
        for _ in range(10):
            assert bucket.scan(300).summary.unsized == 40
        assert not bucket.ledger.refusals.refused_at


class TestBudget:
    def test_the_listing_ends_whatever_it_costs(self):
        bucket = Bucket(50)
        bucket.store.page_size = 5
        result = bucket.scan(max_requests=3)
        assert (result.summary.uploads, result.summary.unsized, bucket.asked) == (50, 50, set())
        assert result.warning == OVER_BUDGET

    def test_what_is_left_is_spent_and_all_have_their_turn(self):
        bucket = Bucket(50)
        unsized = [bucket.scan(300, max_requests=21).summary.unsized for _ in range(3)]
        assert (unsized, len(bucket.asked)) == ([30, 10, 0], 10)

    def test_what_does_not_fit_keeps_its_size_and_is_overdue(self):
        bucket = Bucket(50)
        bucket.scan()
        summary = bucket.scan(30 * DAY, max_requests=11).summary
        assert (summary.bytes, summary.unsized, summary.overdue) == (500, 0, 40)
        assert len(bucket.asked) == 10

    def test_the_new_come_first_and_a_quarter_is_for_the_overdue(self):
        bucket = Bucket(50)
        bucket.scan()
        bucket.store.uploads += [upload(100 + n) for n in range(50)]
        bucket.scan(30 * DAY, max_requests=41)
        new = {each for each in bucket.asked if int(each[3:]) >= 100}
        assert (len(new), len(bucket.asked)) == (30, 40)

    def test_retries_are_paid_from_it(self):
        bucket = Bucket(50)
        bucket.store.default_parts = error(Reason.SERVER_ERROR, 500, retryable=True)
        bucket.scan(max_requests=11, retries=5)
        assert sum(bucket.store.asked.values()) == 10

    def test_lists_of_several_pages_are_begun_only_where_all_fit(self):
        bucket = Bucket(10)
        bucket.store.default_parts = [Part(number, 10, NOW - DAY) for number in range(2, 9)]
        bucket.scan(page_size=3)  # three calls each, and no run to leave out
        assert bucket.scan(30 * DAY, page_size=3, max_requests=8).summary.overdue == 8
        assert len(bucket.asked) == 2

    def test_calls_are_spaced_and_the_rest_waits_where_the_rate_is_low(self):
        bucket = Bucket(50)
        result = bucket.scan(requests_per_second=0.1, interval=200.0)
        assert (result.summary.uploads, len(bucket.asked), result.summary.unsized) == (
            50,
            19,
            31,
        )  # the first is the listing
        assert result.duration == pytest.approx(200, abs=10)


class TestLongLists:
    def bucket(self) -> Bucket:
        """Return one upload of a list that goes on where it is asked to."""
        bucket = Bucket(1)
        bucket.markers = []
        bucket.parts = {n: Part(n, 10, NOW - DAY + n) for n in range(1, 8)}

        def list_parts(_bucket, _upload, marker, _deadline):
            bucket.markers.append(marker)
            parts = [part for n, part in sorted(bucket.parts.items()) if not marker or n > int(marker[0])]
            return FakeStore([], default_parts=parts).list_parts(None, upload(0), None, None)

        bucket.store.list_parts = list_parts
        bucket.store.new_part_sum = NumberedPartSum
        return bucket

    def test_are_read_on_from_where_they_had_no_gap(self):
        bucket = self.bucket()
        bucket.scan(page_size=5)
        bucket.parts |= {n: Part(n, 3, NOW) for n in (8, 10)}
        summary = bucket.scan(0.1 * DAY, page_size=5).summary
        assert (summary.bytes, summary.parts, summary.oldest_activity) == (76, 9, NOW)
        assert bucket.markers == [None, ("7",)]

    def test_are_read_in_full_before_a_day_is_over(self):
        bucket = self.bucket()
        bucket.scan(page_size=5)
        for _ in range(20):
            bucket.scan(0.1 * DAY, page_size=5)
        fulls = [n for n, marker in enumerate(bucket.markers) if marker is None]
        assert len(fulls) >= 3
        assert len(fulls) < len(bucket.markers)

    def test_short_ones_are_read_whole(self):
        bucket = self.bucket()
        bucket.scan(page_size=8)
        bucket.parts[3] = Part(3, 1000, NOW)
        assert bucket.scan(0.1 * DAY, page_size=8).summary.bytes == 1060
