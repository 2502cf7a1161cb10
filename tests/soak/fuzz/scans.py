"""Whole scans: a bucket whose every answer is hostile, scanned three times with one ledger, then published.

An input is two bytes of options, then answers, separated by two zero bytes: those that hold `<Part` or
`ListParts` answer ListParts, the rest ListMultipartUploads, each kind in turn. A `{key}` and `{id}` stand for
those asked for. When all have been given, the listings are empty and the parts unknown.
"""

from __future__ import annotations

import json
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any

import atheris
from fakes import NOW, Clock
from prometheus_client.parser import text_string_to_metric_families
from soak.fuzz.told import check_line, check_told
from soak.fuzz.trees import escaped
from unit.example_board import AGES, ExampleBoard
from unit.store_pages import PARTS, STORES, UPLOADS, mutated

from exporter.config.settings import BucketSettings, ScanSettings
from exporter.model.errors import StoreError
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.base import S3_OPERATIONS, ListingStart
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.errors import gone_error, is_gone, refusal
from exporter.stores.pagination.part_sums import NumberedPartSum
from exporter.stores.parsing.pages import read_error, read_page
from exporter.stores.transport.response import Response
from exporter.web.api import encoded
from exporter.web.records import upload_record

if TYPE_CHECKING:
    from exporter.model.results import ScanResult
    from exporter.model.uploads import CountedUpload
    from exporter.stores.base import CompletedCall, Page, PageRequest

_BETWEEN = b"\0\0"
_SCANS = 3
_MAX_CALLS = 20_000
_ENDED = Response(404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")
_EMPTY = Response(
    200, {}, b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
)
_EDGES = (
    b"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>"
    b"<NextUploadIdMarker>2</NextUploadIdMarker><Upload><Key>dir/a</Key><UploadId>1</UploadId><Initiated>"
    b"2026-01-01T00:01:00.000Z</Initiated></Upload><Upload><Key>b</Key><UploadId>2</UploadId></Upload>"
    b"</ListMultipartUploadsResult>"
)
_SUM = (
    b"<ListPartsResult><Key>{key}</Key><UploadId>{id}</UploadId><StorageClass>GLACIER</StorageClass>"
    b"<IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>9223372036854775807</Size></Part>"
    b"<Part><PartNumber>2</PartNumber><Size>9223372036854775807</Size></Part></ListPartsResult>"
)


def _seeds() -> list[bytes]:
    chance, seeds = Random(3), []
    for number, store in enumerate(STORES):
        pages = [UPLOADS.body(store, chance, items) for items in (3, 2, 0)]
        parts = [
            PARTS.body(store, chance, items)
            .replace(b"<Key>dir/key &amp; co</Key>", b"<Key>{key}</Key>")
            .replace(b"<UploadId>id-1</UploadId>", b"<UploadId>{id}</UploadId>")
            for items in (2, 0)
        ]
        pages = [page.replace(b"<Key>dir/key &amp; co</Key>", b"<Key>dir/k1</Key>", 1) for page in pages]
        seeds += [bytes([number, 0]) + _BETWEEN.join([*pages, *parts])]
    return [
        *seeds,
        b"\x00\x01" + _BETWEEN.join([_EDGES, _EDGES.replace(b"true", b"false"), _SUM]),
        b"\x00\x02"
        + _BETWEEN.join([_EDGES.replace(b"true", b"false"), _SUM, _ENDED.body + b"ListParts", _SUM]),
        b"\x04\x00" + _BETWEEN.join([_EDGES.replace(b"true", b"false")] * 3 + [_SUM]),
    ]


SEEDS = _seeds()
WORDS = [
    _BETWEEN,
    *(
        b"{key}",
        b"{id}",
        b"<IsTruncated>true</IsTruncated>",
        b"<IsTruncated>false</IsTruncated>",
        b"9223372036854775807",
    ),
    *(
        b"<NextKeyMarker>",
        b"</NextKeyMarker>",
        b"<NextUploadIdMarker>",
        b"</NextUploadIdMarker>",
        b"&#xD800;",
        b"&#0;",
    ),
    *(
        b"<Upload>",
        b"</Upload>",
        b"<Part>",
        b"</Part>",
        b"<Size>",
        b"<PartNumber>",
        b"<StorageClass>",
        b"<Initiated>",
    ),
    *(
        b"<NextPartNumberMarker>",
        b"<MaxParts>",
        b"2026-09-01T00:01:00.000Z",
        b"2006-01-01T00:00:00.000Z",
        b"&#13;",
    ),
    *(
        b"<Error><Code>NoSuchUpload</Code></Error>",
        b"<Error><Code>InvalidArgument</Code></Error>",
        b"\xed\xa0\x80",
    ),
    *(
        b"<Error><Code>SlowDown</Code></Error>",
        b"<Error><Code>AccessDenied</Code></Error>",
        b"<CommonPrefixes>",
    ),
]


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change bytes, or one of the answers as a store may, or give one twice, or leave it out."""
    answers = data[2:].split(_BETWEEN)
    if seed % 3 == 0 or len(data) < 3:
        return atheris.Mutate(data, max_size)
    chance = Random(seed)
    place = chance.randrange(len(answers))
    if seed % 3 == 1:
        answers[place] = mutated(answers[place], chance)
    elif chance.random() < 0.7:
        answers.insert(chance.randrange(len(answers) + 1), answers[place])
    else:
        del answers[place]
    return (data[:2] + _BETWEEN.join(answers))[:max_size]


class _Store:
    """Gives answers in their order; each call is answered at once."""

    operations = ("ListMultipartUploads", "ListParts")
    page_operations = S3_OPERATIONS
    signing_region = "nowhere-1"
    has_part_times = True
    has_initiation_times = True

    def __init__(self, answers: list[bytes], options: int) -> None:
        self._listings = [each for each in answers if not _is_of_parts(each)]
        self._parts = [each for each in answers if _is_of_parts(each)]
        self.lists_by_key = bool(options & 8)
        self.listing_start = ListingStart.ANY_KEY if self.lists_by_key else ListingStart.NOTHING
        self.encodes_keys = bool(options & 16)
        self._waiting: list[tuple[object, PageRequest]] = []
        self.calls = 0

    def open(self, bucket: BucketSettings, deadline: float) -> _Store:
        self._waiting.clear()
        return self

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        self._waiting.append((label, request))

    def completed(self, timeout: float) -> list[CompletedCall]:
        if not self._waiting:
            return []
        label, request = self._waiting.pop(0)
        self.calls += 1
        assert self.calls < _MAX_CALLS, "the scan does not end"
        return [(label, self._answer(request))]

    def close(self) -> None:
        self._waiting.clear()

    def new_part_sum(self) -> NumberedPartSum:
        return NumberedPartSum()

    def _answer(self, request: PageRequest) -> Page[Any] | StoreError:
        answer = self._next(request)
        operation = "ListParts" if request.upload else "ListMultipartUploads"
        try:
            if answer.status == 200:
                return read_page(request, answer, "media", NOW)
        except StoreError as error:
            return error
        error = refusal(operation, answer, *read_error(answer.body))
        return gone_error(operation, error) if request.upload and is_gone(error) else error

    def _next(self, request: PageRequest) -> Response:
        left = self._parts if request.upload else self._listings
        if not left:
            return _ENDED if request.upload else _EMPTY
        body = left.pop(0)
        if request.upload:
            for name, value in ((b"{key}", request.upload.key), (b"{id}", request.upload.upload_id)):
                body = body.replace(name, escaped(value).encode())
        if body.startswith(b"<Error"):
            is_late = b"SlowDown" in body
            return Response(503 if is_late else 403 if b"Denied" in body else 404, {}, body)
        return Response(200, {}, body)


def _is_of_parts(answer: bytes) -> bool:
    return b"ListParts" in answer or b"<Part" in answer


def check(data: bytes) -> None:
    """Scan a bucket, again and again."""
    if len(data) < 3:
        return
    options = data[0]
    store = _Store(data[2:].split(_BETWEEN), options)
    bucket = BucketSettings("media", prefix="dir/" if options & 1 else None, stale_after=86400.0)
    settings = ScanSettings(
        parts=("remembered", "always", "never")[data[1] % 3],
        retries=0,
        max_requests=3 if options & 32 else None,
        listing_concurrency=4 if options & 2 else 1,
    )
    clock, ledger, drawn = Clock(), Ledger(), ExampleBoard("media")
    scanner = Scanner(
        StoreClient(store, settings, Event(), clock.clocks()),
        AGES,
        top_uploads_limit=5,
        relists_gone=bool(options & 4),
    )
    for _ in range(_SCANS):
        _scan(scanner, bucket, ledger, drawn)
        clock.now += 90_000.0
    _check_shown(drawn)


def _scan(scanner: Scanner, bucket: BucketSettings, ledger: Ledger, drawn: ExampleBoard) -> None:
    passes: list[list[CountedUpload]] = []

    def observers():
        counted: list[CountedUpload] = []
        passes.append(counted)
        return [counted.append]

    try:
        result = scanner.scan(bucket, ledger, observers)
    except StoreError as error:
        check_told(error)
        return
    _check_sums(result, [each for each in passes[-1] if not each.denied], bucket)
    drawn.board.publish(("prod", "media"), result)
    for each in passes[-1][:10]:
        json.loads(encoded(upload_record("prod", "s3", "media", each, now=NOW, abort_command="")))


def _check_sums(result: ScanResult, counted: list[CountedUpload], bucket: BucketSettings) -> None:
    """What is published is what the counted uploads add up to."""
    summary = result.summary
    assert summary.uploads == len(counted)
    assert summary.undated == sum(1 for each in counted if each.upload.initiated is None)
    sizes = [each.bytes for each in counted if each.bytes is not None]
    assert all(0 <= size < 2**63 for size in sizes), "more bytes than can be"
    if summary.parts_known:
        assert summary.unsized == len(counted) - len(sizes)
        assert summary.bytes == (sum(sizes) if sizes or not counted else None)
    else:
        assert (summary.bytes, sizes) == (None, [])
    assert summary.stale == sum(1 for each in counted if each.stale)
    assert list(summary.age_counts) == sorted(summary.age_counts)
    assert summary.age_sum >= 0
    for each in counted:
        assert each.nameless or each.upload.key.startswith(bucket.prefix or ""), "a key outside the prefix"
    for text in (result.warning, *result.notices):
        if text:
            check_line(text)


def _check_shown(drawn: ExampleBoard) -> None:
    """The last result can be written as metrics."""
    [entry] = drawn.board.entries()
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(drawn.text.render().decode())
        for sample in family.samples
    }
    known = (entry.summary.uploads, entry.summary.bytes) if entry.summary else (None, None)
    shown = samples.get("mpu_uploads_in_progress"), samples.get("mpu_pending_bytes")
    assert shown == tuple(None if each is None else float(each) for each in known)
