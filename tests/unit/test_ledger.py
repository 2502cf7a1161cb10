"""What is remembered between scans."""

from __future__ import annotations

from fakes import NOW, upload

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
        ledger.note_refused(0.0)
        assert (ledger.refused, ledger.may_ask(PROBE_SECONDS - 1), ledger.may_ask(PROBE_SECONDS)) == (
            True,
            False,
            True,
        )

    def test_an_answer_ends_it(self):
        ledger = Ledger()
        ledger.note_refused(0.0)
        ledger.note_answered()
        assert ledger.may_ask(0.0)
