"""What is remembered between scans."""

from __future__ import annotations

import pytest
from fakes import DAY, NOW, upload

from exporter.ledger import PROBE_SECONDS, Ledger
from exporter.model import PartTotals


class TestGone:
    def test_is_remembered_for_one_scan(self):
        ledger = Ledger()
        assert ledger.note_gone(upload(1)) is False
        ledger.commit()
        ledger.begin()
        ledger.commit()
        assert ledger.note_gone(upload(1)) is False

    def test_twice_in_a_row_says_so(self):
        ledger = Ledger()
        ledger.note_gone(upload(1))
        ledger.commit()
        ledger.begin()
        assert ledger.note_gone(upload(1)) is True

    def test_what_an_unfinished_pass_noted_does_not_count(self):
        ledger = Ledger()
        ledger.note_gone(upload(1))
        ledger.begin()
        ledger.commit()
        assert ledger.note_gone(upload(1)) is False


class TestParts:
    def test_an_upload_without_a_date_has_no_activity_until_its_parts_change(self):
        ledger, undated = Ledger(), upload(1, age=None)
        assert ledger.note_parts(undated, PartTotals(1, 10), NOW) is None
        ledger.commit()
        assert ledger.note_parts(undated, PartTotals(1, 10), NOW + 1) is None
        ledger.commit()
        assert ledger.note_parts(undated, PartTotals(1, 11), NOW + 2) == NOW + 2

    def test_an_upload_that_could_not_be_sized_keeps_what_is_known_of_it(self):
        ledger = Ledger()
        ledger.note_parts(upload(1), PartTotals(1, 10), NOW + 5)
        ledger.commit()
        ledger.keep_parts(upload(1))
        ledger.commit()
        assert ledger.note_parts(upload(1), PartTotals(1, 10), NOW + 9) == NOW

    def test_one_that_never_could_is_not_remembered(self):
        ledger = Ledger()
        ledger.keep_parts(upload(1))
        ledger.commit()
        assert ledger.note_parts(upload(1, age=7.0), PartTotals(1, 10), NOW) == NOW - 7.0

    def test_uploads_that_ended_are_forgotten(self):
        ledger = Ledger()
        ledger.note_parts(upload(1), PartTotals(1, 10), NOW)
        ledger.commit()
        ledger.commit()
        assert ledger.note_parts(upload(1), PartTotals(2, 20), NOW + 9) == NOW


class TestRefusals:
    def test_a_store_that_refused_is_left_alone_for_an_hour(self):
        ledger = Ledger()
        assert ledger.may_ask(0.0)
        ledger.note_refused(0.0, "no")
        assert (ledger.refused, ledger.may_ask(PROBE_SECONDS - 1), ledger.may_ask(PROBE_SECONDS)) == (
            True,
            False,
            True,
        )

    def test_an_answer_ends_it(self):
        ledger = Ledger()
        ledger.note_refused(0.0, "no")
        ledger.note_answered()
        assert ledger.may_ask(0.0)


def test_what_was_sized_before_a_failure_stays_known():
    ledger = Ledger()
    ledger.note_parts(upload(1), PartTotals(1, 10), NOW)
    ledger.begin()
    assert ledger.note_parts(upload(1), PartTotals(2, 20), NOW + 5) == NOW + 5
    ledger.begin()
    ledger.commit()  # a whole pass that did not see it: it has ended
    assert ledger.note_parts(upload(1), PartTotals(2, 20), NOW + 9) == NOW


@pytest.mark.parametrize("changed", [PartTotals(2, 10), PartTotals(1, 11)])
def test_more_parts_or_more_bytes_are_activity(changed):
    ledger = Ledger()
    ledger.note_parts(upload(1, age=DAY), PartTotals(1, 10), NOW)
    ledger.commit()
    assert ledger.note_parts(upload(1, age=DAY), changed, NOW + 5) == NOW + 5


def test_kept_parts_keep_their_activity():
    ledger = Ledger()
    ledger.note_parts(upload(1), PartTotals(1, 10), NOW)
    ledger.commit()
    ledger.note_parts(upload(1), PartTotals(2, 20), NOW + 5)
    ledger.commit()
    ledger.keep_parts(upload(1))
    ledger.commit()
    assert ledger.note_parts(upload(1), PartTotals(2, 20), NOW + 9) == NOW + 5


def test_each_refusal_begins_the_hour_anew():
    ledger = Ledger()
    ledger.note_refused(1.0, "no")
    ledger.note_refused(1.0 + PROBE_SECONDS, "no")
    assert not ledger.may_ask(2 * PROBE_SECONDS)


@pytest.mark.parametrize("other", [("key-1", "id-2"), ("key-2", "id-1")])
def test_an_upload_is_known_by_key_and_id(other):
    ledger = Ledger()
    ledger.note_gone(upload(1))
    ledger.commit()
    assert ledger.note_gone(upload(1)._replace(key=other[0], upload_id=other[1])) is False
