"""Azure Blob Storage: what no other store has."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from contract.rig_azure import CONTAINER, container
from contract.rigs import SCAN, Rig, failure
from contract.scans import scan
from servers.azure import Blob, blocks_of

from exporter.model.errors import GoneError, NotAnUploadError
from exporter.model.uploads import Upload

EMPTY_AND_UNTYPED = Blob("d", length=0, content_type="")
OpenContainer = Callable[..., Rig]


@pytest.fixture
def open_container() -> Iterator[OpenContainer]:
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(container(**changes))


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
            Blob("f", length=0, kind="AppendBlob", content_type=""),
            Blob("g", length=0, content_type="", more={"Snapshot": "2026-01-01T00:00:00.0000000Z"}),
            Blob("h", blocks_of([5])),
        )
        found = [scan(rig).summary for _ in ("parsed", "by its shape")]
        assert [(each.uploads, each.parts, each.bytes, each.denied) for each in found] == [(2, 3, 12, 0)] * 2

    def test_have_no_time_whatever_the_server_says(self, open_container: OpenContainer, *, emulator: bool):
        rig = open_container(emulator=emulator)
        hold(rig, Blob("a", blocks_of([3])))
        assert [upload.initiated for upload in rig.uploads()] == [None]

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


class TestBlockLists:
    def test_a_blob_that_has_been_committed_is_no_upload(self, open_container: OpenContainer):
        rig = open_container()
        hold(
            rig,
            Blob("by blocks", blocks_of([1]), length=2, committed=blocks_of([2])),
            Blob("at once", blocks_of([1]), length=2),
            EMPTY_AND_UNTYPED,
        )
        for name in ("by blocks", "at once", "d"):
            with pytest.raises(NotAnUploadError):
                sized(rig, name)

    def test_of_a_blob_that_is_gone_says_so(self, open_container: OpenContainer):
        rig = open_container()
        assert isinstance(failure(sized, rig, "gone"), GoneError)


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
