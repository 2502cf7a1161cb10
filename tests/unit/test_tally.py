"""The sums of a scan, against an oracle that reads the rules one by one over a plain list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.results import OTHER_CLASS, Summary
from exporter.model.uploads import CountedUpload, PartTotals, Upload
from exporter.scan.class_bytes import MAX_CLASSES
from exporter.scan.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
AGES = (HOUR, DAY)


@dataclass(frozen=True)
class Found:
    """One upload as a scan meets it; `totals` None where it could not be sized."""

    upload: Upload
    totals: PartTotals | None = None
    activity: float | None = None


def upload(age: float | None = 0.0, storage_class: str = "") -> Upload:
    return Upload("key", "id", None if age is None else NOW - age, storage_class)


def totals(
    parts: int = 1,
    size: int | None = 10,
    idle: float | None = None,
    cls: str = "",
    abort_at: float | None = None,
) -> PartTotals:
    return PartTotals(parts, size, None if idle is None else NOW - idle, cls, abort_at)


def tally(
    *found: Found,
    ages: tuple[float, ...] = AGES,
    stale_after: float = DAY,
    with_parts: bool = True,
    observer: Callable[[CountedUpload], None] | None = None,
) -> Tally:
    made = Tally(now=NOW, stale_after=stale_after, ages=ages, with_parts=with_parts, observer=observer)
    for item in found:
        if not with_parts:
            made.add_counted(item.upload)
        elif item.totals is None:
            made.add_unsized(item.upload)
        else:
            made.add_sized(item.upload, item.totals, item.activity)
    return made


def summary(
    *found: Found, ages: tuple[float, ...] = AGES, stale_after: float = DAY, with_parts: bool = True
) -> Summary:
    return tally(*found, ages=ages, stale_after=stale_after, with_parts=with_parts).summary()


# --- the oracle


def _activity(item: Found) -> float | None:
    if item.totals is None or item.totals.parts == 0:
        return item.upload.initiated
    for moment in (item.totals.last_modified, item.activity, item.upload.initiated):
        if moment is not None:
            return moment
    return None


def _is_sized(item: Found) -> bool:
    return item.totals is not None and item.totals.bytes is not None


def _is_stale(item: Found, stale_after: float) -> bool:
    activity = _activity(item)
    return activity is not None and max(0.0, NOW - activity) >= stale_after


def _age_bytes(sized: list[Found], ages: tuple[float, ...]) -> tuple[int, ...]:
    dated = [item for item in sized if item.upload.initiated is not None]
    return tuple(
        sum(item.totals.bytes for item in dated if max(0.0, NOW - item.upload.initiated) <= bound)
        for bound in (*ages, math.inf)
    )


def _oracle(found: list[Found], ages: tuple[float, ...], stale_after: float) -> Summary:
    dates = [item.upload.initiated for item in found if item.upload.initiated is not None]
    activities = [moment for item in found if (moment := _activity(item)) is not None]
    years = [max(0.0, NOW - date) for date in dates]
    sized = [item for item in found if _is_sized(item)]
    stale = [item for item in found if _is_stale(item, stale_after)]
    stale_sized = [item for item in stale if _is_sized(item)]
    by_class: dict[str, int] = {}
    for item in sized:
        label = item.totals.storage_class or item.upload.storage_class or "STANDARD"
        by_class[label] = by_class.get(label, 0) + item.totals.bytes
    known = bool(sized) or not found
    aborts = [item.totals.abort_at for item in sized if item.totals.abort_at is not None]
    return Summary(
        uploads=len(found),
        undated=len(found) - len(dates),
        unsized=len(found) - len(sized),
        empty=sum(item.totals.parts == 0 for item in sized) if known else None,
        parts=sum(item.totals.parts for item in sized) if known else None,
        fullest_upload_parts=max((item.totals.parts for item in sized), default=0) if known else None,
        bytes=sum(item.totals.bytes for item in sized) if known else None,
        stale=len(stale),
        stale_bytes=sum(item.totals.bytes for item in stale_sized)
        if known and (stale_sized or not stale)
        else None,
        oldest_initiated=min(dates, default=None),
        oldest_activity=min(activities, default=None),
        age_counts=(*(sum(year <= bound for year in years) for bound in ages), len(years)) if ages else (),
        age_bytes=_age_bytes(sized, ages) if ages and known else (),
        age_sum=sum(years),
        bytes_by_class=tuple(sorted(by_class.items())),
        parts_known=True,
        abort_scheduled=len(aborts) if known else None,
        abort_overdue=sum(NOW - abort > 2 * DAY for abort in aborts) if known else None,
    )


_moments = st.none() | st.integers(-40, 40).map(lambda quarters: NOW - quarters * HOUR / 4)
_aborts = st.none() | st.integers(-10, 10).map(lambda halves: NOW + halves * DAY / 2)
_classes = st.sampled_from(["", "STANDARD", "STANDARD_IA", "GLACIER"])
_totals = st.builds(
    PartTotals, st.integers(1, 5), st.none() | st.integers(0, 2**63), _moments, _classes, _aborts
) | st.builds(PartTotals, st.just(0), st.just(0), st.none(), _classes, _aborts)
_found = st.builds(
    Found, st.builds(Upload, st.just("k"), st.just("i"), _moments, _classes), st.none() | _totals, _moments
)
_bounds = st.lists(st.integers(1, 30).map(lambda q: q * HOUR / 4), unique=True, max_size=4).map(sorted)


@given(st.lists(_found, max_size=12), _bounds.map(tuple), st.integers(0, 20).map(lambda q: q * HOUR / 4))
def test_a_tally_says_what_the_rules_say(found: list[Found], ages: tuple[float, ...], stale_after: float):
    assert summary(*found, ages=ages, stale_after=stale_after) == _oracle(found, ages, stale_after)


@pytest.mark.parametrize("with_parts", [True, False])
@given(st.lists(_found, max_size=12), st.integers(0, 20).map(lambda q: q * HOUR / 4))
def test_the_uploads_that_are_shown_as_stale_are_those_that_are_counted(
    with_parts, found: list[Found], stale_after: float
):
    shown: list[CountedUpload] = []
    counted = tally(*found, stale_after=stale_after, with_parts=with_parts, observer=shown.append).summary()
    stale = [each for each in shown if each.stale]
    assert (len(found), counted.stale) == (len(shown), len(stale))
    if counted.stale_bytes is not None:
        assert counted.stale_bytes == sum(each.bytes or 0 for each in stale)


_many_classes = st.sampled_from([f"CLASS_{number:02}" for number in range(30)] + ["GLACIER", "other", "a b"])
_any_found = _found | st.builds(
    Found,
    st.builds(Upload, st.just("k"), st.just("i"), st.floats(0, 2e9)),
    st.builds(PartTotals, st.integers(1, 9), st.integers(0, 99), st.floats(0, 2e9), _many_classes),
)


@given(st.lists(_any_found, max_size=12))
def test_a_page_counted_at_once_is_each_of_it_counted(found: list[Found]):
    together = tally(with_parts=False)
    together.add_counted_all([item.upload for item in found])
    assert together.summary() == summary(*found, with_parts=False)


def test_a_bucket_without_uploads_is_zeros_and_no_moments():
    assert summary() == Summary(
        *(0, 0, 0, 0, 0, 0, 0, 0),
        oldest_initiated=None,
        oldest_activity=None,
        age_counts=(0, 0, 0),
        age_sum=0.0,
        bytes_by_class=(),
        parts_known=True,
        abort_scheduled=0,
        abort_overdue=0,
        age_bytes=(0, 0, 0),
        fullest_upload_parts=0,
    )


def test_without_parts_what_needs_them_is_unknown_not_zero():
    none = Summary(0, 0, 0, None, None, None, 0, None, None, None, (0, 0, 0), 0.0, (), parts_known=False)
    assert summary(with_parts=False) == none
    assert summary(Found(upload(2 * DAY)), Found(upload(None)), with_parts=False) == Summary(
        *(2, 1, 0, None, None, None, 1, None),
        *(NOW - 2 * DAY, NOW - 2 * DAY, (0, 0, 1), 2 * DAY, ()),
        parts_known=False,
    )


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        (-5.0, (1, 1, 1)),
        (0.0, (1, 1, 1)),
        (HOUR, (1, 1, 1)),
        (HOUR + 0.5, (0, 1, 1)),
        (DAY, (0, 1, 1)),
        (DAY + 1, (0, 0, 1)),
        (None, (0, 0, 0)),
    ],
)
def test_ages_are_counted_up_to_and_with_each_bound(age: float | None, counts: tuple[int, ...]):
    found = summary(Found(upload(age), totals()))
    assert found.age_counts == counts
    assert found.age_sum == max(0.0, age or 0.0)


def test_without_bounds_there_are_no_counts():
    assert summary(Found(upload(HOUR), totals()), ages=()).age_counts == ()


@pytest.mark.parametrize(
    ("item", "stale"),
    [
        (Found(upload(DAY), totals(idle=None)), 1),  # no part times: its initiation
        (Found(upload(DAY - 1), totals(idle=None)), 0),
        (Found(upload(9 * DAY), totals(idle=HOUR)), 0),  # still growing
        (Found(upload(9 * DAY), totals(idle=DAY)), 1),
        (Found(upload(9 * DAY), totals(), NOW - HOUR), 0),  # its parts were seen to change
        (Found(upload(HOUR), totals(), NOW - DAY), 1),
        (Found(upload(9 * DAY), totals(idle=DAY), NOW - HOUR), 1),  # the store's own word comes first
        (Found(upload(9 * DAY), totals(parts=0, size=0)), 1),  # no parts: its initiation
        (Found(upload(9 * DAY), totals(parts=0, size=0), NOW - HOUR), 1),
        (Found(upload(9 * DAY), totals(idle=-HOUR)), 0),  # later than now is no activity long ago
        (Found(upload(9 * DAY)), 1),  # unsized: its initiation
        (Found(upload(HOUR)), 0),
        (Found(upload(9 * DAY), totals(size=None, idle=HOUR)), 0),  # unsized, yet its parts have times
        (Found(upload(HOUR), totals(size=None, idle=DAY)), 1),
        (Found(upload(None), totals(idle=DAY)), 1),  # undated, yet its parts have times
        (Found(upload(None), totals(idle=None)), 0),  # nothing known: not judged
        (Found(upload(None)), 0),
    ],
)
def test_staleness_goes_by_the_last_activity(item: Found, stale: int):
    assert summary(item).stale == stale


def test_with_stale_after_zero_a_moment_ahead_of_the_clock_is_stale():
    assert summary(Found(upload(-HOUR), totals()), stale_after=0.0).stale == 1


def test_undated_uploads_count_yet_have_no_age():
    found = summary(Found(upload(None), totals(idle=2 * DAY)), Found(upload(HOUR), totals()))
    assert (found.uploads, found.undated, found.age_counts) == (2, 1, (1, 1, 1))
    assert (found.oldest_initiated, found.oldest_activity) == (NOW - HOUR, NOW - 2 * DAY)


def test_where_none_could_be_sized_nothing_is_said_about_sizes():
    found = summary(Found(upload(2 * DAY)), Found(upload(HOUR), totals(parts=3, size=None, idle=0.0)))
    assert (found.uploads, found.unsized, found.stale) == (2, 2, 1)
    assert (found.empty, found.parts, found.bytes, found.stale_bytes) == (None, None, None, None)
    assert found.fullest_upload_parts is None
    assert found.bytes_by_class == ()


def test_the_fullest_upload_is_that_with_the_most_parts_of_those_that_are_sized():
    sized = (Found(upload(), totals(parts=parts)) for parts in (3, 9_999, 1))
    assert summary(*sized, Found(upload(), totals(parts=10_000, size=None))).fullest_upload_parts == 9_999


def test_stale_bytes_are_unknown_where_no_stale_upload_could_be_sized():
    fresh = Found(upload(HOUR), totals(size=7))
    assert summary(fresh).stale_bytes == 0
    assert summary(fresh, Found(upload(9 * DAY))).stale_bytes is None
    assert summary(fresh, Found(upload(9 * DAY)), Found(upload(9 * DAY), totals(size=5))).stale_bytes == 5


def test_an_abort_is_overdue_after_two_days():
    found = [Found(upload(), totals(abort_at=NOW - late)) for late in (-DAY, 0, 2 * DAY, 2 * DAY + 1)]
    assert (summary(*found).abort_scheduled, summary(*found).abort_overdue) == (4, 1)


def test_what_was_sized_without_an_abort_date_is_a_true_zero():
    assert summary(Found(upload(), totals())).abort_scheduled == 0
    assert summary().abort_overdue == 0


def test_where_nothing_was_sized_no_abort_is_known():
    assert summary(Found(upload())).abort_scheduled is None
    assert summary(Found(upload()), with_parts=False).abort_overdue is None


def test_an_empty_upload_is_sized():
    found = summary(Found(upload(), totals(parts=0, size=0, cls="STANDARD_IA")))
    assert (found.empty, found.parts, found.bytes, found.unsized) == (1, 0, 0, 0)
    assert found.bytes_by_class == (("STANDARD_IA", 0),)


@pytest.mark.parametrize(
    ("of_parts", "of_upload", "label"),
    [
        ("STANDARD_IA", "GLACIER", "STANDARD_IA"),
        ("", "GLACIER", "GLACIER"),
        ("", "", "STANDARD"),
        ("INTELLIGENT_TIERING-x.1", "", "INTELLIGENT_TIERING-x.1"),
        ("a" * 40, "", "a" * 40),
        ("a" * 41, "", OTHER_CLASS),
        ("STANDARD\n", "", OTHER_CLASS),
        ('x"} 1', "", OTHER_CLASS),
        ("кириллица", "", OTHER_CLASS),
    ],
)
def test_storage_classes_become_labels_that_are_safe(of_parts: str, of_upload: str, label: str):
    found = summary(Found(upload(storage_class=of_upload), totals(size=4, cls=of_parts)))
    assert found.bytes_by_class == ((label, 4),)


def test_a_flood_of_storage_classes_ends_in_other_and_loses_no_byte():
    flood = [Found(upload(), totals(size=number, cls=f"A{number:03}")) for number in range(1, 101)]
    found = summary(*flood, Found(upload(), totals(size=1000, cls="STANDARD")))
    labels = dict(found.bytes_by_class)
    assert len(labels) == MAX_CLASSES + 1
    assert labels["STANDARD"] == 1000
    assert sum(labels.values()) == found.bytes == 1000 + 5050
    assert labels[OTHER_CLASS] == sum(range(MAX_CLASSES, 101))
