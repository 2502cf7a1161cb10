"""What answers may take of memory: budgets that are waited for, and documents that are too much."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pycurl
import pytest
from fakes import Recorder
from servers.standin import Reply
from unit.multi_requests import SOON, Answering, outcomes, paths, start

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import PageRequest
from exporter.stores.glacier import pages as glacier
from exporter.stores.parsing.pages import MAX_PARTS, read_parts, read_uploads
from exporter.stores.transport import waiting
from exporter.stores.transport.client import Request, Transport
from exporter.stores.transport.errors import NO_MEMORY, from_curl
from exporter.stores.transport.handles import HandleOptions
from exporter.stores.transport.memory import MIB, READING, Budget, TargetMemory
from exporter.stores.transport.multi import MultiTransport
from exporter.stores.transport.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.standin import StandIn

LARGE = Reply(body=b"x" * 900_000)
UPLOADS = PageRequest(BucketSettings("media"), None, None)
PARTS = PageRequest(BucketSettings("media"), Upload("k", "i"), None)


@pytest.fixture
def memory() -> TargetMemory:
    """Return the memory of a target, less than two of its answers need."""
    made = TargetMemory()
    made.multi = Budget(MIB).share()
    return made


@pytest.fixture
def narrow(memory: TargetMemory) -> Iterator[MultiTransport]:
    made = MultiTransport(HandleOptions(), memory=memory)
    yield made
    made.close()


class TestBudget:
    def test_one_lease_at_a_time_exceeds_it_and_others_wait(self):
        share = Budget(10).share()
        leases = [share.lease() for _ in range(3)]
        assert [lease.grow(8) for lease in leases] == [True, True, False]
        assert [lease.grow(100) for lease in leases] == [False, True, False]
        del leases[1]
        assert leases[1].grow(8)

    def test_a_share_leaves_the_rest_to_others(self):
        budget = Budget(100)
        one, other = budget.share(40), budget.share(40)
        greedy = [one.lease() for _ in range(3)]
        assert [lease.grow(30) for lease in greedy] == [True, True, False]
        assert other.lease().grow(30)

    def test_what_is_no_longer_referred_to_is_given_back(self):
        budget = Budget(10)
        lease = budget.share().lease()
        lease.grow(4)
        assert budget.held == 4
        del lease
        assert budget.held == 0


class TestWaiting:
    def test_more_answers_than_there_is_memory_for_all_come(
        self, narrow: MultiTransport, server: StandIn, answering: Answering
    ):
        answering.default = LARGE
        start(narrow, server, *paths(8))
        found = {}
        while len(found) < 8:  # an answer gives back its memory when nothing refers to it
            found |= {path: (answer.status, answer.body) for path, answer, _ in narrow.completed(SOON)}
        assert found == dict.fromkeys(paths(8), (200, LARGE.body))

    def test_the_wait_does_not_count_as_the_call_s_time(
        self, narrow: MultiTransport, memory: TargetMemory, server: StandIn, answering: Answering
    ):
        answering.default = LARGE
        held = [memory.multi.lease(), memory.multi.lease()]
        assert [lease.grow(MIB) for lease in held] == [True, True]
        start(narrow, server, "/waits", seconds=0.2)
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            assert narrow.completed(0.05) == []
        held.clear()
        assert outcomes(narrow, 1) == {"/waits": (200, LARGE.body)}

    def test_afterwards_its_time_goes_on(
        self, narrow: MultiTransport, memory: TargetMemory, server: StandIn, answering: Answering
    ):
        server.handler = lambda _: Reply(headers={"Content-Length": "900001"}, body=LARGE.body)
        held = [memory.multi.lease(), memory.multi.lease()]
        assert [lease.grow(MIB) for lease in held] == [True, True]
        start(narrow, server, "/hangs", seconds=0.2)
        assert narrow.completed(0.3) == []
        held.clear()
        assert outcomes(narrow, 1) == {"/hangs": pycurl.E_OPERATION_TIMEDOUT}

    def test_one_that_waits_for_too_long_says_why(
        self,
        narrow: MultiTransport,
        memory: TargetMemory,
        server: StandIn,
        answering: Answering,
        monkeypatch: pytest.MonkeyPatch,
    ):
        monkeypatch.setattr(waiting, "MAX_WAIT_SECONDS", 0.1)
        answering.default = LARGE
        held = [memory.multi.lease(), memory.multi.lease()]
        assert [lease.grow(MIB) for lease in held] == [True, True]
        start(narrow, server, "/waits")
        ((_, error, _),) = narrow.completed(SOON)
        told = from_curl("ListParts", error)
        assert (told.reason, told.retryable, NO_MEMORY in str(told)) == (Reason.TIMEOUT, True, True)

    def test_so_does_a_call_that_blocks_its_thread(self, server: StandIn, answering: Answering):
        answering.default = LARGE
        transport = Transport(Recorder(), threading.Event())
        budget = Budget(MIB)
        transport.memory.blocking = budget.share()
        held = [transport.memory.blocking.lease() for _ in range(2)]
        assert [lease.grow(MIB) for lease in held] == [True, True]
        request = Request("ListParts", "GET", server.url, ())
        no_memory = pytest.raises(StoreError, match="took all the memory")
        with no_memory as caught, transport.call("ListParts", time.monotonic() + 0.2):
            transport.send(request)
        assert (caught.value.reason, caught.value.retryable) == (Reason.TIMEOUT, True)
        held.clear()
        with transport.call("ListParts", time.monotonic() + SOON):
            assert transport.send(request).body == LARGE.body
        transport.close()


def document(content: bytes) -> bytes:
    return b"<ListMultipartUploadsResult>" + content + b"</ListMultipartUploadsResult>"


ATTRIBUTES = b" ".join(b'a%d=">"' % number for number in range(1000))
KINDS = b"".join(b"<n%d/>" % number for number in range(50_000))


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("elements", document(b"<a/>" * 500_000)),
        ("texts", document(b"<a>t</a>" * 500_000)),
        ("attributes", document(b"<a %b/>" % ATTRIBUTES * 300)),
        ("kinds of elements", document(KINDS)),
        ("elements in another encoding", document(b"<a/>" * 170_000).decode().encode("utf-16")),
        ("depth", document(b"<a>" * 300 + b"</a>" * 300)),
        ("forbidden characters", document(b"<Key>" + b"\x01" * 2_000_000 + b"</Key>")),
    ],
)
def test_a_document_that_takes_more_than_any_answer_is_no_page(what: str, body: bytes):
    with pytest.raises(StoreError) as caught:
        read_uploads(UPLOADS, Response(200, {}, body), None, 1e9)
    assert (what, caught.value.detached().reason) == (what, Reason.BAD_RESPONSE)
    del caught
    assert READING.held == 0


def test_large_pages_with_elements_of_any_known_kind_are_read():
    fields = b"<Initiator><ID>i</ID><DisplayName>n</DisplayName></Initiator><Owner><ID>o</ID></Owner>"
    items = b"".join(
        b"<Upload><Key>%b</Key><UploadId>i-%d</UploadId>%b</Upload>" % (b"k" * 1024, number, fields)
        for number in range(1000)
    )
    page = read_uploads(UPLOADS, Response(200, {}, document(items)), None, 1e9)
    assert len(page.items) == 1000


def test_a_page_with_more_parts_than_an_upload_can_have_is_refused():
    parts = b"".join(b"<Part><PartNumber>%d</PartNumber></Part>" % number for number in range(MAX_PARTS + 1))
    body = b"<ListPartsResult>" + parts + b"</ListPartsResult>"
    with pytest.raises(StoreError, match="20,000 parts"):
        read_parts(PARTS, Response(200, {}, body), None, 1e9)


def test_json_that_is_larger_than_any_page_is_not_read():
    body = b'{"UploadsList": [' + b"{}," * 700_000 + b"{}]}"
    with pytest.raises(StoreError, match="not the JSON of a store"):
        glacier.read_uploads(Response(200, {}, body), "vault", 1e9)
