"""The date at which a lifecycle rule will abort an upload, which comes with the upload's parts."""

from dataclasses import replace

import pytest
from contract.rigs import PARTS, SCAN, Opener, Part, Rig, Upload
from servers.standin import Reply

HEADER = "x-amz-abort-date"
DATE, MOMENT = "Fri, 20 Nov 2026 00:00:00 GMT", 1795132800.0
UPLOAD = Upload("k", "id-1", parts=[Part(1, 5), Part(2, 6), Part(3, 7)])


def dated(rig: Rig, text: str, on: set[int] | None = None) -> None:
    def add(reply: Reply) -> Reply:
        return replace(reply, headers={**reply.headers, HEADER: text})

    rig.fault(PARTS, on, reply=add)


@pytest.fixture
def filled(one_rig: Rig) -> Rig:
    one_rig.fill([UPLOAD])
    return one_rig


def test_it_is_read_without_a_call_of_its_own(filled: Rig):
    dated(filled, DATE)
    totals = filled.size(UPLOAD)
    assert (totals.bytes, totals.abort_at) == (18, MOMENT)
    assert filled.traffic.requests == {PARTS: 1}


def test_without_it_no_date_is_known(filled: Rig):
    assert filled.size(UPLOAD).abort_at is None


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "0", "Sat, 31 Dec 2005 23:59:59 GMT", "9999-12-31T00:00:00Z"]
)
def test_what_cannot_be_believed_is_no_date(filled: Rig, text: str):
    dated(filled, text)
    assert (filled.size(UPLOAD).bytes, filled.size(UPLOAD).abort_at) == (18, None)


@pytest.mark.parametrize("text", ["2026-11-20T00:00:00.000Z", "Fri Nov 20 00:00:00 2026"])
def test_other_shapes_are_read(filled: Rig, text: str):
    dated(filled, text)
    assert filled.size(UPLOAD).abort_at == MOMENT


@pytest.mark.parametrize("on", [{1}, {3}])
def test_any_page_of_a_long_list_may_carry_it(open_engine: Opener, on: set[int]):
    rig = open_engine(scan=replace(SCAN, page_size=1))
    rig.fill([UPLOAD])
    dated(rig, DATE, on)
    assert rig.size(UPLOAD).abort_at == MOMENT
    assert rig.traffic.requests == {PARTS: 3}
