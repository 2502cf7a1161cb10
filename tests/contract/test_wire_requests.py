"""What the wire engine sends is what boto3 sends: the same request line, byte for byte, the same headers."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from contract.rig_s3 import path_style, virtual_host
from contract.rigs import PARTS, SCAN, UPLOADS, Part, Rig, Upload, fields, some_uploads
from contract.scans import scan
from servers.s3 import Key
from servers.standin import Request

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings

KEYS = [
    "k",
    "a b",
    " ",
    "a+b",
    "%41%2f%",
    "a//b",
    "/lead",
    "//",
    "trail/",
    ".",
    "..",
    "./a",
    "a/../b",
    "a/./b",
    "../../etc",
    "ü ß 漢字 🙂",
    "&<>\"'",
    "?uploads#x&y=1;z",
    "~*'()!$@:,=[]{}|^`\\",
    "\x7f\u0085\u2028\ufeff",
    "\x01\x08\x1f",
    "\t\n",
    "é" * 500,
]
PREFIX = "a b+/ü%&=?#"
TOKEN = "tok/en+=="
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<scope>[^,]+), SignedHeaders=(?P<names>[^,]+), Signature="
)
OWN = {"x-amz-date", "user-agent", "authorization", "amz-sdk-invocation-id", "amz-sdk-request"}
"""What no two calls have in common; of the user agent and the signature more is said below."""


def keys(token: str | None = None) -> Credentials:
    good = Key()
    return Credentials(
        None, Secret(good.access_key_id), Secret(good.secret), Secret(token) if token else None
    )


SETTINGS = {
    "plain": {},
    "a page size": {"scan": replace(SCAN, page_size=2)},
    "a prefix": {"bucket": BucketSettings("media", prefix=PREFIX)},
    "a prefix and a page size": {
        "bucket": BucketSettings("media", prefix=PREFIX),
        "scan": replace(SCAN, page_size=1),
    },
    "a token": {"credentials": keys(TOKEN)},
    "a payer and an owner": {"request_payer": "requester", "expected_bucket_owner": "111122223333"},
    "another region": {"region": "ap-south-1"},
    "no region": {"region": None},
    "an address": {"name": "127.0.0.1"},
    "a name that fits no host": {"bucket": BucketSettings("Old_Style.9"), "addressing_style": "auto"},
    "a tenant's bucket": {"bucket": BucketSettings("tenant:media"), "addressing_style": "path"},
}


def sent(rig: Rig) -> list[Request]:
    """Return what a scan of odd keys sends."""
    uploads = [
        Upload(PREFIX + key, f"id/{number}+=.", parts=[Part(1, 1), Part(2, 2), Part(9_999, 3)])
        for number, key in enumerate(KEYS)
    ]
    rig.standin.forget()
    rig.fill([*uploads, *some_uploads(1)])
    for operation in (UPLOADS, PARTS):
        rig.fault(operation, page=fields(Bucket=None))
    result = scan(rig, parts="always")
    assert (result.warning, result.summary.parts) == ("", 3 * len(KEYS))
    return rig.standin.requests


def shape(request: Request) -> tuple[object, ...]:
    """Return all that two engines have to agree on."""
    signed = SIGNED.match(request.headers["authorization"])
    assert signed
    headers = sorted((name, value) for name, value in request.headers.items() if name not in OWN)
    agent = request.headers["user-agent"].split()[
        -1
    ]  # the SDK names itself, and what it is used for, before us
    return request.target, request.method, signed["scope"], signed["names"], agent, headers


def shapes(rig: Rig) -> list[tuple[object, ...]]:
    return sorted(map(shape, sent(rig)))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("open_rig", [path_style, virtual_host])
class TestEveryCallOfAScan:
    def test_is_sent_as_boto3_sends_it(self, open_rig: Callable[..., Any], settings: str):
        with open_rig(**SETTINGS[settings]) as rig:
            if rig.target.credentials.session_token:
                rig.server.key.token = TOKEN
            by_wire = shapes(rig)
            rig.retarget(engine="boto3")
            assert by_wire == shapes(rig)
            assert len(by_wire) >= len(KEYS) + 1


@pytest.mark.parametrize("url", ["{url}/", "http://localhost:{port}//", "HTTP://localhost:{port}"])
def test_an_endpoint_may_be_written_as_boto3_takes_it(wire: Rig, url: str):
    endpoint = url.format(url=wire.standin.url, port=wire.standin.port)
    found = []
    for engine in ("wire", "boto3"):
        wire.retarget(endpoint_url=endpoint, engine=engine)
        found.append(shapes(wire))
    assert found[0] == found[1]
