"""Answers in XML: lists of uploads, parts and buckets, lifecycle rules, tags, errors.

An input is a byte that says what was asked for, another one of options, and the body. What is accepted is
compared with what the standard library's parser reads, and is read again from how Amazon S3 would write it.
"""

from __future__ import annotations

import re
from copy import copy
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import atheris
from soak.fuzz.told import check_told
from soak.fuzz.trees import DoctypeError, Tree, escaped, moment, read_tree
from unit.store_pages import ENCODED, KEY, LISTINGS, NOW, PARTS, STORES, UPLOADS, mutated

import exporter.stores.refusal_cause
from exporter.model.errors import StoreError
from exporter.model.uploads import Parts
from exporter.stores import timestamps
from exporter.stores.errors import refusal
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.lifecycle import read_rules
from exporter.stores.parsing.pages import error_fields, read_error
from exporter.stores.parsing.tags import read_tags
from exporter.stores.transport.response import Response

if TYPE_CHECKING:
    from unit.store_pages import Listing

    from exporter.stores.base import Page

assert exporter.stores.refusal_cause  # imported here to have its branches counted
_OTHER_SEEDS = {
    3: (
        (
            b"<ListAllMyBucketsResult><Owner><ID>me</ID></Owner><Buckets><Bucket><Name>media</Name>"
            b"<CreationDate>2024-01-01T00:00:00Z</CreationDate><BucketRegion>eu-west-1</BucketRegion></Bucket>"
            b"<Bucket><Name>b</Name><Location>eu</Location></Bucket></Buckets>"
            b"<ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>"
        ),
        (
            b"<ListAllMyBucketsResult xmlns='urn:x'><Buckets/><IsTruncated>true</IsTruncated>"
            b"<NextMarker>m</NextMarker></ListAllMyBucketsResult>"
        ),
    ),
    4: (
        (
            b"<LifecycleConfiguration><Rule><ID>a</ID><Prefix></Prefix><Status>Enabled</Status>"
            b"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
            b"</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"
        ),
        (
            b"<LifecycleConfiguration><Rule><Filter><And><Prefix>dir/</Prefix><Tag><Key>k</Key><Value>v</Value>"
            b"</Tag></And></Filter><Status>Enabled</Status><AbortMultipartUpload><Days>3</Days>"
            b"</AbortMultipartUpload></Rule></LifecycleConfiguration>"
        ),
        (
            b"<LifecycleConfiguration><Rule><Action><AbortIncompleteMultipartUpload/></Action><Condition>"
            b"<Age>7</Age><MatchesPrefix>dir/</MatchesPrefix></Condition></Rule></LifecycleConfiguration>"
        ),
    ),
    5: (
        (
            b"<Tagging><TagSet><Tag><Key>owner</Key><Value>me</Value></Tag><Tag><Key>k</Key><Value/></Tag>"
            b"</TagSet></Tagging>"
        ),
    ),
    6: (
        (
            b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>"
            b"<AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId><StringToSign>x</StringToSign>"
            b"<SignatureProvided>s</SignatureProvided></Error>"
        ),
        b"<Error xmlns='urn:x'><Code>AccessDenied</Code><Message>User is not authorized</Message></Error>",
        b'{"error": {"code": 403, "message": "no"}}',
        b"<html><body>login</body></html>",
        b"",
    ),
}
_STATUSES = (301, 307, 400, 401, 403, 404, 405, 408, 409, 429, 500, 501, 502, 503)
_LISTING_KINDS = len(LISTINGS)
_KINDS = _LISTING_KINDS + len(_OTHER_SEEDS)


def _seeds() -> list[bytes]:
    chance = Random(1)
    listed = [
        bytes([kind, options]) + listing.body(store, chance, items)
        for kind, listing in enumerate(LISTINGS)
        for store in STORES
        for items, options in ((0, 0), (2, 1), (25, 0))
    ]
    others = [
        bytes([kind, number]) + body
        for kind, each in _OTHER_SEEDS.items()
        for number, body in enumerate(each)
    ]
    return [*listed, *others]


SEEDS = _seeds()
WORDS = [
    *(
        f"<{name}>".encode()
        for name in ("Upload", "Part", "Key", "UploadId", "Size", "Error", "Code", "Prefix")
    ),
    *(
        f"</{name}>".encode()
        for name in ("Upload", "Part", "Key", "UploadId", "Size", "Error", "Code", "Prefix")
    ),
    *(
        b"<IsTruncated>true</IsTruncated>",
        b"<IsTruncated>false</IsTruncated>",
        b"<EncodingType>url</EncodingType>",
    ),
    *(
        b"<Bucket>media</Bucket>",
        b"<NextKeyMarker>",
        b"<NextUploadIdMarker>",
        b"<CommonPrefixes>",
        b"<Initiated>",
    ),
    *(
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<?p ",
        b"?>",
        b"<!DOCTYPE a>",
        b"&#0;",
        b"&#x1;",
        b"&#13;",
        b"&amp;",
    ),
    *(
        b"&#xD800;",
        b"&#xFFFF;",
        b"&#xE000;",
        b"\xef\xbb\xbf",
        b"\xee\x80\x80",
        b"\xed\xa0\x80",
        b"\xff\xfe",
        b"\r",
    ),
    *(
        b"<?xml version='1.0' encoding='utf-8'?>",
        b"utf-16",
        b"iso-8859-1",
        b"us-ascii",
        b" xmlns='urn:x'",
        b"x:",
    ),
    *(
        b"9223372036854775807",
        b"9999999999999999999",
        b"2026-01-01T00:01:00.000Z",
        b"%2F",
        b"+",
        b"%",
        b" />",
    ),
    *(b"Transition", b"Abort", b"<Filter>", b"<Rule>", b"<Status>Enabled</Status>", b"<Tag>", b"<TagSet>"),
]


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change bytes, or half of the time what a store may write otherwise."""
    if seed % 2 or len(data) < 3:
        return atheris.Mutate(data, max_size)
    return (data[:2] + mutated(data[2:], Random(seed)))[:max_size]


def check(data: bytes) -> None:
    """Read one answer."""
    if len(data) < 2:
        return
    kind, options, body = data[0] % _KINDS, data[1], data[2:]
    try:
        if kind < _LISTING_KINDS:
            _check_listing(LISTINGS[kind], options, body)
        else:
            _OTHERS[kind](body, options)
    except StoreError as error:
        check_told(error)


def _taught(listing: Listing):
    shapes, chance = listing.shapes(), Random(2)
    for store in STORES:
        for items in (0, 3):
            body = listing.body(store, chance, items)
            listing.outcome(body, shapes)
    return shapes


_SHAPES = {listing.name: _taught(listing) for listing in LISTINGS}


def _check_listing(listing: Listing, options: int, body: bytes) -> None:
    """The three ways to read a page agree: by what is known, by what it taught, and by the parser alone."""
    shapes, parser = copy(_SHAPES[listing.name]), listing.shapes(0)
    expected = listing.outcome(body, parser)
    assert listing.outcome(body, shapes) == expected
    assert listing.outcome(body, shapes) == expected
    page = listing.read(listing.request, Response(200, {}, body), "media", NOW, parser)  # raises what it told
    tree = read_tree(body)
    if listing is PARTS:
        _check_parts(page, tree)
        assert_same(
            page, listing.read(listing.request, Response(200, {}, written_parts(page)), "media", NOW, parser)
        )
    else:
        _check_uploads(page, tree, encoded=listing is ENCODED)
        again = UPLOADS.read(UPLOADS.request, Response(200, {}, written_uploads(page)), "media", NOW, parser)
        assert_same(page, again)
    if tree is not None:
        assert tree.name == listing.root
        assert not tree.errors, "an Error was accepted"


def _check_uploads(page: Page, tree: Tree | None, *, encoded: bool) -> None:
    for each in page.items:
        assert each.key
        assert each.upload_id
        assert all(isinstance(text, str) for text in (*each[:2], *each[3:]))
        _check_moment(each.initiated)
    if tree is None:
        return
    items = tree.children("Upload")
    assert len(items) == len(page.items)
    says_encoding = any(
        "url" in text.lower() for text in tree.texts("EncodingType", "Encoding-Type", "Encoding-type")
    )
    for item, each in zip(items, page.items, strict=True):
        written = item.first("Key")
        readings = {written, unquote_plus(written, errors="surrogateescape")} if says_encoding else {written}
        assert without_returns(each.key) in set(map(without_returns, readings)), "another key"
        assert each.upload_id == item.first("UploadId").strip(), "another id"
    _check_end(page, tree)


def _check_end(page: Page, tree: Tree) -> None:
    said = {text.strip().lower() for text in tree.texts("IsTruncated")} - {""}
    if page.truncated is None:
        assert not said
    else:
        assert said
        assert said <= ({"true", "1"} if page.truncated else {"false", "0"})


def _check_parts(page: Page, tree: Tree | None) -> None:
    parts = page.items
    assert isinstance(parts, Parts)
    for number, size, modified in parts:
        assert number is None or 0 <= number < 10**19
        assert size is None or 0 <= size < 10**19
        _check_moment(modified)
    if tree is None:
        return
    items = tree.children("Part")
    assert len(items) == len(parts)
    for item, each in zip(items, parts, strict=True):
        for name, value in (("PartNumber", each.start), ("Size", each.size)):
            text = item.first(name).strip()
            assert value is None or (re.fullmatch("[0-9]+", text) and value == int(text)), "another number"
    _check_end(page, tree)


def _check_moment(seconds: float | None) -> None:
    assert seconds is None or timestamps.EARLIEST <= seconds <= NOW + timestamps.MAX_SKEW_SECONDS


def without_returns(text: str) -> str:
    """Return a text with the line ends that the standard library's parser makes of carriage returns."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def assert_same(page: Page, again: Page) -> None:
    """A page written anew is read as it was; times as far as a microsecond."""
    assert again.truncated == page.truncated
    assert again.next_marker == page.next_marker
    assert len(again.items) == len(page.items)
    for one, other in zip(page.items, again.items, strict=True):
        for value, read in zip(one, other, strict=True):
            if isinstance(value, float):
                assert abs(value - read) < 1e-3
            else:
                assert value == read


def written_uploads(page: Page) -> bytes:
    """Return a page of uploads as Amazon S3 writes it; characters that XML forbids as references."""
    key, upload_id = page.next_marker or ("", "")
    items = "".join(
        f"<Upload><Key>{escaped(each.key)}</Key><UploadId>{escaped(each.upload_id)}</UploadId><Initiator><ID>"
        f"{escaped(each.initiator)}</ID></Initiator><StorageClass>{escaped(each.storage_class)}</StorageClass>"
        f"<Initiated>{moment(each.initiated)}</Initiated></Upload>"
        for each in page.items
    )
    head = f"<NextKeyMarker>{escaped(key)}</NextKeyMarker>"
    head += f"<NextUploadIdMarker>{escaped(upload_id)}</NextUploadIdMarker>"
    return _written("ListMultipartUploadsResult", page, f"<Bucket>media</Bucket>{head}", items)


def written_parts(page: Page) -> bytes:
    """Return a page of parts likewise."""
    items = "".join(
        f"<Part><PartNumber>{'x' if each.start is None else each.start}</PartNumber>"
        f"<Size>{'x' if each.size is None else each.size}</Size>"
        f"<LastModified>{moment(each.modified)}</LastModified></Part>"
        for each in page.items
    )
    marker = page.next_marker[0] if page.next_marker else ""
    head = f"<Key>{escaped(KEY)}</Key><NextPartNumberMarker>{escaped(marker)}</NextPartNumberMarker>"
    return _written("ListPartsResult", page, head, items)


def _written(root: str, page: Page, head: str, items: str) -> bytes:
    end = "" if page.truncated is None else f"<IsTruncated>{str(page.truncated).lower()}</IsTruncated>"
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<{root}>{head}{end}{items}</{root}>".encode()


def _check_buckets(body: bytes, _: int) -> None:
    page = read_buckets(Response(200, {}, body))
    assert all(each.name and (each.region is None or each.region.strip()) for each in page.items)
    tree = read_tree(body)
    if tree is not None:
        assert tree.name == "ListAllMyBucketsResult"
        assert not tree.errors
        listed = [bucket for buckets in tree.children("Buckets") for bucket in buckets.children("Bucket")]
        assert [each.first("Name").strip() for each in listed] == [each.name for each in page.items]


def _check_rules(body: bytes, options: int) -> None:
    rules = read_rules(Response(200, {}, body), ("", "dir/", None)[options % 3])
    assert all(each is None or each >= 0 for each in (rules.bucket, rules.prefix))
    tree = read_tree(body)
    if tree is not None:
        assert tree.name == "LifecycleConfiguration"
        assert not tree.errors
        asked_for = any(name.startswith("Abort") for name in tree.all_names())
        assert asked_for or rules == (None, None)


def _check_tags(body: bytes, _: int) -> None:
    tags = read_tags(Response(200, {}, body))
    assert "" not in tags
    tree = read_tree(body)
    if tree is not None:
        assert tree.name == "Tagging"
        assert not tree.errors
        pairs = [
            (tag.first("Key"), tag.first("Value"))
            for tags in tree.children("TagSet")
            for tag in tags.children("Tag")
        ]
        assert [tuple(map(without_returns, pair)) for pair in tags.items()] == [
            tuple(map(without_returns, pair)) for pair in pairs
        ]


def _check_error(body: bytes, options: int) -> None:
    answer = Response(_STATUSES[options % len(_STATUSES)], {}, body)
    code, message = read_error(body)
    fields = error_fields(body)
    try:
        tree = read_tree(body)
        is_other = tree is not None and tree.name != "Error"
    except DoctypeError:
        is_other = True
    if is_other:
        assert (code, message, fields) == ("", "", {})
    check_told(refusal("ListParts", answer, code, message))


_OTHERS = {3: _check_buckets, 4: _check_rules, 5: _check_tags, 6: _check_error}
