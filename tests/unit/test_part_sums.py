"""Sums of parts: each counted once, and unknown where any is unknown."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.model.uploads import MAX_NUMBER, Part, Parts, PartTotals
from exporter.stores.base import PartSum
from exporter.stores.pagination.part_sums import NumberedPartSum, RangedPartSum

sizes = st.integers(0, 2**40)
numbered = st.dictionaries(st.integers(1, 10_000), sizes, max_size=30)
ranges = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 50)), max_size=20)


def totals(fold: PartSum, *pages: list[Part]) -> PartTotals:
    for page in pages:
        fold.add(page)
    return fold.totals("")


def in_columns(*pages: list[Part]) -> PartTotals:
    """Count pages as a store gives them that numbers its parts."""
    return totals(NumberedPartSum(), *map(Parts.of, pages))


@pytest.mark.parametrize(("more", "total"), [(0, MAX_NUMBER), (1, None)])
def test_a_sum_beyond_what_any_store_can_mean_is_not_known(more: int, total: int | None):
    numbered = [Part(1, MAX_NUMBER - 9, 1e9), Part(2, 9 + more, 1e9)]
    covered = [Part(0, MAX_NUMBER - 9), Part(MAX_NUMBER - 9, 9 + more)]
    assert in_columns(numbered).bytes == in_columns(*([each] for each in numbered)).bytes == total
    assert totals(NumberedPartSum(), [*numbered, numbered[0]]).bytes == total
    assert totals(RangedPartSum(), covered) == PartTotals(2, total)


class TestNumbered:
    @settings(deadline=None)
    @given(numbered, st.randoms(use_true_random=False), st.data())
    def test_each_number_counts_once_in_any_order(
        self, truth: dict[int, int], rng: object, data: st.DataObject
    ):
        parts = [Part(number, size, 1e9 + number) for number, size in truth.items()]
        repeats = data.draw(st.lists(st.sampled_from(parts), max_size=10)) if parts else []
        listed = parts + repeats
        rng.shuffle(listed)
        newest = max((1e9 + number for number in truth), default=None)
        assert totals(NumberedPartSum(), listed) == PartTotals(len(truth), sum(truth.values()), newest)

    @settings(deadline=None)
    @given(
        st.lists(
            st.lists(
                st.builds(
                    Part,
                    st.one_of(st.none(), st.integers(0, 12)),
                    st.one_of(st.none(), sizes),
                    st.one_of(st.none(), st.floats(1e9, 2e9)),
                ),
                max_size=6,
            ),
            max_size=4,
        )
    )
    @example([[Part(1, 5, 1e9), Part(1, 6, 2e9)]])
    @example([[Part(None, 5, 1e9)]])
    @example([[Part(1, None, 1e9)]])
    @example([[Part(1, 5, None)], [Part(2, 5, None)]])
    @example([[Part(1, 5, 1e9)], [Part(2, 6, 1e9)]])
    @example(
        [[Part(1, 5, 1e9), Part(2, 5, 1e9), Part(5, 5, 1e9)], [Part(number, 6, 1e9) for number in (3, 4, 5)]]
    )
    def test_columns_add_up_as_part_by_part(self, pages: list[list[Part]]):
        assert in_columns(*pages) == totals(NumberedPartSum(), *pages)

    @given(st.lists(numbered, max_size=4))
    def test_flawless_columns_of_many_pages_add_up(self, truths: list[dict[int, int]]):
        pages = [[Part(number, size, 1e9 + number) for number, size in truth.items()] for truth in truths]
        last = {number: size for truth in truths for number, size in truth.items()}
        newest = max((1e9 + number for number in last), default=None)
        assert in_columns(*pages) == PartTotals(len(last), sum(last.values()), newest)

    @pytest.mark.parametrize("in_columns", [False, True])
    @pytest.mark.parametrize("pages", [1, 2])
    @pytest.mark.parametrize(
        ("first", "again", "counts"),
        [
            (Part(1, 5, 1e9), Part(1, 700, 2e9), Part(1, 700, 2e9)),
            (Part(1, 700, 2e9), Part(1, 5, 1e9), Part(1, 700, 2e9)),
            (Part(1, 5, 1e9), Part(1, 700, 1e9), Part(1, 700, 1e9)),
            (Part(1, 5, None), Part(1, 700, 1e9), Part(1, 700, 1e9)),
            (Part(1, 5, 1e9), Part(1, 700, None), Part(1, 700, None)),
            (Part(1, 5, 1e9), Part(1, None, 2e9), Part(1, None, 2e9)),
            (Part(1, None, 2e9), Part(1, 5, 1e9), Part(1, None, 2e9)),
        ],
    )
    def test_of_a_number_listed_twice_the_part_that_was_sent_last_counts(
        self, first: Part, again: Part, counts: Part, pages: int, *, in_columns: bool
    ):
        listed = [[first, Part(2, 10, 1e8)], [again]] if pages == 2 else [[first, Part(2, 10, 1e8), again]]
        found = totals(NumberedPartSum(), *(Parts.of(page) if in_columns else page for page in listed))
        size = None if counts.size is None else counts.size + 10
        assert PartTotals(2, size, counts.modified or 1e8) == found

    def test_a_part_sent_again_changes_the_bytes_of_the_contiguous_ones(self):
        fold = NumberedPartSum()
        for page in ([Part(1, 5, 1e9), Part(2, 6, 1e9)], [Part(1, 700, 2e9), Part(3, 7, 1e9)]):
            fold.add(Parts.of(page))
        assert (fold.contiguous_parts, fold.contiguous_bytes) == (3, 713)

    @pytest.mark.parametrize(
        ("modified", "outdated"), [(2e9, True), (1e9, False), (5e8, False), (None, False)]
    )
    def test_a_skipped_part_with_a_later_time_shows_that_the_sum_is_outdated(
        self, modified: float | None, *, outdated: bool
    ):
        fold = NumberedPartSum(3, 30, 1e9)
        fold.add(Parts.of([Part(3, 700, modified), Part(4, 1, 1e9)]))
        assert (outdated, PartTotals(4, 31, 1e9)) == (fold.outdated, fold.totals(""))
        fold.restart()
        assert not fold.outdated

    @pytest.mark.parametrize("unknown", [Part(2, None), Part(None, 5), Part(None, None), Part(0, 5)])
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_one_unknown_part_leaves_the_bytes_unknown(self, unknown: Part, place: int):
        parts = [Part(1, 5), Part(3, 6)]
        parts.insert(place, unknown)
        assert totals(NumberedPartSum(), parts) == PartTotals(3, None)

    @pytest.mark.parametrize("skipped", [0, 3])
    def test_a_part_0_is_never_passed_over(self, skipped: int):
        """Numbers begin with 1; a store that lists a 0 holds bytes all the same."""
        for listed in ([Part(0, 100, 1e9)], Parts.of([Part(0, 100, 1e9)]), [Part(0, 100, 1e9)] * 2):
            fold = NumberedPartSum(skipped, 0)
            fold.add(listed)
            assert fold.totals("").bytes is None
            assert (skipped + len(listed), skipped) == (fold.totals("").parts, fold.contiguous_parts)

    def test_no_parts(self):
        assert totals(NumberedPartSum(), []) == PartTotals(0, 0)

    def test_a_part_without_a_time_is_no_activity(self):
        parts = [Part(1, 5, 1e9), Part(2, 5, None), Part(3, 5, 2e9), Part(4, 5, 1.5e9)]
        assert totals(NumberedPartSum(), parts).last_modified == 2e9


class TestRanged:
    @settings(deadline=None)
    @given(ranges)
    def test_no_byte_counts_twice(self, pieces: list[tuple[int, int]]):
        covered = {byte for start, size in pieces for byte in range(start, start + size)}
        found = totals(RangedPartSum(), [Part(start, size) for start, size in pieces])
        assert found == PartTotals(len(set(pieces)), len(covered))

    @pytest.mark.parametrize("unknown", [Part(None, 5), Part(0, None), Part(None, None)])
    def test_one_unreadable_range_leaves_the_bytes_unknown(self, unknown: Part):
        assert totals(RangedPartSum(), [Part(0, 10), unknown]) == PartTotals(2, None)


class TestRuns:
    @given(st.lists(st.lists(st.integers(1, 12), max_size=6), max_size=4), st.booleans())
    def test_a_run_is_what_is_there_from_the_first_part_on(self, pages, in_columns):
        fold, sizes = NumberedPartSum(), {}
        for page in pages:
            listed = [Part(number, 100 + number, 1e9 + number) for number in page]
            fold.add(Parts.of(listed) if in_columns else listed)
            sizes |= {number: 100 + number for number in page}
        assert set(range(1, fold.contiguous_parts + 1)) <= set(sizes)
        assert fold.contiguous_bytes == sum(sizes[number] for number in range(1, fold.contiguous_parts + 1))
        if all(page == sorted(set(page)) for page in pages) and sum(pages, []) == sorted(set(sum(pages, []))):  # noqa: RUF017
            assert fold.contiguous_parts + 1 not in sizes

    @given(st.integers(1, 9), st.lists(st.integers(1, 15), max_size=10), st.booleans())
    def test_parts_that_are_left_out_count_as_they_were(self, run, page, in_columns):
        fold = NumberedPartSum(run, 1000, 1e9)
        listed = [Part(number, 7, 1e9 + number) for number in page]
        fold.add(Parts.of(listed) if in_columns else listed)
        new = {number for number in page if number > run}
        newest = max([1e9, *(1e9 + number for number in new)])
        assert fold.totals("") == PartTotals(run + len(new), 1000 + 7 * len(new), newest)

    def test_a_part_of_unknown_size_ends_it(self):
        fold = NumberedPartSum()
        fold.add([Part(1, 5), Part(2, None), Part(3, 5)])
        assert (fold.contiguous_parts, fold.contiguous_bytes) == (1, 5)

    def test_it_can_begin_again(self):
        fold = NumberedPartSum(5, 50, 1e9)
        fold.restart()
        fold.add([Part(1, 3, 2e9)])
        assert (fold.totals(""), fold.contiguous_parts, fold.skipped_parts) == (PartTotals(1, 3, 2e9), 1, 0)

    def test_ranges_have_none(self):
        fold = RangedPartSum()
        fold.add([Part(0, 10)])
        fold.restart(3, 30, 1e9)
        assert (fold.totals(""), fold.contiguous_parts, fold.skipped_parts) == (PartTotals(0, 0), 0, 0)
