"""What is remembered between scans."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from fakes import DAY, NOW, upload
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.boundaries import Boundaries, SegmentStart
from exporter.model.results import ScanResult
from exporter.model.uploads import PartTotals
from exporter.scan.tally import Tally
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.notes import ListingTraits, Notes, RefusalState, read_notes, write_notes
from exporter.state.records import ContiguousParts
from exporter.state.rows import BATCH, MAX_PENDING, LedgerRows, UploadRecord
from exporter.state.seen_ids import SeenIds

HONEST = Notes(traits=ListingTraits(honest_scans=1))
REFUSED = RefusalState(NOW, "no", probes=2, consecutive=3)
TRAITS = ListingTraits(skips_edges=True, hiding_since=NOW)
NAME = BucketName("prod", "s3", "", "-", "media")


def result(uploads: int = 1) -> ScanResult:
    tally = Tally(now=NOW, stale_after=7 * DAY, ages=(DAY,), with_parts=True)
    for number in range(uploads):
        tally.add_sized(upload(number, age=DAY * number), PartTotals(2, 20, NOW - 5, "GLACIER"))
    summary = replace(tally.summary(), unlisted=3, denied=2, age_bytes=())
    return ScanResult(summary, NOW + 9, 8.5, "some trouble", notices=("one", "two"))


def record(ledger: Ledger, each, totals: PartTotals, now: float, **more) -> UploadRecord:
    [(row_id, known)] = ledger.look_up([each])
    return ledger.record_parts(row_id, each, totals, now, known, **more)


def record_of(ledger: Ledger, each) -> UploadRecord | None:
    return ledger.look_up([each])[0][1]


class TestParts:
    def test_are_remembered_with_the_newest_part_as_activity(self):
        ledger, each = Ledger(), upload(1, age=DAY)
        record(ledger, each, PartTotals(2, 30, NOW - 7), NOW)
        assert record_of(ledger, each) == UploadRecord(NOW, NOW - 7, True, 2, 30)  # noqa: FBT003

    def test_what_no_store_can_mean_is_stored_as_not_known(self):
        ledger, each, start = Ledger(), upload(1), ContiguousParts(1000, 2**63, NOW)
        stored = record(ledger, each, PartTotals(1001, None, NOW - 7), NOW, contiguous=start)
        assert (stored.parts, stored.bytes, stored.contiguous_parts) == (1001, None, None)
        assert ledger.rows.flush()

    def test_none_mean_the_initiation(self):
        ledger, each = Ledger(), upload(1, age=DAY)
        assert record(ledger, each, PartTotals(0, 0), NOW).idle_since == NOW - DAY

    @pytest.mark.parametrize(
        ("listed", "said", "kept"),
        [
            ("STANDARD", "STANDARD", None),
            ("", "STANDARD", "STANDARD"),
            ("GLACIER", "", None),
            ("", "x" * 99, "x" * 41),
        ],
    )
    def test_keep_a_storage_class_only_where_the_listing_does_not_say_it(self, listed, said, kept):
        ledger, each = Ledger(), upload(1)._replace(storage_class=listed)
        record(ledger, each, PartTotals(1, 1, NOW, said), NOW)
        assert record_of(ledger, each).storage_class == kept

    def test_the_contiguous_start_is_kept_with_when_it_was_read_in_full(self):
        ledger, each = Ledger(), upload(1)
        start = ContiguousParts(1200, 70, NOW - 5)
        record(ledger, each, PartTotals(1500, 99, NOW), NOW, contiguous=start)
        kept = record_of(ledger, each)
        assert (kept.contiguous_parts, kept.contiguous_bytes, kept.read_in_full_at) == (1200, 70, NOW - 5)

    @pytest.mark.parametrize("other", [("key-1", "id-2"), ("key-2", "id-1"), ("key-1i", "d-1")])
    def test_are_those_of_key_and_id(self, other):
        ledger = Ledger()
        record(ledger, upload(1), PartTotals(1, 1, NOW), NOW)
        assert record_of(ledger, upload(1)._replace(key=other[0], upload_id=other[1])) is None

    def test_what_an_unfinished_pass_learnt_stays_known(self):
        ledger = Ledger()
        record(ledger, upload(1), PartTotals(1, 1, NOW), NOW)
        ledger.begin()
        assert record_of(ledger, upload(1)).checked_at == NOW


class TestWithoutPartTimes:
    def test_the_first_sight_is_the_initiation_then_when_they_changed(self):
        ledger, each = Ledger(), upload(1, age=DAY)
        seen = [
            record(ledger, each, totals, NOW + n).idle_since
            for n, totals in enumerate(
                [PartTotals(1, 10), PartTotals(1, 10), PartTotals(2, 20), PartTotals(2, 20)]
            )
        ]
        assert seen == [NOW - DAY, NOW - DAY, NOW + 2, NOW + 2]

    @pytest.mark.parametrize("changed", [PartTotals(2, 10), PartTotals(1, 11)])
    def test_more_parts_or_more_bytes_are_activity(self, changed):
        ledger, each = Ledger(), upload(1, age=DAY)
        record(ledger, each, PartTotals(1, 10), NOW)
        assert record(ledger, each, changed, NOW + 5).idle_since == NOW + 5

    def test_an_upload_without_a_date_has_no_activity_until_its_parts_change(self):
        ledger, each = Ledger(), upload(1, age=None)
        noted = [record(ledger, each, PartTotals(1, 10), NOW + n) for n in range(3)]
        assert [known[1:3] for known in noted] == [(NOW, False)] * 3  # idle since it was first seen so
        assert record(ledger, each, PartTotals(1, 11), NOW + 5)[1:3] == (NOW + 5, True)

    def test_one_asked_about_in_vain_begins_at_first_sight(self):
        ledger, each = Ledger(), upload(1, age=DAY)
        [(row_id, known)] = ledger.look_up([each])
        ledger.record_failure(row_id, upload(1), NOW, known)
        assert record(ledger, each, PartTotals(1, 10), NOW + 5).idle_since == NOW - DAY


class TestFailures:
    def test_of_an_upload_never_sized_leave_it_so(self):
        ledger = Ledger()
        [(row_id, known)] = ledger.look_up([upload(1)])
        ledger.record_failure(row_id, upload(1), NOW, known)
        assert record_of(ledger, upload(1))[:4] == (0.0, NOW, False, None)
        assert record_of(ledger, upload(1)).failed_at == NOW

    def test_of_another_keep_what_is_known(self):
        ledger = Ledger()
        before = record(ledger, upload(1), PartTotals(1, 10, NOW), NOW)
        [(row_id, known)] = ledger.look_up([upload(1)])
        ledger.record_failure(row_id, upload(1), NOW + 5, known)
        assert record_of(ledger, upload(1)) == before._replace(failed_at=NOW + 5)

    def test_a_success_forgets_them(self):
        ledger = Ledger()
        [(row_id, known)] = ledger.look_up([upload(1)])
        ledger.record_failure(row_id, upload(1), NOW, known)
        assert record(ledger, upload(1), PartTotals(1, 10, NOW), NOW + 5).failed_at is None


class TestListedButEnded:
    def test_twice_in_a_row_says_so(self):
        ledger = Ledger()
        assert ledger.record_ended(upload(1)) is False
        ledger.commit(result())
        assert ledger.record_ended(upload(1)) is True

    def test_is_remembered_for_one_scan(self):
        ledger = Ledger()
        ledger.record_ended(upload(1))
        ledger.commit(result())
        ledger.commit(result())
        assert ledger.record_ended(upload(1)) is False

    def test_what_an_unfinished_pass_found_does_not_count(self):
        ledger = Ledger()
        ledger.record_ended(upload(1))
        ledger.begin()
        ledger.commit(result())
        assert ledger.record_ended(upload(1)) is False


class TestEnded:
    def test_uploads_that_a_finished_scan_did_not_see_are_forgotten(self):
        ledger = Ledger()
        for number in range(600):
            record(ledger, upload(number), PartTotals(1, number, NOW), NOW)
        ledger.commit(result())
        ledger.look_up([upload(number) for number in range(0, 600, 3)])
        ledger.commit(result())
        assert ledger.rows.count() == 200
        known = [record_of(ledger, upload(number)) is not None for number in range(600)]
        assert known == [number % 3 == 0 for number in range(600)]

    def test_a_scan_that_looked_nothing_up_forgets_nothing(self):
        ledger = Ledger()
        record(ledger, upload(1), PartTotals(1, 1, NOW), NOW)
        ledger.commit(result())
        ledger.commit(result())  # with parts: never
        assert ledger.rows.count() == 1

    def test_an_empty_bucket_forgets_all(self):
        ledger = Ledger()
        record(ledger, upload(1), PartTotals(1, 1, NOW), NOW)
        ledger.commit(result())
        ledger.look_up([])
        ledger.commit(result(0))
        assert ledger.rows.count() == 0


class TestNextProcess:
    def test_finds_result_ended_uploads_and_refusals(self, tmp_path):
        for expected in (None, result(3)):
            state = StateDatabase(tmp_path / "state.db")
            assert state.open(threading.Event())
            ledger = Ledger(LedgerRows(state, NAME), "settings")
            assert ledger.result == expected
            ledger.record_ended(upload(7))
            ledger.refusals = REFUSED
            ledger.traits = TRAITS
            ledger.commit(result(3))
            state.close()
        state = StateDatabase(tmp_path / "state.db")
        assert state.open(threading.Event())
        other = Ledger(LedgerRows(state, NAME), "other settings")
        assert (other.result, other.record_ended(upload(7)), other.refusals) == (None, True, REFUSED)
        assert other.traits == TRAITS
        state.close()

    @given(
        st.builds(
            Notes,
            result=st.sampled_from([None, result(0), result(4)]),
            ended=st.frozensets(st.integers(-(2**63), 2**63 - 1), max_size=5),
            refusals=st.builds(
                RefusalState,
                refused_at=st.none() | st.floats(0, 2e9),
                message=st.text(max_size=20),
                probes=st.integers(0, 99),
                consecutive=st.integers(0, 50),
            ),
            denied=st.frozensets(st.integers(-(2**63), 2**63 - 1), max_size=5),
            traits=st.builds(
                ListingTraits,
                skips_edges=st.booleans(),
                prefix_is_broken=st.booleans(),
                prefix_checked_at=st.none() | st.floats(0, 2e9),
                hiding_since=st.none() | st.floats(0, 2e9),
                honest_scans=st.integers(0, 50),
                lists_by_key=st.booleans(),
                usual_missing=st.floats(0, 1e9),
                one_stream_until=st.none() | st.floats(0, 2e9),
            ),
            boundaries=st.just(Boundaries())
            | st.builds(
                Boundaries,
                keys=st.lists(st.text(max_size=9), min_size=1, max_size=3).map(tuple),
                endings=st.lists(st.text(max_size=2), max_size=3).map(tuple),
                pages=st.integers(0, 99),
                starts=st.lists(
                    st.builds(SegmentStart, st.none() | st.tuples(st.text(max_size=9)), st.text(max_size=9)),
                    max_size=3,
                ).map(tuple),
                prefix=st.text(max_size=3),
            ),
        )
    )
    def test_reads_what_was_written(self, notes):
        assert read_notes(write_notes(notes)) == notes

    def test_an_earlier_version_is_told_of_no_trait_that_is_as_usual(self):
        assert json.loads(write_notes(HONEST))["listing"] == {"honest_scans": 1}

    def test_an_earlier_version_is_told_of_no_field_that_it_does_not_know(self):
        known = result()
        more = replace(known, summary=replace(known.summary, age_bytes=(20, 20)))
        assert write_notes(Notes(known)) == write_notes(Notes(more))

    def test_reads_a_text_that_is_no_valid_unicode_escaped(self):
        notes = Notes(replace(result(), warning="a\udfff", notices=("b\ud800",)))
        assert read_notes(write_notes(notes)).result == replace(
            result(), warning="a\\udfff", notices=("b\\ud800",)
        )

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{}",
            "null",
            '{"result": {}}',
            write_notes(Notes()).replace('"result": null', '"result": "none"'),
            write_notes(Notes()).replace('"refused_at": null', '"refused_at": "never"'),
            write_notes(Notes()).replace('"probes": 0', '"probes": "0"'),
            write_notes(Notes()).replace('"probes": 0', '"probes": true'),
            write_notes(Notes()).replace(', "probes": 0', ""),
            write_notes(HONEST).replace('"honest_scans": 1', '"honest_scans": "1"'),
            write_notes(HONEST).replace('"honest_scans": 1', '"kind_scans": 1'),
            write_notes(Notes(result())).replace('"uploads": 1', '"uploads": "many"'),
            write_notes(Notes(result())).replace('"bytes_by_class": [["GLACIER"', '"bytes_by_class": [[1'),
            write_notes(Notes(result())).replace('[["GLACIER", ', '[["GLACIER", 1, '),
            "[" * 100_000,
            write_notes(Notes(result())).replace("uploads", "files"),
            write_notes(Notes(result())).replace('"overdue": 0', '"overdue": 0, "more": 1'),
        ],
    )
    def test_reads_nothing_of_another_version(self, text):
        assert read_notes(text) == Notes()


class TestRows:
    @pytest.mark.parametrize(
        "bad",
        [
            {"parts": 2**63},
            {"bytes": 2**63},
            {"storage_class": "GLACIER\ud800"},
            {"contiguous_bytes": 10**19},
        ],
    )
    def test_one_that_cannot_be_stored_costs_no_other_and_no_scan(self, caplog, bad: dict[str, object]):
        database, whole = StateDatabase(), UploadRecord(NOW, NOW, True, 2, 20)  # noqa: FBT003
        rows = LedgerRows(database, NAME)
        for number in range(3):
            rows.put(number, whole._replace(**(bad if number == 1 else {})), upload(number))
        assert rows.commit([], "settings", "notes")
        later = LedgerRows(database, NAME)
        assert (later.fetch(range(3)), later.notes()) == ({0: whole, 2: whole}, ("settings", "notes"))
        assert [each.fields for each in caplog.records] == [{"records": 1}]
        rows.put(1, whole, upload(1))
        assert (rows.flush(), later.fetch([1])) == (True, {1: whole})

    def test_rows_wait_for_each_other_and_are_read_meanwhile(self):
        rows = LedgerRows(StateDatabase(), NAME)
        known = UploadRecord(NOW, NOW, True, 1, 1)  # noqa: FBT003
        for number in range(BATCH - 1):
            rows.put(number, known)
        assert (rows.count(), len(rows.fetch(range(BATCH - 1)))) == (0, BATCH - 1)
        rows.put(BATCH, known)
        assert rows.count() == BATCH

    @pytest.mark.parametrize("edge", [-(2**63), -(2**56), -(2**56) - 1, -1, 0, 2**56 - 1, 2**56, 2**63 - 1])
    def test_any_id_is_found_and_seen(self, edge):
        rows, seen = LedgerRows(StateDatabase(), NAME), SeenIds()
        known = UploadRecord(NOW, NOW, True, 5, 1)  # noqa: FBT003
        rows.put(edge, known)
        rows.put(17, known)
        assert rows.fetch([1, edge, 2]) == {edge: known}
        seen.add(edge)
        rows.commit(rows.missing(seen), "", "{}")
        assert rows.fetch([17, edge]) == {edge: known}

    @pytest.mark.slow
    def test_what_cannot_be_written_waits_up_to_a_limit(self):
        state = StateDatabase()
        rows = LedgerRows(state, NAME)
        rows.fetch([1])
        state.write = lambda _: False
        for number in range(MAX_PENDING + 10):
            rows.put(number, UploadRecord(NOW, NOW, True, 1, number))  # noqa: FBT003
        assert not rows.flush()
        assert rows.fetch([9, 10, MAX_PENDING]).keys() == {10, MAX_PENDING}
        del state.write
        assert rows.flush()
        assert rows.count() == MAX_PENDING
