"""The tags of a bucket, as every store and engine tells them."""

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from contract.rigs import SCAN, Opener, Rig, failure
from servers.standin import Reply

from exporter.model.errors import Reason
from exporter.stores.registry import store_type

TAGS = {"owner": "storage", "cost center": "é <42>", "empty": ""}


def ask(rig: Rig) -> Mapping[str, str]:
    return rig.store.bucket_tags(rig.bucket, time.monotonic() + 10)


def operation(rig: Rig) -> str:
    return store_type(rig.target.store).tags_operation


def test_all_tags_come_with_one_request_under_the_api_s_own_name(rig: Rig):
    rig.server.tags[rig.bucket.name] = TAGS
    assert ask(rig) == TAGS
    assert (rig.traffic.requests, rig.traffic.failures) == ({operation(rig): 1}, {})


def test_a_bucket_without_tags_has_none_and_nothing_failed(rig: Rig):
    assert ask(rig) == {}
    assert (rig.traffic.requests, rig.traffic.failures) == ({operation(rig): 1}, {})


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", Reason.ACCESS_DENIED),
        (501, "NotImplemented", Reason.UNSUPPORTED),
        (404, "NoSuchBucket", Reason.NOT_FOUND),
        (404, "", Reason.BAD_RESPONSE),
        (503, "SlowDown", Reason.THROTTLED),
    ],
)
def test_a_refusal_has_its_reason(kind_rig: Rig, status: int, code: str, reason: Reason):
    kind_rig.answer(operation(kind_rig), kind_rig.refusal(status, code))
    assert failure(ask, kind_rig).reason == reason
    assert kind_rig.traffic.failures == {(operation(kind_rig), reason): 1}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>log in</html>", b"<Tagging>", b"<Tagging/>", b"<LifecycleConfiguration/>"),
        b"<Error><Code>InternalError</Code></Error>",
        b"<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>k</Key></Tag><Tag><Key>k</Key></Tag></TagSet></Tagging>",
    ],
)
def test_an_answer_that_is_none_is_refused(page_rig: Rig, body: bytes):
    page_rig.answer("GetBucketTagging", Reply(200, body=body))
    assert failure(ask, page_rig).reason == Reason.BAD_RESPONSE


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"Tags": []}', b'{"Tags": {"k": 1}}', b'{"code": "X"}'])
def test_an_answer_without_a_vault_s_tags_is_refused(vault: Rig, body: bytes):
    vault.answer("ListTagsForVault", Reply(200, {"Content-Type": "application/json"}, body))
    assert failure(ask, vault).reason == Reason.BAD_RESPONSE


def test_a_set_without_tags_is_none(page_rig: Rig):
    page_rig.answer("GetBucketTagging", Reply(200, body=b"<Tagging><TagSet/></Tagging>"))
    assert ask(page_rig) == {}


def test_it_has_a_deadline(kind_rig: Rig):
    kind_rig.answer(operation(kind_rig), Reply(hang=True))
    error = failure(kind_rig.store.bucket_tags, kind_rig.bucket, time.monotonic() + 0.3)
    assert (error.reason, error.retryable) == (Reason.TIMEOUT, True)


def test_a_bucket_elsewhere_is_followed(open_engine: Opener):
    rig = open_engine(region="us-east-1")
    rig.server.regions[rig.bucket.name] = "eu-west-1"
    rig.server.tags[rig.bucket.name] = TAGS
    assert ask(rig) == TAGS


def test_the_bucket_s_owner_is_checked_and_nobody_else_pays(open_engine: Opener):
    rig = open_engine(expected_bucket_owner="123456789012", request_payer="requester", scan=SCAN)
    ask(rig)
    headers = rig.standin.requests[-1].headers
    assert headers["x-amz-expected-bucket-owner"] == "123456789012"
    assert "x-amz-request-payer" not in headers


def test_the_call_is_named_only_where_it_is_made(kind_rig: Rig):
    asking = kind_rig.make_store(replace(kind_rig.target, tags=("owner",)), kind_rig.transport)
    assert operation(kind_rig) in asking.operations
    assert operation(kind_rig) not in kind_rig.store.operations
