"""What a month of scans will ask, against a simulation that asks the ledger's own rule upload by upload."""

from __future__ import annotations

import heapq
import math
import random
import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from fakes import Clock, FakeStore, error, upload

from exporter.cli import forecast as forecasting
from exporter.cli.forecast import Forecast, forecast
from exporter.cli.formats.forecast import estimate_table
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.model.uploads import Upload
from exporter.scan.forecast import (
    AGE_BOUNDS,
    MONTH_SECONDS,
    AgeGroup,
    Estimate,
    Listing,
    age_groups,
    estimate,
    estimate_target,
    sum_estimates,
)
from exporter.scan.recheck import Recheck
from exporter.scan.scanner import Scanner
from exporter.scan.tally import Tally
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient

NOW = 1_790_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ISSUE = Listing(10, (AgeGroup(10 * DAY, 9_900),))
MIXES = {
    "just begun": lambda chance: chance.uniform(0, 10 * MINUTE),
    "of today": lambda chance: chance.uniform(0, DAY),
    "of this month": lambda chance: chance.uniform(0, 30 * DAY),
    "of any age": lambda chance: 10 ** chance.uniform(1, 7.5),
    "old": lambda chance: chance.uniform(10 * DAY, 400 * DAY),
}


def scans_of(settings: ScanSettings) -> int:
    return math.ceil(MONTH_SECONDS / settings.interval)


def simulated(idles: list[float], settings: ScanSettings, room: float = math.inf) -> list[int]:
    """Return how many uploads each scan of a month asks about, those due for longest first."""
    recheck = Recheck(settings.recheck_factor, settings.recheck_at_least)
    ids = [random.Random(number).getrandbits(64) - 2**63 for number in range(len(idles))]
    waiting = [(0.0, number) for number in range(len(idles))]
    asked = []
    for scan in range(scans_of(settings)):
        now, todo = NOW + scan * settings.interval, []
        while waiting and len(todo) < room and waiting[0][0] <= now:
            todo.append(heapq.heappop(waiting)[1])
        for number in todo:
            due = recheck.due(ids[number], now, NOW - idles[number])
            heapq.heappush(waiting, (max(due, now + 1e-3), number))
        asked.append(len(todo))
    return asked


def listed(idles: list[float], requests: int = 1) -> Listing:
    """Return what a listing finds of these uploads, by way of a scan's own sums."""
    tally = Tally(now=NOW, stale_after=DAY, ages=AGE_BOUNDS, with_parts=False)
    for number, idle in enumerate(idles):
        tally.add_counted(Upload(f"key-{number}", "id", NOW - idle))
    return Listing(requests, age_groups(tally.summary()))


def compare(idles: list[float], settings: ScanSettings, close: float) -> None:
    """Compare estimate and simulation of a month."""
    room = math.inf if settings.max_requests is None else settings.max_requests - 1
    asked, forecasts = simulated(idles, settings, room), estimate(listed(idles), settings)
    assert forecasts.uploads == len(idles)
    assert forecasts.first_scan == pytest.approx(1 + asked[0])
    assert forecasts.month == pytest.approx(len(asked) + sum(asked), rel=close)
    assert forecasts.later_scan == pytest.approx(1 + sum(asked[1:]) / (len(asked) - 1), rel=close)


def some(mix: str, number: int = 300) -> list[float]:
    chance = random.Random(mix)
    return [MIXES[mix](chance) for _ in range(number)]


class TestRemembered:
    @pytest.mark.parametrize("interval", [5 * MINUTE, HOUR])
    @pytest.mark.parametrize("mix", MIXES)
    def test_a_month_is_as_the_ledgers_rule_has_it(self, mix: str, interval: float):
        compare(some(mix), ScanSettings(interval=interval), close=0.03)

    @pytest.mark.no_cover
    @pytest.mark.parametrize(
        ("factor", "at_least"),
        [(0.0, DAY), (0.01, DAY), (1.0, DAY), (0.1, 7 * DAY), (0.1, HOUR), (0.1, MINUTE), (0.001, 60 * DAY)],
    )
    def test_whatever_the_factor_and_the_longest_delay(self, factor: float, at_least: float):
        settings = ScanSettings(interval=HOUR / 2, recheck_factor=factor, recheck_at_least=at_least)
        compare(some("of any age"), settings, close=0.03)

    def test_the_issues_uploads_are_asked_once_a_day(self):
        month = estimate(ISSUE, ScanSettings())
        assert month.first_scan == 9_910
        assert month.later_scan == pytest.approx(10 + 9_900 / 288)
        assert month.month == pytest.approx(10 * 8640 + 9_900 * 31, rel=0.001)
        assert month.month_always == 9_910 * 8640 == 85_622_400
        assert month.savings_factor > 200

    def test_an_upload_begun_now_is_asked_at_every_scan_for_an_hour(self):
        settings = ScanSettings(interval=5 * MINUTE)
        hour = simulated([0.0], settings)[:11]
        assert hour == [1] * 11
        compare([0.0] * 50, settings, close=0.02)

    def test_scans_further_apart_than_any_delay_ask_about_every_upload(self):
        month = estimate(ISSUE, ScanSettings(interval=2 * DAY))
        assert month.month == month.month_always == 15 * 9_910

    @pytest.mark.parametrize("interval", [MONTH_SECONDS, 90 * DAY])
    def test_a_month_may_have_a_single_scan(self, interval: float):
        assert estimate(ISSUE, ScanSettings(interval=interval)) == Estimate(9_900, 9_910, 9_910, 9_910, 9_910)

    def test_the_shortest_interval_takes_no_long_time(self):
        settings = ScanSettings(interval=10.0, recheck_factor=0.0)
        assert estimate(listed(some("of any age")), settings).month == 301 * 259_200

    @pytest.mark.parametrize("most", [None, 2])
    def test_nor_do_a_thousand_buckets_at_each_second(self, most: int | None):
        """A month has 2.6 million scans then: going through each took 3 s a bucket."""
        settings = ScanSettings(interval=1.0, max_requests=most)
        listings = [listed([DAY, 2 * DAY])] * 1000
        assert [estimate(listings[0], settings)] * 1000 == estimate_target(listings, settings)

    def test_a_tiny_factor_is_forecast_by_stretches(self):
        """Asked ten thousand times and more each; close to the rule all the same."""
        compare([DAY, 9 * DAY], ScanSettings(interval=MINUTE, recheck_factor=0.0002), close=0.02)


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.parametrize("most", [None, 12])
def test_a_month_is_as_scans_have_it(most: int | None):
    ages, settings = some("of this month", 60), ScanSettings(interval=6 * HOUR, max_requests=most)
    store, clock, ledger = FakeStore([upload(n, age) for n, age in enumerate(ages)]), Clock(), Ledger()
    store.parts = {each.upload_id: [] for each in store.uploads}  # as idle as they are old
    scanner = Scanner(StoreClient(store, settings, threading.Event(), clock.clocks()), ())
    asked = []
    for _ in range(scans_of(settings)):
        before = sum(store.asked.values())
        scanner.scan(BucketSettings("media"), ledger)
        asked.append(1 + sum(store.asked.values()) - before)
        clock.now += settings.interval
    month = estimate(listed(ages), settings)
    assert month.first_scan == asked[0]
    assert month.month == pytest.approx(sum(asked), rel=0.04)


class TestOtherParts:
    def test_always_asks_about_every_upload_at_every_scan(self):
        month = estimate(ISSUE, ScanSettings(parts="always"))
        assert month == Estimate(9_900, 9_910, 9_910, 85_622_400, 85_622_400)
        assert month.savings_factor == 1

    def test_never_only_lists(self):
        assert estimate(ISSUE, ScanSettings(parts="never")) == Estimate(9_900, 10, 10, 86_400, 85_622_400)

    def test_without_uploads_there_is_only_the_listing(self):
        assert estimate(Listing(1, ()), ScanSettings()) == Estimate(0, 1, 1, 8640, 8640)


class TestBudgets:
    def test_a_first_scan_is_cut_and_the_rest_has_its_turn_later(self):
        free, capped = estimate(ISSUE, ScanSettings()), estimate(ISSUE, ScanSettings(max_requests=1000))
        assert capped.first_scan == 1000
        assert capped.month == pytest.approx(free.month, rel=0.001)

    def test_no_scan_asks_more_than_it_may(self):
        month = estimate(ISSUE, ScanSettings(parts="always", max_requests=1000))
        assert month == Estimate(9_900, 1000, 1000, 8_640_000, 85_622_400)

    def test_the_listing_is_made_whatever_the_budget(self):
        assert estimate(ISSUE, ScanSettings(max_requests=3)).month == 86_400

    @pytest.mark.parametrize("most", [4, 11, 31, 101])
    @pytest.mark.parametrize("mix", MIXES)
    def test_a_month_is_as_the_rule_and_the_budget_have_it(self, mix: str, most: int):
        compare(some(mix), ScanSettings(interval=HOUR, max_requests=most), close=0.05)

    def test_a_rate_is_shared_by_the_buckets_of_a_target(self):
        settings = ScanSettings(parts="always", requests_per_second=1.0)
        one, other = estimate_target(
            [Listing(10, (AgeGroup(0, 2_000),)), Listing(10, (AgeGroup(0, 5_000),))], settings
        )
        assert (one.later_scan, other.later_scan) == (pytest.approx(90), pytest.approx(210))

    def test_a_rate_that_does_for_the_listings_alone_leaves_no_requests(self):
        [month] = estimate_target([ISSUE], ScanSettings(requests_per_second=0.01))
        assert month.month == 86_400

    def test_a_rate_that_is_never_reached_changes_nothing(self):
        [month] = estimate_target([ISSUE], ScanSettings(requests_per_second=1000.0))
        assert month == estimate(ISSUE, ScanSettings())

    def test_a_target_without_uploads_has_nothing_to_share(self):
        settings = ScanSettings(requests_per_second=1.0)
        assert estimate_target([Listing(1, ())], settings) == [Estimate(0, 1, 1, 8640, 8640)]
        assert estimate_target([], settings) == []


class TestGroups:
    def test_every_upload_is_in_the_group_of_its_age(self):
        idles = [0.0, 59.0, 61.0, HOUR, 10 * DAY, 100 * 365 * DAY]
        groups = listed(idles).groups
        assert [group.uploads for group in groups] == [2, 1, 1, 1, 1]
        assert groups[0].idle_seconds == pytest.approx(30)
        assert groups[2].idle_seconds == pytest.approx(HOUR, rel=0.03)
        assert groups[-1].idle_seconds == AGE_BOUNDS[-1]

    def test_bounds_are_close_to_each_other(self):
        assert all(high / low < 1.05 for low, high in pairwise(AGE_BOUNDS))
        assert AGE_BOUNDS[-1] > 30 * 365 * DAY

    def test_an_upload_without_a_date_counts_as_begun_now(self):
        tally = Tally(now=NOW, stale_after=DAY, ages=AGE_BOUNDS, with_parts=False)
        tally.add_counted_all([Upload("a", "1"), Upload("b", "2"), Upload("c", "3", NOW - DAY)])
        groups = age_groups(tally.summary())
        assert groups[0] == AgeGroup(0.0, 2)
        assert [group.uploads for group in groups] == [2, 1]

    def test_no_uploads_are_no_groups(self):
        assert listed([]).groups == ()


def test_estimates_add_up():
    one, other = Estimate(1, 2, 3, 4, 50), Estimate(10, 20, 30, 40, 500)
    assert sum_estimates([one, other]) == Estimate(11, 22, 33, 44, 550)
    assert sum_estimates([replace(one, listed=7), replace(other, listed=0)]).listed == 7


def targets(*names: str) -> tuple[TargetSettings, ...]:
    buckets = (BucketSettings("one"), BucketSettings("two"))
    return tuple(TargetSettings(name, StoreKind.S3, buckets) for name in names)


class TestForetell:
    def test_what_no_one_expected_fails_a_bucket_and_nothing_else(self, monkeypatch, caplog):
        class Surprising(FakeStore):
            def open(self, bucket, deadline):
                if bucket.name == "one":
                    raise RuntimeError("a bug")
                return super().open(bucket, deadline)

        store = Surprising([upload(n) for n in range(25)], page_size=10)
        monkeypatch.setattr(forecasting, "make_store", lambda target, transport: store)
        one, two = forecast(targets("prod"))
        assert (one.bucket, one.outcome) == ("one", "internal: unexpected RuntimeError; please report it")
        assert isinstance(two.outcome, Estimate)
        assert (two.outcome.uploads, two.outcome.first_scan) == (25, 28)
        assert "asking failed unexpectedly" in caplog.text
        assert not store.asked

    def test_targets_fail_on_their_own_and_keep_their_order(self, monkeypatch):
        def make(target, transport):
            refused = {n: error(Reason.ACCESS_DENIED) for n in range(2)}
            return FakeStore(listing_errors=refused if target.name == "b" else {})

        monkeypatch.setattr(forecasting, "make_store", make)
        found = forecast(targets("a", "b", "c"))
        assert [each.target.name for each in found] == ["a", "a", "b", "b", "c", "c"]
        assert [isinstance(each.outcome, str) for each in found] == [False, False, True, True, False, False]
        assert found[2].outcome == "access_denied: a access_denied of the test"

    def test_an_exception_in_the_wait_ends_what_is_under_way(self, monkeypatch):
        stopped = []

        def make(target, transport):
            if target.name == "a":
                raise KeyboardInterrupt
            return FakeStore(before_page=lambda _: stopped.append(transport.stop.wait(20)))

        monkeypatch.setattr(forecasting, "make_store", make)
        with pytest.raises(KeyboardInterrupt):
            forecast(targets("a", "b"))
        assert stopped in ([], [True])


@pytest.mark.parametrize("interval", [MINUTE, 7 * MINUTE, HOUR, 2 * HOUR])
@pytest.mark.parametrize("hourly", [1, 2])
def test_rules_and_tags_are_counted_once_an_hour_at_most(hourly: int, interval: float):
    settings, plain = ScanSettings(interval=interval), Listing(10, (AgeGroup(10 * DAY, 9_900),))
    without, found = estimate(plain, settings), estimate(replace(plain, hourly=hourly), settings)
    asked = sum(scan % math.ceil(HOUR / interval) == 0 for scan in range(scans_of(settings))) * hourly
    assert found.first_scan - without.first_scan == hourly
    assert found.month - without.month == pytest.approx(asked)
    assert found.month_always - without.month_always == asked


def test_where_finished_objects_are_listed_too_all_are_counted_and_their_pages_asked_for(monkeypatch):
    """Also those of a large page, which comes in pieces."""
    monkeypatch.setattr(forecasting, "make_store", lambda *_: ListsAll([upload(n) for n in range(3)], 1))
    [target] = targets("clouds")
    found = forecast([replace(target, scan=ScanSettings(parts="never", interval=HOUR))])
    assert [each.outcome for each in found] == [Estimate(3, 3, 3, 3 * 720, 6 * 720, 3 * 5002)] * 2


class ListsAll(FakeStore):
    """Lists an upload a page, among 5,000 finished objects and one in a second piece of the page."""

    def list_uploads(self, bucket, marker, deadline, **options):
        page = super().list_uploads(bucket, marker, deadline, **options)
        rest = page._replace(items=(), keys=("last",))
        return page._replace(keys=("any",) * 5001, truncated=True, next_marker=None, rest=lambda: rest)


def test_a_target_s_rules_and_tags_count_as_one_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecasting, "make_store", lambda *_: FakeStore())
    [target] = targets("prod")
    options = [{}, {"tags": ("owner", "team")}, {"tags": ("owner",), "lifecycle": True}]
    forecasts = [forecast([replace(target, **each)])[0].outcome for each in options]
    assert [each.first_scan for each in forecasts] == [1, 2, 3]


def test_the_store_s_own_count_costs_a_request_with_each_scan(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecasting, "make_store", lambda *_: FakeStore())
    [target] = targets("prod")
    found = forecast([replace(target, ceph_admin=True)])[0].outcome
    assert (found.first_scan, found.later_scan) == (2, 2)


class TestTable:
    def rows(self, *outcomes: Estimate | str) -> list[str]:
        [target] = targets("prod")
        return estimate_table(
            [Forecast(target, f"b-{n}", each) for n, each in enumerate(outcomes)]
        ).splitlines()

    def test_a_stores_words_stay_on_their_line_and_give_the_terminal_no_orders(self):
        [_, row, *_] = self.rows("bad_response: one\n two\x1b[2J")
        assert row == "prod    b-0     failed: bad_response: one\\n two\\x1b[2J"

    def test_on_a_terminal_a_row_has_the_reason_alone(self):
        [target] = targets("prod")
        table = estimate_table([Forecast(target, "b-0", "tls: no such host: b-0")], 80)
        assert table.splitlines()[1] == "prod    b-0     failed: tls"

    @pytest.mark.parametrize(
        ("value", "text"),
        [(1.0, "1"), (1.04, "1"), (11.68, "11.7"), (99.5, "99.5"), (100.4, "100"), (1234567.8, "1,234,568")],
    )
    def test_numbers(self, value: float, text: str):
        [_, row, *_] = self.rows(Estimate(1, 1, value, 1, 1))
        assert row.split()[4] == text

    def test_all_that_is_listed_is_shown_where_that_is_more_than_the_uploads(self):
        blobs = Estimate(12, 212, 201, 144_000, 152_640, listed=1_000_000)
        none = Estimate(0, 1, 1, 720, 720, listed=0)
        head, *rows = self.rows(blobs, none, "tls: no")
        assert head.split()[:5] == ["target", "bucket", "listed", "uploads", "first"]
        assert [row.split()[2:4] for row in rows[:2]] == [["1,000,000", "12"], ["0", "0"]]
        assert rows[2].endswith("failed: tls: no")
        assert rows[3].split()[-7:-5] == ["1,000,000", "12"]
        assert "Listed: finished blobs, too" in "".join(rows)
        assert "listed" not in self.rows(Estimate(12, 13, 13, 13, 13))[0]

    def test_no_buckets_are_a_head_alone(self):
        assert self.rows()[:2] == [
            "target  bucket  uploads  first scan  steady scan  month  plain month  times less",
            "",
        ]
