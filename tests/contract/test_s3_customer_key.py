"""The key of SSE-C uploads: sent with their parts, over TLS, and told nobody."""

import base64
import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from contract.authority import Authority
from contract.rigs import PARTS, SCAN, Opener, Part, Rig, Upload, refused
from servers.s3 import error
from servers.standin import Reply, Request, StandIn

from exporter.config.credentials import Secret
from exporter.model.errors import Reason
from exporter.model.uploads import Upload as ListedUpload
from exporter.stores.base import CompletedCall, PageRequest

KEY, OTHER_KEY = b"k" * 31 + b"\xff", b"o" * 32
UPLOAD = Upload("k", "id-1", parts=[Part(1, 5)])
PREFIX = "x-amz-server-side-encryption-customer-"


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def headers_of(key: bytes) -> dict[str, str]:
    md5 = base64.b64encode(hashlib.md5(key).digest()).decode()
    return {f"{PREFIX}algorithm": "AES256", f"{PREFIX}key": text(key), f"{PREFIX}key-md5": md5}


def carried(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.startswith(PREFIX)}


def needing(key: bytes | None) -> Callable[[Request, Callable[[], Reply]], Reply]:
    """Return what answers as S3 does where uploads have this key, None: none at all."""

    def answer(request: Request, truly: Callable[[], Reply]) -> Reply:
        wanted = headers_of(key) if key and "uploadId" in request.query else {}
        if carried(request) != wanted:
            return error(400, "InvalidRequest", "The encryption parameters are not applicable.")
        return truly()

    return answer


@pytest.fixture
def open_keyed(open_engine: Opener, authority: Authority) -> Callable[..., Rig]:
    """Return what opens a rig of each engine over TLS, with a key."""

    def open_one(secret: Secret, key: bytes | None = KEY, **settings: object) -> Rig:
        rig = open_engine(tls=authority.context(), **settings)
        rig.retarget(tls=authority.tls, sse_customer_key=secret)
        rig.fill([UPLOAD])
        rig.server.answer = needing(key)
        return rig

    return open_one


def test_it_goes_with_the_parts_alone_and_is_signed(open_keyed: Callable[..., Rig]):
    rig = open_keyed(Secret(text(KEY)))
    assert rig.ids() == ["id-1"]
    assert rig.size(UPLOAD).bytes == 5
    assert [carried(request) for request in rig.standin.requests] == [{}, headers_of(KEY)]
    signed = rig.standin.requests[-1].headers["authorization"]
    assert all(name in signed for name in headers_of(KEY))


def test_its_file_is_read_again_when_it_has_changed(open_keyed: Callable[..., Rig], tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(f"{text(KEY)}\n", encoding="utf-8")
    rig = open_keyed(Secret(file=file))
    assert rig.size(UPLOAD).bytes == 5
    other = tmp_path / "other"
    other.write_text(text(OTHER_KEY), encoding="utf-8")
    os.replace(other, file)  # noqa: PTH105 - as Kubernetes swaps
    rig.server.answer = needing(OTHER_KEY)
    assert rig.size(UPLOAD).bytes == 5


def test_a_scan_under_way_goes_on_with_the_new_one(open_keyed: Callable[..., Rig], tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(text(KEY), encoding="utf-8")
    rig = open_keyed(Secret(file=file))
    calls = rig.store.open(rig.bucket, time.monotonic() + 10)
    upload = ListedUpload(UPLOAD.key, UPLOAD.upload_id)
    pages: list[CompletedCall] = []
    for key in (KEY, OTHER_KEY):
        file.write_text(text(key), encoding="utf-8")
        rig.server.answer = needing(key)
        calls.start(PageRequest(rig.bucket, upload, None), time.monotonic() + 10, "label")
        answered: list[CompletedCall] = []
        while not answered:
            answered += calls.completed(0.1)
        pages += answered
    calls.close()
    assert [len(page.items) for _, page in pages] == [1, 1]


def test_an_upload_without_a_key_is_asked_about_once_more(open_keyed: Callable[..., Rig]):
    rig = open_keyed(Secret(text(KEY)), key=None)
    assert rig.size(UPLOAD).bytes == 5
    assert [bool(carried(request)) for request in rig.standin.requests] == [True, False]
    assert rig.traffic.requests == {PARTS: 2}


def test_the_wrong_key_is_a_refusal_of_the_upload(open_keyed: Callable[..., Rig]):
    rig = open_keyed(Secret(text(OTHER_KEY)))
    assert refused(rig, UPLOAD).status == 400
    assert rig.ids() == ["id-1"]


def test_it_never_goes_over_plain_http(open_engine: Opener):
    rig = open_engine(sse_customer_key=Secret(text(KEY)))
    rig.fill([UPLOAD])
    assert rig.size(UPLOAD).bytes == 5
    assert [carried(request) for request in rig.standin.requests] == [{}]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_plain_http_does_not_get_it(open_keyed: Callable[..., Rig], status: int):
    rig = open_keyed(Secret(text(KEY)), scan=replace(SCAN, retries=0))
    with StandIn(lambda _: Reply(200)) as plain:
        moved = error(status, "TemporaryRedirect", location=f"{plain.url}/media/k?uploadId=id-1")
        rig.answer(PARTS, moved)
        assert refused(rig, UPLOAD).status == status
        assert [carried(request) for request in plain.requests if carried(request)] == []


def test_nor_do_uploads_elsewhere_by_plain_http(open_engine: Opener, monkeypatch: pytest.MonkeyPatch):
    """The SDK takes an endpoint from the environment, too."""
    rig = open_engine()
    monkeypatch.setenv("AWS_ENDPOINT_URL", rig.standin.url)
    rig.retarget(endpoint_url=None, sse_customer_key=Secret(text(KEY)))
    rig.fill([UPLOAD])
    if rig.target.engine == "wire":
        assert rig.size(UPLOAD).bytes == 5
    else:
        assert refused(rig, UPLOAD).reason == Reason.TLS
    assert [request for request in rig.standin.requests if carried(request)] == []


@pytest.mark.parametrize("content", ["", "short", text(b"k" * 31), text(b"k" * 33), "ü", "!" * 44])
def test_what_is_no_key_is_said_and_not_sent(open_keyed: Callable[..., Rig], tmp_path: Path, content: str):
    file = tmp_path / "key"
    file.write_text(content, encoding="utf-8")
    rig = open_keyed(Secret(file=file))
    failed = refused(rig, UPLOAD)
    assert (failed.reason, failed.retryable) == (Reason.CREDENTIALS, False)
    assert "sse_customer_key_file is not" in str(failed)
    assert rig.ids() == ["id-1"]
    assert rig.traffic.requests[PARTS] == 0


def test_a_file_that_is_not_there_is_said(open_keyed: Callable[..., Rig], tmp_path: Path):
    rig = open_keyed(Secret(file=tmp_path / "none"))
    assert "sse_customer_key_file cannot be read (No such file" in str(refused(rig, UPLOAD))


def test_it_is_told_nobody(open_keyed: Callable[..., Rig], caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, logger="exporter"):
        rig = open_keyed(Secret(text(OTHER_KEY)))
        failed = refused(rig, UPLOAD)
    told = [str(failed), repr(failed), repr(rig.target), repr(rig.store), caplog.text]
    assert [each for each in told if text(OTHER_KEY) in each] == []
