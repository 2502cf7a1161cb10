"""When a store that refuses to list parts is asked again."""

from __future__ import annotations

import pytest
from fakes import NOW, REFUSED, error, upload

from exporter.model.errors import Reason
from exporter.model.results import ScanResult
from exporter.scan.refusal_breaker import MAX_REFUSALS, PROBE_SECONDS, RefusalBreaker
from exporter.scan.tally import Tally
from exporter.state.ledger import Ledger
from exporter.state.notes import RefusalState


def breaker(ledger: Ledger, now: float = NOW, *, across_scans: bool = True) -> RefusalBreaker:
    return RefusalBreaker(ledger, now, across_scans=across_scans)


def refused(ledger: Ledger, times: int = MAX_REFUSALS, **how: bool) -> RefusalBreaker:
    made = breaker(ledger, **how)
    for _ in range(times):
        made.failed(REFUSED, failed_before=False)
    return made


def test_opens_at_the_last_refusal_and_not_before():
    assert not refused(Ledger(), MAX_REFUSALS - 1).is_open
    assert refused(Ledger()).is_open


@pytest.mark.parametrize(
    ("failure", "failed_before"), [(error(Reason.SERVER_ERROR, 500), False), (REFUSED, True)]
)
def test_other_errors_and_old_refusals_say_nothing_of_the_store(failure, failed_before):
    made = refused(Ledger(), MAX_REFUSALS - 1)
    made.failed(failure, failed_before=failed_before)
    assert not made.is_open


def test_no_more_calls_are_allowed_at_once_than_may_be_refused_until_one_succeeds():
    made = refused(Ledger(), 10)
    assert made.max_calls == MAX_REFUSALS - 10
    made.succeeded()
    assert made.max_calls is None


def test_is_open_for_an_hour_then_a_probe_may_ask_about_one():
    ledger = Ledger()
    refused(ledger)
    made = [breaker(ledger, NOW + later) for later in (0, PROBE_SECONDS - 1, PROBE_SECONDS)]
    assert [(each.is_open, each.is_tripped, each.max_calls) for each in made] == [
        (True, True, None),
        (True, True, None),
        (False, True, 1),
    ]
    assert made[0].message == str(REFUSED)


def test_a_clock_that_was_set_back_does_not_lengthen_it():
    ledger = Ledger()
    refused(ledger)
    assert not breaker(ledger, NOW - 1).is_open


def test_a_probe_fails_by_any_error_and_the_next_one_passes_over_one_upload_more():
    ledger = Ledger()
    tally = Tally(now=NOW, stale_after=1.0, ages=(), with_parts=True)
    for number in range(3):
        tally.add_unsized(upload(number))
    ledger.commit(ScanResult(tally.summary(), NOW, 1.0))
    refused(ledger)
    skipped = []
    for hour in range(1, 6):
        probe = breaker(ledger, NOW + hour * PROBE_SECONDS)
        skipped.append(probe.skipped_by_probe())
        probe.failed(error(Reason.TIMEOUT), failed_before=False)
        assert probe.is_open
    assert skipped == [0, 1, 2, 0, 1]


def test_an_answer_closes_it():
    ledger = Ledger()
    refused(ledger)
    breaker(ledger, NOW + PROBE_SECONDS).succeeded()
    assert ledger.refusals == RefusalState(message=str(REFUSED))
    assert not breaker(ledger).is_tripped


def test_refusals_add_up_over_scans_only_where_uploads_are_remembered():
    ledger = Ledger()
    refused(ledger, 20)
    refused(ledger, 20, across_scans=False)
    assert not refused(ledger, 29).is_open
    assert refused(ledger, 1).is_open
