"""The list of buckets and the rules of a bucket, asked of a target's own endpoint without boto3."""

import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

import pytest
from contract.rigs import LIFECYCLE, Opener, Rig, failure
from servers.s3 import Upload
from servers.standin import Reply

from exporter.config.credentials import Credentials, Secret
from exporter.model.errors import Reason
from exporter.model.results import AbortRules

HOUR = 3600.0
HOME = "ap-southeast-2"


def ask_buckets(rig: Rig) -> list[str]:
    return [bucket.name for bucket in rig.store.list_buckets(None, time.monotonic() + 10).items]


def ask_rules(rig: Rig) -> object:
    return rig.store.abort_rules(rig.bucket, time.monotonic() + 10)


def test_they_are_signed_with_the_server_s_time_once_a_scan_has_learned_it(wire: Rig):
    def dated(reply: Reply) -> Reply:
        headers = {**reply.headers, "Date": formatdate(time.time() + HOUR, usegmt=True)}
        return replace(reply, headers=headers)

    wire.fill([])
    wire.server.skew = HOUR
    wire.server.answer = lambda _, truly: dated(truly())
    assert wire.ids() == []
    assert (ask_buckets(wire), ask_rules(wire)) == (["media"], AbortRules())
    assert wire.traffic.failures == {}


@pytest.mark.parametrize("ask", [ask_buckets, ask_rules])
@pytest.mark.parametrize("odd", ["\ufeffbyte order mark", "a\x00b"])
def test_keys_that_fit_no_header_send_nothing(open_wire: Opener, ask: Callable[[Rig], object], odd: str):
    rig = open_wire(credentials=Credentials(None, Secret(odd), Secret("secret")))
    error = failure(ask, rig)
    assert (error.reason, rig.standin.requests) == (Reason.CREDENTIALS, [])
    assert odd not in str(error)


def test_a_refusal_names_the_bucket(wire: Rig):
    wire.answer(LIFECYCLE, wire.refusal(400, "InvalidBucketName"))
    assert "media is not a bucket's name" in str(failure(ask_rules, wire))


def test_rules_are_asked_for_in_the_region_that_the_listing_has_found(open_wire: Opener):
    rig = open_wire()
    rig.fill([Upload("key", "id")])
    rig.server.regions["media"] = HOME
    assert rig.ids() == ["id"]
    rig.standin.forget()
    ask_rules(rig)
    [request] = rig.standin.requests
    assert f"/{HOME}/s3/" in request.headers["authorization"]


@pytest.mark.parametrize(("engine", "is_boto3"), [("auto", False), ("wire", False), ("boto3", True)])
@pytest.mark.parametrize("ask", [ask_buckets, ask_rules])
def test_the_engine_boto3_sends_them_itself(
    open_wire: Opener, ask: Callable[[Rig], object], engine: str, *, is_boto3: bool
):
    rig = open_wire(engine=engine)
    rig.fill([])
    ask(rig)
    assert ["Boto3/" in request.headers["user-agent"] for request in rig.standin.requests] == [is_boto3]
