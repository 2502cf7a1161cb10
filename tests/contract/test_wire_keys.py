"""Keys that change while a scan is under way: what was refused with the old ones is asked once more."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials
from contract.rigs import PARTS, UPLOADS, Opener, Rig, refused
from contract.scans import Together, answering, bytes_of, received, scan, sized_uploads, summary_of
from servers import wait_until
from servers.s3 import Key
from servers.standin import Request

from exporter.config.credentials import Credentials, Secret
from exporter.model.errors import Reason, StoreError
from exporter.stores.base import CompletedCall, PageRequest
from exporter.stores.engine.wire import WireSession, WireTarget
from exporter.stores.s3.sdk import Sdk
from exporter.stores.s3.wire import RouteCache, S3Bucket

UPLOADS_HELD = sized_uploads(60)
OLD = Key(token="old/token+=")
NEW = {
    "secret": replace(OLD, secret="new-secret"),
    "token": replace(OLD, token="new-token"),
    "id": replace(OLD, access_key_id="AKIANEWKEY7EXAMPLE"),
}


def swap(path: Path, text: str) -> None:
    """Replace a file at once, as Kubernetes does with mounted secrets."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)  # noqa: PTH105 - says that it replaces


def write(folder: Path, key: Key) -> None:
    for name, text in (("id", key.access_key_id), ("secret", key.secret), ("token", key.token or "")):
        path = folder / name
        if not path.exists() or path.read_text() != text:
            swap(path, text)


def open_with_files(open_rig: Opener, folder: Path) -> Rig:
    write(folder, OLD)
    keys = Credentials(None, *(Secret(file=folder / name) for name in ("id", "secret", "token")))
    rig = open_rig(credentials=keys)
    rig.server.key = OLD
    rig.fill(UPLOADS_HELD)
    return rig


def while_in_flight(rig: Rig, calls: int, change: Callable[[], None]) -> None:
    """Make a change once so many calls for parts are in flight together; they are judged after it."""
    together = Together(calls, change)
    answering(rig, lambda _: together.hold())


class TestFiles:
    @pytest.mark.parametrize("what", NEW)
    def test_that_are_replaced_in_the_middle_of_a_scan_lose_nothing(
        self, open_wire: Opener, tmp_path: Path, what: str
    ):
        rig = open_with_files(open_wire, tmp_path)

        def rotate() -> None:
            write(tmp_path, NEW[what])
            rig.server.key = NEW[what]

        while_in_flight(rig, 16, rotate)
        assert summary_of(rig, concurrency=16).bytes == bytes_of(UPLOADS_HELD)
        assert rig.traffic.failures == {}
        assert received(rig) == rig.traffic.requests
        assert 60 + 16 <= rig.traffic.requests[PARTS] <= 60 + 2 * 16

    def test_that_are_replaced_between_two_pages_lose_nothing(self, open_wire: Opener, tmp_path: Path):
        rig = open_with_files(open_wire, tmp_path)
        rig.retarget(scan=replace(rig.target.scan, page_size=10))

        def rotate(request: Request) -> None:
            if request.argument("key-marker"):
                write(tmp_path, NEW["secret"])
                rig.server.key = NEW["secret"]

        answering(rig, rotate, UPLOADS)
        assert len(rig.ids()) == 60
        assert rig.traffic.failures == {}
        assert rig.traffic.requests == {UPLOADS: 6 + 1}

    def test_that_stay_wrong_are_not_asked_about_again(self, open_wire: Opener, tmp_path: Path):
        rig = open_with_files(open_wire, tmp_path)

        def rotate() -> None:
            rig.server.key = NEW["secret"]

        while_in_flight(rig, 16, rotate)
        result = scan(rig, concurrency=16)
        assert (result.summary.uploads, result.summary.unsized) == (60, 60)
        assert "SignatureDoesNotMatch" in result.warning
        assert received(rig) == rig.traffic.requests
        assert rig.traffic.failures == {(PARTS, Reason.CREDENTIALS): rig.traffic.requests[PARTS]}
        assert rig.traffic.requests[PARTS] <= 60

    def test_that_change_to_wrong_ones_are_asked_about_twice_at_most(self, open_wire: Opener, tmp_path: Path):
        rig = open_with_files(open_wire, tmp_path)
        rig.ids()
        rig.server.key = NEW["secret"]
        write(tmp_path, replace(OLD, secret="neither"))
        rig.standin.forget()
        assert refused(rig).reason == Reason.CREDENTIALS
        assert len(rig.standin.requests) <= 2

    def test_one_that_vanishes_fails_the_calls_that_need_it(self, open_wire: Opener, tmp_path: Path):
        rig = open_with_files(open_wire, tmp_path)

        def vanish() -> None:
            (tmp_path / "secret").unlink()
            rig.server.key = NEW["secret"]

        while_in_flight(rig, 4, vanish)
        result = scan(rig, concurrency=4)
        assert (result.summary.uploads, result.summary.unsized) == (60, 60)
        assert received(rig) == rig.traffic.requests


class TestChain:
    def test_temporary_keys_are_fetched_anew_where_the_old_ones_are_refused(
        self, open_wire: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        said, log = tmp_path / "said", tmp_path / "log"
        swap(said, process_output(OLD))
        config = f"[profile temporary]\ncredential_process = sh -c 'echo >> {log}; cat {said}'\n"
        swap(tmp_path / "config", config)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        rig = open_wire(credentials=Credentials(profile="temporary"))
        rig.server.key = OLD
        rig.fill(UPLOADS_HELD)
        new = Key("ASIANEW7EXAMPLE", "new-secret", "new-token")

        def rotate() -> None:
            swap(said, process_output(new))
            rig.server.key = new

        while_in_flight(rig, 8, rotate)
        assert summary_of(rig, concurrency=8).bytes == bytes_of(UPLOADS_HELD)
        assert rig.traffic.failures == {}
        assert len(log.read_text().splitlines()) < 40  # not once per call


def process_output(key: Key) -> str:
    """Return what a credential process says; the SDK asks again for keys that end so soon."""
    expiration = datetime.now(UTC) + timedelta(minutes=5)
    said = {
        "Version": 1,
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.token,
        "Expiration": expiration.isoformat(),
    }
    return json.dumps(said)


class TestWhatIsSigned:
    def test_token_payer_and_owner_go_with_both_calls_under_the_signature(self, open_wire: Opener):
        keys = Credentials(None, Secret(OLD.access_key_id), Secret(OLD.secret), Secret(OLD.token))
        rig = open_wire(credentials=keys, request_payer="requester", expected_bucket_owner="111122223333")
        rig.server.key = OLD
        rig.server.owners["media"] = "111122223333"
        rig.server.requester_pays.add("media")
        rig.fill(UPLOADS_HELD)
        assert summary_of(rig).bytes == bytes_of(UPLOADS_HELD)
        listed, *_, sized = rig.standin.requests
        for request in (listed, sized):
            signed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
            assert signed.split(";") == [
                "host",
                "x-amz-content-sha256",
                "x-amz-date",
                "x-amz-expected-bucket-owner",
                "x-amz-request-payer",
                "x-amz-security-token",
            ]
            assert request.headers["x-amz-security-token"] == OLD.token

    def test_what_is_not_set_is_not_sent(self, wire: Rig):
        wire.fill(UPLOADS_HELD[:1])
        summary_of(wire)
        for request in wire.standin.requests:
            assert {name for name in request.headers if name.startswith("x-amz-")} == {
                "x-amz-content-sha256",
                "x-amz-date",
            }


class SlowKeys:
    """A boto3 whose keys take so many seconds, by a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 1000.0

    def credentials(self, _deadline: float) -> ReadOnlyCredentials:
        self.now += self.seconds
        return ReadOnlyCredentials(OLD.access_key_id, OLD.secret, OLD.token)


@pytest.mark.parametrize(("seconds", "requests"), [(4.0, 1), (6.0, 0)])
def test_a_call_is_sent_in_the_time_that_its_keys_leave(open_wire: Opener, seconds: float, requests: int):
    rig, slow = open_wire(), SlowKeys(seconds)
    rig.server.key = OLD
    routes = RouteCache(None, Sdk(rig.target, rig.transport, time.time))
    route = routes.get(rig.bucket, time.monotonic() + 10)
    wire = WireTarget(rig.transport, slow.credentials, monotonic=lambda: slow.now)
    calls = WireSession(wire, S3Bucket(rig.bucket, route, routes, rig.target))
    calls.start(PageRequest(rig.bucket, None, None), 1005.0, "label")
    answered: list[CompletedCall] = []
    wait_until("an answer", lambda: answered.extend(calls.completed(0.1)) or answered)
    calls.close()
    ((_, page),) = answered
    assert isinstance(page, StoreError) == (requests == 0)
    assert rig.traffic.requests[UPLOADS] == len(rig.standin.requests) == requests
