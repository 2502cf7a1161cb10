"""Multipart uploads on a real server, many and fast, with keys that break careless readers."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from servers.ceph import Ceph

THREADS = 16
BIG = 1_200
"""Uploads of the big bucket: more than one page of the largest size."""

ODD = (
    *("plain", "with space", " ", " leading", "trailing ", "a b", "a!", "a-b", "a.b"),  # a server's order
    *("a+b", "+", "%41", "A", "%", "%zz", "%2F", "a%20b", "100%25"),  # decoded once too often
    *("/", "//", "/leading", "a//b", "trailing/", ".", "..", "./a", "a/./b", "a/../b", "../../etc/passwd"),
    *("None", "null", "true", "0", "-1", "nan"),
    *("&", "&amp;", "&#x01;", "<", ">", "<Key>k</Key>", "]]>", "<!--", "&<>\"'", '"', "'", "`"),
    *("\\", "a\\b", "{}[]|^", "~", "?", "?uploads", "#", "a=b;c,d:e@f$g*(h)"),
    *("ä", "é", "e\u0301", "日本語", "🪣", "👩\u200d💻", "\u202eright to left", "\u00a0", "\u2028", "\ufeff"),
    *("\ue000", "\ue001", "\uf701", "\ufffd", "\ufffe", "\uffff", "\U0010ffff", "\x7f", "\x85"),
    *("\x01", "\x08", "\x0b", "\x1f", "a\x01b\x08c\x1fd\x7f", "\t", "\n", "\r", "a\r\nb", "\t\n "),
    *("x" * 900, "ü" * 450, "d/" * 450, "+" * 900),
)


def odd_keys(count: int) -> list[str]:
    """Return so many different keys, always the same: first every oddity itself, then each numbered."""
    return [odd if n == 0 else f"{odd}{n}" for n in range(count // len(ODD) + 1) for odd in ODD][:count]


@dataclass(frozen=True)
class Made:
    """An upload that was made: the size of each part by its number."""

    key: str
    upload_id: str
    parts: Mapping[int, int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(self.parts.values())


def no_parts(_: int) -> Mapping[int, int]:
    return {}


def fill(
    client: S3Client,
    bucket: str,
    keys: Sequence[str],
    parts: Callable[[int], Mapping[int, int]] = no_parts,
) -> list[Made]:
    """Start one upload per key and return them in order; parts tells the nth one's sizes by part number."""
    understand_creation(client)

    def create(n: int) -> Made:
        started = client.create_multipart_upload(Bucket=bucket, Key=keys[n])
        return Made(keys[n], started["UploadId"], parts(n))

    def put(part: tuple[Made, int, int]) -> None:
        upload, number, size = part
        client.upload_part(
            Bucket=bucket, Key=upload.key, UploadId=upload.upload_id, PartNumber=number, Body=b"x" * size
        )

    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(create, range(len(keys))))
        list(
            pool.map(
                put, [(upload, number, size) for upload in made for number, size in upload.parts.items()]
            )
        )
    return made


def understand_creation(client: S3Client) -> None:
    """Let boto3 read the id out of a creation's answer also where the key in it is forbidden in XML."""

    def keep_only_the_id(response_dict: dict[str, Any], **_: object) -> None:
        if found := re.search(rb"<UploadId>[^<]+</UploadId>", response_dict["body"]):
            response_dict.update(status_code=200, body=b"<Answer>" + found[0] + b"</Answer>")

    event = "before-parse.s3.CreateMultipartUpload"
    client.meta.events.register(event, keep_only_the_id, unique_id="understand-creation")


@dataclass(frozen=True)
class Truth:
    """What a bucket holds, known from the making of it."""

    bucket: str
    uploads: list[Made]
    oldest: datetime

    @property
    def size_bytes(self) -> int:
        return sum(upload.size_bytes for upload in self.uploads)

    @property
    def parts(self) -> int:
        return sum(len(upload.parts) for upload in self.uploads)


def big_parts(n: int) -> Mapping[int, int]:
    """Shape the big bucket: two uploads of 1,200 parts, every tenth of three, every third of one."""
    if n in {40, 1_150}:
        return dict.fromkeys([*range(1, 1_200), 10_000], 16)
    if n % 10 == 0:
        return {1: n, 2: 16, 9_999: n % 7}
    return {1 + n % 5: 5 + n} if n % 3 == 0 else {}


@pytest.fixture(scope="session")
def big_bucket(ceph: Ceph) -> Truth:
    """Give uploads on Ceph, to look at and leave alone: odd keys, and 150 uploads of one key."""
    client, bucket = ceph.client(), f"big-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    [first] = fill(client, bucket, ["the oldest"])
    [listed] = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    rest = fill(client, bucket, odd_keys(1_049) + ["one key, many uploads"] * 150, big_parts)
    truth = Truth(bucket, [first, *rest], listed["Initiated"])
    counted = ceph.oracle(bucket)
    assert counted == len({(made.key, made.upload_id) for made in truth.uploads}) == BIG
    return truth
