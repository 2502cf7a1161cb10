"""Azure Blob Storage: what no other store has."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from contract.rig_azure import CONTAINER, container
from contract.rigs import PARTS, SCAN, UPLOADS, Rig, failure
from contract.scans import scan
from fakes import NOW, Clock
from servers.azure import CONTAINERS, METADATA, Blob, BlobPage, blocks_of
from servers.standin import Reply

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import ScanSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Failure, GoneError, NotAnUploadError, Reason, StoreError
from exporter.model.uploads import Upload
from exporter.scan.scanner import Scanner
from exporter.scheduler.discovery import BucketDiscovery
from exporter.state.ledger import Ledger
from exporter.stores.azure.block_list import BLOCK_SHAPES, read_blocks
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.pagination import paginator
from exporter.stores.parsing.shape_learning import Shapes
from exporter.stores.permissions import missing_permission
from exporter.stores.transport.response import Response

EMPTY_AND_UNTYPED = Blob("d", length=0, content_type="", tier="")
OpenContainer = Callable[..., Rig]


@pytest.fixture
def open_container() -> Iterator[OpenContainer]:
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(container(**changes))


@pytest.fixture
def rig(open_container: OpenContainer) -> Rig:
    return open_container()


def hold(rig: Rig, *blobs: Blob) -> None:
    rig.server.containers[CONTAINER] = {blob.name: blob for blob in blobs}


def sized(rig: Rig, key: str) -> tuple[int, int | None]:
    totals = rig.client().size(rig.store, rig.bucket, Upload(key, ""))
    return totals.parts, totals.bytes


@pytest.mark.parametrize("emulator", [False, True])
class TestUploads:
    def test_are_the_blobs_of_uncommitted_blocks_alone(
        self, open_container: OpenContainer, *, emulator: bool
    ):
        rig = open_container(emulator=emulator)
        hold(
            rig,
            Blob("a", blocks_of([3, 4])),
            Blob("b", length=0),
            Blob("c", length=7, committed=blocks_of([7])),
            EMPTY_AND_UNTYPED,
            Blob("e", length=512, kind="PageBlob"),
            replace(EMPTY_AND_UNTYPED, name="f", kind="AppendBlob"),
            replace(EMPTY_AND_UNTYPED, name="g", more={"Snapshot": "2026-01-01T00:00:00.0000000Z"}),
            Blob("h", blocks_of([5])),
            replace(EMPTY_AND_UNTYPED, name="i", length=7),
            replace(EMPTY_AND_UNTYPED, name="j", more={"VersionId": "2026-01-01T00:00:00.0000000Z"}),
            replace(EMPTY_AND_UNTYPED, name="k", more={"Deleted": "true"}),
            replace(EMPTY_AND_UNTYPED, name="l", more={"Properties": {"ResourceType": "directory"}}),
            Blob("m", length=0, more={"Properties": {"Etag": None}}),
            replace(EMPTY_AND_UNTYPED, name="n", more={"VersionId": "2", "IsCurrentVersion": "true"}),
            replace(EMPTY_AND_UNTYPED, name="o", tier="Hot"),
        )
        found = [scan(rig).summary for _ in ("parsed", "by its shape")]
        assert [(each.uploads, each.parts, each.bytes, each.denied) for each in found] == [(2, 3, 12, 0)] * 2
        asked = {request.path.rpartition("/")[2] for request in rig.standin.requests} - {CONTAINER}
        assert asked == {"a", "h", "m"} | ({"d", "n"} if emulator else set())

    def test_have_no_time_whatever_the_server_says(self, open_container: OpenContainer, *, emulator: bool):
        rig = open_container(emulator=emulator)
        hold(rig, Blob("a", blocks_of([3])))
        assert [upload.initiated for upload in rig.uploads()] == [None]

    def test_are_of_no_class_of_another_store_where_they_have_no_tier(
        self, open_container: OpenContainer, *, emulator: bool
    ):
        rig = open_container(emulator=emulator)
        hold(rig, Blob("a", blocks_of([3])), Blob("b", blocks_of([4]), tier=""))
        expected = (("unknown", 7),) if emulator else (("Hot", 3), ("unknown", 4))
        assert expected == scan(rig).summary.bytes_by_class

    @pytest.mark.parametrize("size", [1, 2, 3, 5000])
    def test_are_found_however_many_blobs_a_page_has(
        self, size: int, open_container: OpenContainer, *, emulator: bool
    ):
        rig = open_container(emulator=emulator, scan=replace(SCAN, page_size=size))
        names = ["a", "b/ b", "c&d", "e%20", "f'\"<>", "z", "ü"]
        hold(
            rig,
            *(Blob(name, blocks_of([1])) for name in names),
            *(Blob(f"{name}x", length=1) for name in names),
        )
        assert names == [upload.key for upload in rig.uploads()]
        assert [(1, 1)] * len(names) == [sized(rig, name) for name in names]


NAMED = {"ContainerName": "other"}


class TestPages:
    """A page that proves nothing is never an empty container."""

    def test_without_uploads_may_be_many(self, rig: Rig, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(paginator, "MAX_STALLED_PAGES", 3)
        hold(rig, *(Blob(f"{number:02}", length=1) for number in range(9)), Blob("9", blocks_of([1])))
        rig.server.pages_of = lambda _: 1
        assert [upload.key for upload in rig.uploads()] == ["9"]

    def test_may_be_short_or_empty_and_only_a_marker_says_which_is_the_last(self, rig: Rig):
        hold(rig, *(Blob(f"{number:02}", blocks_of([1])) for number in range(7)))
        lengths = itertools.chain([0, 1, 0, 2], itertools.repeat(1))
        rig.server.pages_of = lambda _: next(lengths)
        assert [f"{number:02}" for number in range(7)] == [upload.key for upload in rig.uploads()]

    @pytest.mark.parametrize(
        "spoilt",
        [
            lambda page: replace(page, attributes=NAMED),
            lambda page: replace(page, last={}),
            lambda page: replace(page, within="Things"),
            lambda page: replace(page, root="ListBucketResult"),
            lambda page: replace(page, fields={"Prefix": "other/"}),
            lambda page: replace(page, fields={"Marker": "2!4!b3Ro"}),
            lambda page: replace(page, item="BlobPrefix"),
            lambda page: replace(page, items=[{"Properties": {"Content-Length": "0"}}]),
            lambda page: replace(page, items=[{"Name": "", "Properties": {"Content-Length": "0"}}]),
            lambda page: replace(page, fields={"Error": {"Code": "InternalError", "Message": "No."}}),
            lambda page: replace(page, fields={"Old": {"Blob": {"Name": "b", "Properties": ""}}}),
            lambda page: replace(page, declaration="<!DOCTYPE EnumerationResults>"),
        ],
    )
    def test_that_is_none_or_another_s_is_refused(self, rig: Rig, spoilt: Callable[[BlobPage], BlobPage]):
        hold(rig, Blob("a", blocks_of([1])))
        assert [upload.key for upload in rig.uploads()] == ["a"]
        rig.fault(UPLOADS, page=spoilt)
        error = failure(rig.uploads)
        assert error.reason in {Reason.BAD_RESPONSE, Reason.UNSUPPORTED}
        assert str(error).startswith("ListBlobs: ")

    def test_a_container_may_be_named_by_its_address(self, rig: Rig):
        hold(rig, Blob("a", blocks_of([1])))
        address = {"ContainerName": f"https://account.example/{CONTAINER}"}
        rig.fault(UPLOADS, page=lambda page: replace(page, attributes=address))
        assert [upload.key for upload in rig.uploads()] == ["a"]

    def test_names_that_xml_cannot_hold_are_percent_encoded_and_others_are_not(self, rig: Rig):
        names = ["%41", "a\ufffe/b c", "a\uffff"]
        hold(rig, *(Blob(name, blocks_of([1])) for name in names))
        assert names == [upload.key for upload in rig.uploads()]
        assert [sized(rig, name) for name in names] == [(1, 1)] * 3

    def test_are_read_alike_by_their_shape_and_by_the_parser(self, rig: Rig):
        hold(rig, *(Blob(f"{n}", blocks_of([1]) if n % 3 else {}, None if n % 3 else n) for n in range(40)))
        listed = [[upload[:4] for upload in rig.uploads()] for _ in range(2)]
        rig.fault(UPLOADS, page=lambda page: replace(page, declaration="<?xml version='1.0' ?>\n<!-- -->"))
        assert listed == [[upload[:4] for upload in rig.uploads()]] * 2


class TestBlockLists:
    def test_a_blob_that_has_been_committed_is_no_upload(self, rig: Rig):
        hold(
            rig,
            Blob("by blocks", blocks_of([1]), length=2, committed=blocks_of([2])),
            Blob("at once", blocks_of([1]), length=2),
            EMPTY_AND_UNTYPED,
        )
        for name in ("by blocks", "at once", "d"):
            with pytest.raises(NotAnUploadError):
                sized(rig, name)

    def test_committed_blocks_show_that_it_is_no_upload(self, rig: Rig):
        hold(rig, Blob("a", blocks_of([1]), length=2, committed=blocks_of([2])))
        rig.fault(PARTS, reply=lambda reply: replace(reply, headers={}))
        with pytest.raises(NotAnUploadError):
            sized(rig, "a")

    def test_of_more_bytes_than_any_store_can_mean_has_none_that_are_known(self, rig: Rig):
        hold(rig, Blob("a", blocks_of([2**63 - 1, 1])))
        assert sized(rig, "a") == (2, None)

    def test_of_a_blob_that_is_gone_says_so(self, rig: Rig):
        assert isinstance(failure(sized, rig, "gone"), GoneError)

    def test_of_an_append_blob_shows_no_upload(self, rig: Rig):
        hold(rig, Blob("a", length=0, kind="AppendBlob"))
        with pytest.raises(NotAnUploadError):
            sized(rig, "a")

    def test_a_block_that_is_sent_again_replaces_the_first(self, rig: Rig):
        hold(rig, Blob("a", blocks_of([3, 4])))
        rig.fault(PARTS, page=lambda page: replace(page, items=[*page.items, page.items[0] | {"Size": "9"}]))
        assert sized(rig, "a") == (2, 13)

    @pytest.mark.parametrize("size", [None, "", "many", "-1", str(2**70)])
    def test_a_block_without_a_size_leaves_the_bytes_unknown(self, rig: Rig, size: str | None):
        hold(rig, Blob("a", blocks_of([3, 4])))
        rig.fault(
            PARTS, page=lambda page: replace(page, items=[page.items[0] | {"Size": size}, page.items[1]])
        )
        assert sized(rig, "a") == (2, None)

    @pytest.mark.parametrize(
        "spoilt",
        [
            lambda page: replace(page, items=[], within="Things"),
            lambda page: replace(page, items=[{"Size": "1"}]),
            lambda page: replace(page, within="Things"),
            lambda page: replace(page, root="EnumerationResults"),
        ],
    )
    def test_what_is_none_is_refused(self, rig: Rig, spoilt: Callable[[BlobPage], BlobPage]):
        hold(rig, Blob("a", blocks_of([3, 4])))
        rig.fault(PARTS, page=spoilt)
        assert failure(sized, rig, "a").reason is Reason.BAD_RESPONSE

    def test_both_lists_are_asked_for_of_uploads_alone(self, rig: Rig):
        hold(rig, Blob("a b/c", blocks_of([3])), Blob("c", length=1))
        scan(rig)
        listing, blocks = rig.standin.requests
        assert listing.query == {"include": ["uncommittedblobs"], "comp": ["list"], "restype": ["container"]}
        assert blocks.query == {"comp": ["blocklist"], "blocklisttype": ["all"]}
        assert blocks.raw_path.endswith("/media/a%20b/c")


class TestQuestionsByName:
    def test_look_at_ten_blobs_where_these_are_in_order(self, rig: Rig):
        hold(rig, *(Blob(f"a{number:02}", length=1) for number in range(50)), Blob("a", blocks_of([1])))
        listed = rig.client().by_name(rig.store, rig.bucket, "a")
        assert ([upload.key for upload in listed.uploads], listed.complete) == (["a"], True)
        assert [request.query["maxresults"] for request in rig.standin.requests] == [["10"]]

    @pytest.mark.parametrize("names", [("a{:02}", 9), ("a {:02}", 3), ("a{:02}", 1)])
    def test_add_up_the_names_of_pages_that_are_shorter(self, rig: Rig, names: tuple[str, int]):
        shape, length = names
        hold(rig, *(Blob(shape.format(number), length=1) for number in range(50)))
        rig.server.pages_of = lambda _: length
        listed = rig.client().by_name(rig.store, rig.bucket, "a")
        assert (listed.uploads, listed.complete) == ([], True)
        assert len(rig.standin.requests) == -(-10 // length)

    def test_go_on_where_these_are_in_no_order(self, rig: Rig):
        names = ["a", *(f"a{number:02}" for number in range(15))]
        hold(rig, *(Blob(name, blocks_of([1])) for name in names))
        first = [f"a{number:02}" for number in range(9, -1, -1)]
        rig.fault(UPLOADS, {1}, page=lambda page: replace(page, items=[{"Name": name} for name in first]))
        rig.fault(
            UPLOADS, {2}, page=lambda page: replace(page, items=[{"Name": "a"}], last={"NextMarker": ""})
        )
        listed = rig.client().by_name(rig.store, rig.bucket, "a")
        assert [upload.key for upload in listed.uploads] == ["a"]


class TestContainers:
    def ask(self, rig: Rig) -> list[str]:
        return [found.name for found in rig.store.list_buckets(None, time.monotonic() + 5).items]

    def test_are_listed_with_those_of_the_service(self, rig: Rig):
        rig.server.containers |= {"$root": {}, "$web": {}}
        assert self.ask(rig) == ["$root", "$web", CONTAINER]

    def test_in_pages_are_followed_by_their_markers(self, rig: Rig):
        rig.server.containers |= {f"c{number}": {} for number in range(5)}
        rig.server.containers_page = 2
        discover = replace(rig.target, buckets=(), discover=DiscoverSettings())
        client = StoreClient(rig.store, discover.scan, rig.stop)
        names = [bucket.name for bucket in BucketDiscovery(discover, client).find().buckets]
        assert [*(f"c{number}" for number in range(5)), CONTAINER] == sorted(names)

    @pytest.mark.parametrize(
        "spoilt",
        [
            lambda page: replace(page, within="Things"),
            lambda page: replace(page, last={}),
            lambda page: replace(page, items=[{"Properties": {"Etag": "1"}}]),
            lambda page: replace(page, item="Blob"),
        ],
    )
    def test_of_a_page_that_proves_nothing_are_not_believed(
        self, rig: Rig, spoilt: Callable[[BlobPage], BlobPage]
    ):
        rig.fault(CONTAINERS, page=spoilt)
        assert failure(self.ask, rig).reason is Reason.BAD_RESPONSE


class TestMetadata:
    def ask(self, rig: Rig) -> Mapping[str, str]:
        return rig.store.bucket_tags(rig.bucket, time.monotonic() + 5)

    def test_is_known_by_the_capitals_of_the_config(self, open_container: OpenContainer):
        rig = open_container(tags=("costCenter",))
        rig.server.tags[CONTAINER] = {"CostCenter": "42", "Owner": "media"}
        assert self.ask(rig) == {"costcenter": "42", "costCenter": "42", "owner": "media"}

    @pytest.mark.parametrize("reply", [Reply(200, {"x-ms-request-id": "1"}, b"<html>"), Reply(200, body=b"")])
    def test_of_an_answer_that_is_not_azure_s_is_not_believed(self, rig: Rig, reply: Reply):
        rig.answer(METADATA, reply)
        assert failure(self.ask, rig).reason is Reason.BAD_RESPONSE


@pytest.mark.parametrize("emulator", [False, True])
class TestLargeAnswers:
    """Over the 8 MiB that other answers may have, and longer than what is parsed at once."""

    def test_a_blob_may_have_all_the_blocks_that_azure_allows(
        self, open_container: OpenContainer, *, emulator: bool
    ):
        rig = open_container(emulator=emulator)
        blocks = {f"{number:088}": 1000 for number in range(100_000)}
        hold(rig, Blob("a", blocks))
        assert sized(rig, "a") == (100_000, 100_000_000)

    def test_a_page_may_have_names_of_all_the_characters_that_azure_allows(
        self, open_container: OpenContainer, *, emulator: bool
    ):
        rig = open_container(emulator=emulator)
        names = [f"{number:04}-".ljust(1024, "\N{HIRAGANA LETTER A}") for number in range(5001)]
        hold(rig, *(Blob(name, length=7) for name in names[1:]), Blob(names[0], blocks_of([3, 4])))
        found = scan(rig).summary
        assert (found.uploads, found.parts, found.bytes) == (1, 2, 7)


def test_a_list_of_many_blocks_with_short_names_takes_no_more_memory_than_a_document_may():
    items = "".join(f"<Block><Name>{number:x}</Name><Size>7</Size></Block>" for number in range(75_000))
    body = f"<BlockList><UncommittedBlocks>{items}</UncommittedBlocks></BlockList>".encode()
    never_seen = Shapes(BLOCK_SHAPES.kind)
    assert len(read_blocks(Response(200, {}, body), never_seen).items) == 75_000


def test_a_long_list_that_has_a_block_twice_is_refused():
    items = "".join(
        f"<Block><Name>{number % 40_000:x}</Name><Size>7</Size></Block>" for number in range(40_001)
    )
    body = f"<BlockList><UncommittedBlocks>{items}</UncommittedBlocks></BlockList>".encode()
    with pytest.raises(StoreError, match="has a block twice"):
        read_blocks(Response(200, {}, body))


def test_a_marker_that_nothing_could_ask_with_ends_the_scan(open_container: OpenContainer):
    rig = open_container()
    rig.fault(UPLOADS, {1}, page=lambda page: replace(page, last={"NextMarker": "m" * 20_000}))
    error = failure(rig.uploads)
    assert (error.reason, "NextMarker is longer" in str(error)) == (Reason.BAD_RESPONSE, True)


def test_blocks_cost_one_call_however_many_they_are(open_container: OpenContainer):
    rig = open_container()
    hold(rig, Blob("a", blocks_of([1] * 5000)))
    saved: list[int] = []
    clock = Clock(NOW)
    client = StoreClient(rig.store, ScanSettings(), rig.stop, Clocks(wall=lambda: clock.now))
    scanner, ledger = Scanner(client, (), on_calls_saved=saved.append), Ledger()
    for hours in (0, 20, 1):
        clock.now += hours * 3600
        assert scanner.scan(rig.bucket, ledger).summary.parts == 5000
    assert sum(saved) == 1


class TestPermissions:
    @pytest.mark.parametrize(
        ("container", "operation", "action", "letters"),
        [
            ("", "ListContainers", "containers/read", "srt=s with sp=l"),
            (CONTAINER, "ListBlobs", "containers/blobs/read", "sp=l"),
            (CONTAINER, "GetBlockList", "containers/blobs/read", "sp=r"),
            (CONTAINER, "GetContainerMetadata", "containers/read", "srt=c with sp=r"),
        ],
    )
    def test_are_a_role_s_action_that_the_page_has_or_a_sas_token_s_letters(
        self, rig: Rig, container: str, operation: str, action: str, letters: str
    ):
        denied = Failure(Reason.ACCESS_DENIED, "no")
        named = missing_permission(rig.target, container, operation, denied)
        full = f"Microsoft.Storage/storageAccounts/blobServices/{action}"
        assert named == f"{full} (Storage Blob Data Reader) on {container or 'the account'}"
        assert f'"{full}"' in (Path(__file__).parents[2] / "docs/permissions.md").read_text(encoding="utf-8")
        by_sas = replace(rig.target, credentials=Credentials(sas_token=Secret("sig=c2ln")))
        assert missing_permission(by_sas, container, operation, denied) == f"{letters} in the SAS token"
