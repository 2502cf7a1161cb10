"""Both engines of S3 come to the same, whatever a server does: the same sums, reasons and requests."""

import random
from collections.abc import Iterator

import pytest
from contract.faults import Misbehave
from contract.misbehaviours import ECHOES, FIELDS, PAGING, XML
from contract.outcomes import Engines, Outcome, outcome
from contract.refusals import BY_HAND, LATE, ON_THE_WAY, REDIRECTS, REFUSALS
from contract.rigs import PARTS, UPLOADS, Part, Rig, Upload
from contract.scans import NOW, sized_uploads
from servers.s3 import EPOCH

from exporter.model.errors import Reason

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

DAY = 86400.0
UPLOADS_HELD = [
    Upload("a", "u0000", EPOCH, parts=[Part(1, 5)]),
    Upload("a", "u0001", EPOCH + 5, "GLACIER", [Part(1, 2**40), Part(2, 7)]),
    Upload("dir/../ü +%41", "u0002", EPOCH + 2 * DAY, "", [Part(n, n, NOW - n) for n in (1, 5, 9_999)]),
    Upload(
        "dir/k", "u0003", EPOCH + 20 * DAY, "STANDARD_IA", [Part(n, 100 * n, EPOCH + n) for n in range(1, 6)]
    ),
    Upload("empty", "u0004", NOW - 3600),
    *[Upload(f"many/{n}", f"u0{n}", NOW - n * DAY, parts=[Part(1, n)]) for n in range(100, 102)],
]

MANY = [
    Upload(f"dir/{key}{n}", f"u{n:04}", parts=[Part(1, n)]) for n in range(20) for key in ("a", "b&<", "ü")
]


def both_outcomes(rigs: tuple[Rig, Rig], misbehave: Misbehave, **settings: object) -> list[Outcome]:
    """Return what each engine came to at its own server."""
    found = []
    for rig in rigs:
        misbehave(rig)
        random.seed(7)  # some edges between pages are asked about, drawn by chance
        found.append(outcome(rig, **settings))
    return found


def refusing(status: int, code: str) -> Misbehave:
    """Have every call for parts refused."""
    return lambda rig: rig.answer(PARTS, rig.refusal(status, code))


@pytest.fixture(autouse=True)
def _is_true_again(engines: Engines) -> Iterator[None]:
    """Assert that nothing of what went wrong in a test left a trace in the wire engine."""
    yield
    for page_size in (2, None):
        wire, _ = engines(page_size, UPLOADS_HELD)
        assert outcome(wire).is_true(UPLOADS_HELD)


def agreed(rigs: tuple[Rig, Rig], misbehave: Misbehave) -> tuple[Outcome, Outcome]:
    """Return what each engine came to at its own server; it has to be the same."""
    wire, boto3 = both_outcomes(rigs, misbehave)
    assert wire == boto3
    return wire, boto3


def agreed_and_asked_alike(rigs: tuple[Rig, Rig], misbehave: Misbehave) -> None:
    """Assert that both sent as much; about single uploads a scan that fails has sent more or less."""
    one, other = agreed(rigs, misbehave)
    assert one.requests[UPLOADS] == other.requests[UPLOADS]
    assert one.summary is None or one.is_repeated or one.requests == other.requests


def test_paging(engines: Engines, subtests: pytest.Subtests):
    for what in PAGING:
        for page_size in (2, None):
            with subtests.test(what, page_size=page_size):
                agreed(engines(page_size, UPLOADS_HELD), PAGING[what])


def test_xml(engines: Engines, subtests: pytest.Subtests):
    for what in XML:
        with subtests.test(what):
            agreed_and_asked_alike(engines(None, UPLOADS_HELD), XML[what])


def test_xml_of_a_long_page_is_read_as_that_of_short_ones(engines: Engines, subtests: pytest.Subtests):
    for what in XML:
        if what.endswith("listing"):
            with subtests.test(what):
                found = []
                for page_size in (2, None):
                    wire, _ = engines(page_size, MANY)
                    XML[what](wire)
                    found.append(outcome(wire))
                assert found[0] == found[1]


@pytest.mark.parametrize("table", [FIELDS, ECHOES, REFUSALS], ids=["fields", "echoes", "refusals"])
def test_what_both_ask_alike(engines: Engines, subtests: pytest.Subtests, table: dict[str, Misbehave]):
    for what, misbehave in table.items():
        with subtests.test(what):
            agreed_and_asked_alike(engines(2, UPLOADS_HELD), misbehave)


@pytest.mark.parametrize(
    "table", [REDIRECTS, ON_THE_WAY, BY_HAND], ids=["redirects", "on the way", "by hand"]
)
def test_what_engines_may_ask_again(engines: Engines, subtests: pytest.Subtests, table: dict[str, Misbehave]):
    for what, misbehave in table.items():
        with subtests.test(what):
            agreed(engines(2, UPLOADS_HELD), misbehave)


def test_a_long_page_on_the_way(engines: Engines, subtests: pytest.Subtests):
    for what in ON_THE_WAY:
        if what.endswith("listing"):
            with subtests.test(what):
                agreed(engines(None, UPLOADS_HELD), ON_THE_WAY[what])


def test_answers_that_come_too_late(engines: Engines, subtests: pytest.Subtests):
    for what in LATE:
        with subtests.test(what):
            check_late(engines, what)


def check_late(engines: Engines, what: str) -> None:
    """On a busy machine true answers may be late as well: then each gets more time."""
    for seconds in (0.2, 1.0, 5.0):
        rigs = engines(None, UPLOADS_HELD)
        wire, boto3 = both_outcomes(rigs, LATE[what], request_timeout=seconds, retries=0, concurrency=16)
        if wire == boto3:
            break
    assert wire == boto3
    assert {reason for _, reason, _, _ in wire.heard} == {Reason.TIMEOUT}


def test_both_stop_asking_after_as_many_refusals(engines: Engines):
    uploads = sized_uploads(70)
    found = both_outcomes(engines(None, uploads), refusing(403, "AccessDenied"), concurrency=32)
    assert found[0].summary == found[1].summary
    assert found[0].summary.unsized == 70
    assert found[0].requests == found[1].requests == {UPLOADS: 1, PARTS: 50}


def test_both_count_uploads_that_are_all_gone_as_unsized(engines: Engines):
    uploads = sized_uploads(30)
    found = both_outcomes(engines(7, uploads), refusing(404, "NoSuchUpload"))
    assert found[0] == found[1]
    assert (found[0].summary.uploads, found[0].summary.unsized) == (30, 30)
