"""Keys that the SDK's chain gets from a service (STS): its hiccups are survived by both engines alike."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contract.rigs import Opener, Rig, failure
from contract.scans import Together, answering, bytes_of, scan, sized_uploads, summary_of
from servers.s3 import Key, Listing, iso
from servers.standin import Reply, Request, StandIn

from exporter.config.credentials import Credentials
from exporter.model.errors import Reason
from exporter.stores.aws.credentials import REFUSAL_VALID_SECONDS
from exporter.stores.s3.store import S3Store

HELD = sized_uploads(40)
ROLE = Key("ASIAROLE7EXAMPLE", "role-secret", "role-token")
CONFIG = """\
[profile base]
aws_access_key_id = AKIABASE7EXAMPLE
aws_secret_access_key = base-secret
[profile role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = base
"""


def session(key: Key, seconds: float = 3600.0) -> Reply:
    """Return what STS answers to AssumeRole."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    fields = {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.token,
        "Expiration": iso(until.timestamp()),
    }
    result = Listing("AssumeRoleResult", {}, "Credentials", [dict(fields)], namespace="").xml()
    inner = result.partition(b"\n")[2].decode()
    return Reply(
        200, {"Content-Type": "text/xml"}, f"<AssumeRoleResponse>{inner}</AssumeRoleResponse>".encode()
    )


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Reply]]:
    """Give the answers of a service that hands out sessions, one after the other; the last one stays."""
    answers = [session(ROLE)]
    (tmp_path / "config").write_text(CONFIG)
    with StandIn(lambda _: answers.pop(0) if len(answers) > 1 else answers[0]) as server:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield answers


def open_role(open_rig: Opener) -> Rig:
    rig = open_rig(credentials=Credentials(profile="role"))
    rig.server.key = ROLE
    rig.fill(HELD)
    return rig


def test_a_role_is_assumed_once_for_many_calls(open_engine: Opener, sts: list[Reply]):
    rig = open_role(open_engine)
    for _ in range(2):
        assert summary_of(rig).bytes == bytes_of(HELD)
    assert rig.traffic.requests["AssumeRole"] == 1


@pytest.mark.parametrize("hiccup", [Reply(reset=True), Reply(raw=b"")])
def test_a_broken_connection_to_it_is_tried_again(open_engine: Opener, sts: list[Reply], hiccup: Reply):
    sts.insert(0, hiccup)
    assert summary_of(open_role(open_engine)).bytes == bytes_of(HELD)


def test_no_answer_from_it_is_tried_again(open_engine: Opener, sts: list[Reply]):
    sts.insert(0, Reply(hang=True))
    rig = open_role(open_engine)
    assert summary_of(rig, request_timeout=1.0).bytes == bytes_of(HELD)


@pytest.mark.parametrize("status", [403, 500, 503])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"<ErrorResponse/>"])
def test_its_refusal_is_the_scan_s(open_engine: Opener, sts: list[Reply], status: int, body: bytes):
    sts[:] = [Reply(status, {}, body)]
    rig = open_role(open_engine)
    assert failure(scan, rig).reason == Reason.CREDENTIALS
    assert rig.standin.requests == []


def test_a_role_is_taken_with_the_keys_that_a_file_has_now(
    open_engine: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expired = Reply(
        403,
        {"Content-Type": "text/xml"},
        b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>No.</Message></Error></ErrorResponse>",
    )

    def answer(request: Request) -> Reply:
        return session(ROLE) if "AKIANEW" in request.headers["authorization"] else expired

    config, ahead = tmp_path / "config", [0.0]
    config.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with StandIn(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        rig = open_role(open_engine)
        rig.make_store = lambda target, transport: S3Store(target, transport, lambda: time.time() + ahead[0])
        rig.retarget()
        assert "ExpiredToken" in str(failure(scan, rig))
        config.write_text(CONFIG.replace("AKIABASE", "AKIANEW"))
        ahead[0] = REFUSAL_VALID_SECONDS + 1
        assert summary_of(rig).bytes == bytes_of(HELD)


def test_a_session_that_is_revoked_before_its_time_is_replaced(open_engine: Opener, sts: list[Reply]):
    rig = open_role(open_engine)
    assert summary_of(rig).bytes == bytes_of(HELD)
    rig.server.key = Key("ASIAOTHER7EXAMPLE", "other-secret", "other-token")
    sts[:] = [session(rig.server.key)]
    assert summary_of(rig).bytes == bytes_of(HELD)
    assert rig.traffic.failures == {}


def test_a_session_that_is_revoked_is_replaced_in_the_middle_of_a_scan(open_wire: Opener, sts: list[Reply]):
    other = Key("ASIAOTHER7EXAMPLE", "other-secret", "other-token")
    sts[:] = [session(ROLE, 300)]  # so soon before its end the SDK asks for another one each time
    rig = open_role(open_wire)

    def revoke() -> None:
        sts[:] = [session(other)]
        rig.server.key = other

    together = Together(8, revoke)
    answering(rig, lambda _: together.hold())
    assert summary_of(rig, concurrency=8).bytes == bytes_of(HELD)
    assert rig.traffic.failures == {}
