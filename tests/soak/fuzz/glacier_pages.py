"""Answers of Glacier, in JSON: lists of uploads, parts and vaults, tags, errors.

An input is a byte that says what was asked for, another one of options, and the body. What is accepted is
compared with what the standard library reads of it, and is read again from how Glacier would write it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from soak.fuzz.told import check_told
from soak.fuzz.trees import moment

from exporter.model.errors import StoreError
from exporter.stores import timestamps
from exporter.stores.errors import refusal
from exporter.stores.glacier.pages import (
    is_gone,
    read_error,
    read_parts,
    read_tags,
    read_uploads,
    read_vaults,
)
from exporter.stores.pagination.part_sums import RangedPartSum
from exporter.stores.transport.response import Response

if TYPE_CHECKING:
    from exporter.stores.base import Page

_NOW = 1.8e9
_VAULT, _ID = "tapes", "id-1"
_ARN = f"arn:aws:glacier:eu-west-1:123456789012:vaults/{_VAULT}"
_UPLOAD: dict[str, Any] = {
    "ArchiveDescription": "backup <1> & é",
    "CreationDate": "2026-01-01T00:01:00.000Z",
    "MultipartUploadId": _ID,
    "PartSizeInBytes": 4194304,
    "VaultARN": _ARN,
}
_PARTS: dict[str, Any] = {
    "ArchiveDescription": "x",
    "CreationDate": "2026-01-01T00:01:00.000Z",
    "MultipartUploadId": _ID,
    "PartSizeInBytes": 4194304,
    "Parts": [
        {"RangeInBytes": "0-4194303", "SHA256TreeHash": "01d34dabf7be316472c93b1ef80721f5d4"},
        {"RangeInBytes": "4194304-8388607", "SHA256TreeHash": "0195875365afda349fc21c84c099987164"},
    ],
    "VaultARN": _ARN,
}
_VAULTS = {"VaultList": [{"VaultName": _VAULT, "VaultARN": _ARN, "SizeInBytes": 1}], "Marker": None}
_ERROR = {"code": "ResourceNotFoundException", "type": "Client", "message": "The upload ID was not found: x"}


def _seed(kind: int, what: object, options: int = 0) -> bytes:
    return bytes([kind, options]) + json.dumps(what).encode()


SEEDS = [
    _seed(0, {"Marker": None, "UploadsList": []}),
    _seed(0, {"Marker": "m1", "UploadsList": [_UPLOAD, {**_UPLOAD, "MultipartUploadId": "id-2"}]}),
    _seed(0, {"Marker": "null", "UploadsList": [{"MultipartUploadId": "i", "CreationDate": "x"}]}),
    _seed(1, {**_PARTS, "Marker": "317082"}),
    _seed(1, {"Parts": [{"RangeInBytes": "0-9999999999999999999"}, {"RangeInBytes": "5-1"}], "Marker": None}),
    _seed(2, _VAULTS),
    _seed(3, {"Tags": {"owner": "me", "k": ""}}),
    *(_seed(kind, _ERROR) for kind in range(5)),
    _seed(4, {"__type": "com.amazonaws.glacier#ThrottlingException:http://x", "Message": "slow"}, 2),
    b"\x00\x00<html>login</html>",
    b"\x00\x00",
]
WORDS = [
    *(
        b'"UploadsList":',
        b'"Parts":',
        b'"VaultList":',
        b'"Tags":',
        b'"Marker":',
        b'"null"',
        b"null",
        b"[]",
        b"{}",
    ),
    *(
        b'"MultipartUploadId":',
        b'"RangeInBytes":',
        b'"VaultARN":',
        b'"VaultName":',
        b'"CreationDate":',
        b'"code":',
    ),
    *(b"vaults/", b"0-4194303", b"9999999999999999999", b"18446744073709551616", b'"\\ud800"', b'"\\u0000"'),
    *(
        b"NaN",
        b"Infinity",
        b"1e999",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"[[[[[[[[[[[[[[[[",
        b'"ArchiveDescription":',
    ),
    *(b"2026-01-01T00:01:00.000Z", b"true", b"-1", b'"__type":', b'"message":'),
]
_STATUSES = (400, 403, 404, 408, 429, 500, 503)


def check(data: bytes) -> None:
    """Read one answer."""
    if len(data) < 2:
        return
    kind, options, body = data[0] % len(_KINDS), data[1], data[2:]
    try:
        _KINDS[kind](Response(200, {}, body), options)
    except StoreError as error:
        check_told(error)


def _check_uploads(answer: Response, _: int) -> None:
    page = read_uploads(answer, _VAULT, _NOW)
    said = json.loads(answer.body)
    assert [each["MultipartUploadId"].strip() for each in said["UploadsList"]] == [
        each.upload_id for each in page.items
    ]
    _check_end(page, said)
    for each in page.items:
        assert each.upload_id
        assert (
            each.initiated is None
            or timestamps.EARLIEST <= each.initiated <= _NOW + timestamps.MAX_SKEW_SECONDS
        )
    written = {
        "Marker": page.next_marker and page.next_marker[0],
        "UploadsList": [
            {
                "ArchiveDescription": each.key,
                "MultipartUploadId": each.upload_id,
                "CreationDate": moment(each.initiated),
            }
            for each in page.items
        ],
    }
    again = read_uploads(answer._replace(body=json.dumps(written).encode()), _VAULT, _NOW)
    assert again.next_marker == page.next_marker
    assert [each[:2] for each in again.items] == [each[:2] for each in page.items]
    for one, other in zip(page.items, again.items, strict=True):
        assert (one.initiated is None) == (other.initiated is None)
        assert abs((one.initiated or 0.0) - (other.initiated or 0.0)) < 1e-3


def _check_parts(answer: Response, _: int) -> None:
    page = read_parts(answer, _VAULT, _ID)
    said = json.loads(answer.body)
    assert len(page.items) == len(said["Parts"])
    _check_end(page, said)
    for each in page.items:
        if each.start is None:
            assert each.size is None
        else:
            assert each.size is not None
            assert each.start >= 0
            assert each.size > 0
    written = {
        "Marker": page.next_marker and page.next_marker[0],
        "Parts": [{"RangeInBytes": _range(each)} for each in page.items],
    }
    assert read_parts(answer._replace(body=json.dumps(written).encode()), _VAULT, _ID) == page
    covered = RangedPartSum()
    covered.add(page.items)
    covered.add(page.items)  # no byte counts twice
    totals = covered.totals("GLACIER")
    sizes = [each.size for each in page.items]
    assert totals.bytes is None or totals.bytes <= sum(size for size in sizes if size is not None)


def _range(part: Any) -> str:
    return "x" if part.start is None else f"{part.start}-{part.start + part.size - 1}"


def _check_end(page: Page[Any], said: dict[str, Any]) -> None:
    marker = said.get("Marker")
    is_end = marker is None or marker.strip() in {"", "null"}
    assert page.next_marker == (None if is_end else (marker,))
    assert page.truncated == (not is_end)


def _check_vaults(answer: Response, _: int) -> None:
    page = read_vaults(answer)
    said = json.loads(answer.body)
    assert [each["VaultName"] for each in said["VaultList"]] == [each.name for each in page.items]
    _check_end(page, said)


def _check_tags(answer: Response, _: int) -> None:
    assert read_tags(answer) == json.loads(answer.body)["Tags"]


def _check_error(answer: Response, options: int) -> None:
    refused = answer._replace(status=_STATUSES[options % len(_STATUSES)])
    error = refusal("ListParts", refused, *read_error(refused))
    check_told(error)
    is_gone(error)


_KINDS = (_check_uploads, _check_parts, _check_vaults, _check_tags, _check_error)
