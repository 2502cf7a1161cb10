"""A page of Azure's is what the parser makes of it, whether its shape is known or not."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.azure import ACCOUNT, Azure, Blob, Sas, blocks_of
from servers.standin import Request
from unit.store_pages import BEFORE, ODD_TEXTS, PLAIN_TEXTS, TAG, TEXT, each_with, mutated, odd_tags

from exporter.config.settings import BucketSettings
from exporter.model.errors import NotAnUploadError, StoreError
from exporter.model.uploads import Upload
from exporter.stores.azure.block_list import BLOCK_SHAPES, read_blocks
from exporter.stores.azure.pages import BLOB_SHAPES, read_blobs
from exporter.stores.base import PageRequest
from exporter.stores.parsing.shape_learning import Shapes
from exporter.stores.transport.response import Response

BUCKET = BucketSettings("media")
LISTING, BLOCKS = PageRequest(BUCKET, None, None), PageRequest(BUCKET, Upload("a", ""), None)
KINDS = [(request, emulator) for request in (LISTING, BLOCKS) for emulator in (False, True)]


def blob(number: int, chance: Random) -> Blob:
    """Return a blob of some kind: not committed, empty, of another type, with further fields."""
    name = chance.choice(("a", "b&c", "\u00e9", "d'\"<")) + str(number)
    what = chance.randrange(6)
    if what < 2:
        return Blob(name, blocks_of(range(number + 1)))
    more = {"VersionId": "2026-01-01"} if what == 2 else {"Properties": {"CopyId": "1"}} if what == 3 else {}
    return Blob(name, length=chance.choice((0, 7)), content_type="text/plain" if what < 5 else "", more=more)


def body(request: PageRequest, chance: Random, *, emulator: bool, items: int | None = None) -> bytes:
    """Draw a page as the stand-in writes it."""
    azure = Azure(emulator=emulator)
    count = chance.choice((0, 1, 2, 3, 30)) if items is None else items
    blobs = [blob(number, chance) for number in range(count)]
    azure.containers["media"] = {each.name: each for each in blobs}
    azure.containers["media"]["a"] = Blob("a", blocks_of(range(1, count + 1)))
    path, query = (
        ("/a", "comp=blocklist&blocklisttype=all") if request.upload else ("", "comp=list&maxresults=25")
    )
    target = f"/{ACCOUNT}/media{path}?{query}&include=uncommittedblobs&sig=s&sv=2021-12-02"
    azure.tokens["s"] = Sas()
    return azure(Request("GET", target, {"host": "localhost"})).body


def outcome(request: PageRequest, answer: bytes, shapes: Shapes) -> object:
    """Return the page, or what the error says."""
    response = Response(200, {}, answer)
    try:
        page = read_blocks(response, shapes) if request.upload else read_blobs(request, response, shapes)
    except NotAnUploadError:
        return NotAnUploadError
    except StoreError as error:
        return type(error), error.reason, str(error), error.code, error.retryable, error.garbled
    return page._replace(items=list(page.items))


def shapes_of(request: PageRequest, limit: int = 8) -> Shapes:
    """Return shapes of its own; with a limit of 0 the parser reads every page."""
    return Shapes((BLOCK_SHAPES if request.upload else BLOB_SHAPES).kind, limit)


def taught(request: PageRequest, *, emulator: bool) -> Shapes:
    shapes = shapes_of(request)
    for number in range(9):
        outcome(request, body(request, Random(number), emulator=emulator, items=number), shapes)
    return shapes


TAUGHT = {(request, emulator): taught(request, emulator=emulator) for request, emulator in KINDS}


@pytest.mark.parametrize(("request_", "emulator"), KINDS)
def test_the_second_page_needs_no_parser_though_its_container_is_another(
    request_: PageRequest, *, emulator: bool
):
    shapes, first = shapes_of(request_), body(request_, Random(1), emulator=emulator, items=9)
    assert shapes.read(first) is None
    found = outcome(request_, first, shapes)
    assert shapes.read(first.replace(b"localhost", b"otherhost")) is not None
    assert outcome(request_, first, shapes) == found


@pytest.mark.parametrize(("request_", "emulator"), KINDS)
@pytest.mark.slow
@pytest.mark.no_cover
def test_every_odd_text_and_tag_is_read_as_the_parser_does(request_: PageRequest, *, emulator: bool):
    page = body(request_, Random(3), emulator=emulator, items=1)
    tags = {match[0] for match in TAG.finditer(page.decode())}
    bodies = [
        *each_with(page, TEXT, (*PLAIN_TEXTS, *ODD_TEXTS)),
        *(page.replace(tag.encode(), odd.encode(), 1) for tag in tags for odd in odd_tags(tag)),
        *(before.encode() + page for before in BEFORE),
        *(page[:end] for end in range(0, len(page), 19)),
    ]
    known, parser = TAUGHT[request_, emulator], shapes_of(request_, 0)
    assert [
        each for each in bodies if outcome(request_, each, known) != outcome(request_, each, parser)
    ] == []


@pytest.mark.slow
@pytest.mark.no_cover
@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.integers(0, 2**32))
def test_whatever_happened_to_it(kind: tuple[PageRequest, bool], number: int):
    (request, emulator), chance = kind, Random(number)
    page = mutated(body(request, chance, emulator=emulator), chance)
    assert outcome(request, page, TAUGHT[kind]) == outcome(request, page, shapes_of(request, 0))
