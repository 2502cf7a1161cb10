"""What Ceph's admin API answers and what comes of it: a count of uploads, or why there is none."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import count

import pytest
from contract.rigs import Opener, Rig, failure
from servers.standin import Reply, Request

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason
from exporter.stores.aws.keys import Keys
from exporter.stores.aws.route import make_route
from exporter.stores.aws.sigv4 import PAYLOAD_HEADER
from exporter.stores.engine.wire import WireTarget
from exporter.stores.s3.ceph_admin import CephAdmin

STATISTICS = {
    "bucket": "media",
    "tenant": "",
    "usage": {"rgw.main": {"num_objects": 7}, "rgw.multimeta": {"size": 0, "num_objects": 3}},
}
"""As Ceph 16 answers, without what is not read."""
BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"
NO_SUCH_BUCKET = (
    b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code><BucketName>admin</BucketName></Error>"
)


def in_json(found: object, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(found).encode())


def refused(status: int, code: str) -> Reply:
    return in_json(
        {"Code": code, "Message": "", "RequestId": "tx0", "HostId": "1012-default-default"}, status
    )


def asking(open_rig: Opener, reply: Reply, tenant: str = "", **settings: object) -> Rig:
    """Open a rig whose server has an admin API that gives this reply."""
    rig = open_rig(ceph_admin=True, **settings)

    def answered(request: Request) -> Reply:
        return reply if request.raw_path.endswith("/admin/bucket") else page(tenant)

    rig.server.answer = lambda request, _: answered(request)
    return rig


def page(tenant: str) -> Reply:
    body = f"<ListMultipartUploadsResult>{tenant}<Bucket>media</Bucket></ListMultipartUploadsResult>"
    return Reply(200, {"Content-Type": "application/xml"}, body.encode())


def ask(rig: Rig) -> int:
    return rig.store.reported_uploads(rig.bucket, time.monotonic() + 10)


def test_it_is_asked_for_below_the_endpoint_by_a_signed_request_through_either_engine(open_engine: Opener):
    rig = asking(open_engine, in_json(STATISTICS))
    assert ask(rig) == 3
    listing, asked = rig.standin.requests
    assert (listing.argument("max-uploads"), asked.target) == (
        "1",
        "/admin/bucket?bucket=media&format=json&stats=true",
    )
    assert "/eu-west-1/s3/aws4_request" in asked.headers["authorization"]
    assert rig.traffic.requests == {"ListMultipartUploads": 1, "GetBucketInfo": 1}
    assert ask(rig) == 3
    assert rig.traffic.requests == {"ListMultipartUploads": 1, "GetBucketInfo": 2}


def test_a_bucket_in_the_host_name_is_asked_for_at_the_endpoint_s_own(open_wire: Opener):
    rig = asking(open_wire, in_json(STATISTICS), addressing_style="virtual")
    rig.retarget(endpoint_url=f"{rig.standin.url}/s3/")
    assert ask(rig) == 3
    listing, asked = rig.standin.requests
    assert (listing.host.partition(":")[0], asked.host.partition(":")[0]) == ("media.localhost", "localhost")
    assert asked.raw_path == "/s3/admin/bucket"


@pytest.mark.parametrize(
    ("name", "tenant"), [("acme:media", ""), ("media", "<Tenant>acme</Tenant>"), ("media", "<Tenant/>")]
)
def test_a_tenant_is_the_one_in_the_name_or_the_one_that_the_bucket_s_pages_name(
    open_wire: Opener, name: str, tenant: str
):
    of_tenant = "acme" in name + tenant
    found = STATISTICS | {"tenant": "acme" if of_tenant else ""}
    rig = asking(open_wire, in_json(found), tenant, bucket=BucketSettings(name))
    assert ask(rig) == 3
    assert rig.standin.requests[-1].argument("bucket") == ("acme/media" if of_tenant else "media")


def tenants_asked(rig: Rig) -> int:
    return rig.traffic.requests["ListMultipartUploads"]


def test_whose_a_bucket_is_is_asked_again_once_it_was_no_longer_watched(open_wire: Opener):
    rig = asking(open_wire, in_json(STATISTICS))
    for kept, asked in ((("media",), 1), ((), 2)):
        ask(rig)
        rig.store.keep_only(kept)
        ask(rig)
        assert tenants_asked(rig) == asked


def test_with_other_keys_it_may_be_another_s(open_wire: Opener):
    rig = asking(open_wire, in_json(STATISTICS))
    route = make_route(f"{rig.standin.url}/media", "eu-west-1", "s3", [(PAYLOAD_HEADER, "none")], "test")
    keys = [Keys("a", "secret", None), Keys("b", "secret", None)]
    moments = count(step=10)  # keys are fetched anew each time
    target = WireTarget(rig.transport, lambda _: keys[-1], monotonic=lambda: float(next(moments)))
    admin = CephAdmin(target, rig.standin.url)
    for removed, asked in ((0, 1), (0, 1), (1, 2), (0, 2)):
        del keys[2 - removed :]
        assert admin.reported_uploads("media", route, time.monotonic() + 10) == 3
        assert tenants_asked(rig) == asked


def test_an_index_that_never_had_an_upload_counts_none(open_wire: Opener):
    assert ask(asking(open_wire, in_json(STATISTICS | {"usage": {}}))) == 0


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (refused(403, "AccessDenied"), Reason.ACCESS_DENIED),
        (refused(403, "SignatureDoesNotMatch"), Reason.CREDENTIALS),
        (refused(404, "NoSuchBucket"), Reason.NOT_FOUND),
        (refused(503, "SlowDown"), Reason.THROTTLED),
        (Reply(404, {"Content-Type": "application/xml"}, NO_SUCH_BUCKET), Reason.UNSUPPORTED),
        (Reply(503, {"Content-Type": "application/xml"}, BUSY), Reason.THROTTLED),
        (Reply(403, {"Content-Type": "text/html"}, b"<html>no</html>"), Reason.BAD_RESPONSE),
        (Reply(502, {"Content-Type": "text/html"}, b"<html>no</html>"), Reason.SERVER_ERROR),
    ],
)
def test_a_refusal_has_its_reason_and_one_of_s3_says_that_there_is_no_admin_api(
    open_wire: Opener, reply: Reply, reason: Reason
):
    rig = asking(open_wire, reply)
    error = failure(ask, rig)
    assert error.reason == reason
    assert ("rgw_enable_apis" in str(error)) == (reason == Reason.UNSUPPORTED)
    assert rig.traffic.failures == {("GetBucketInfo", reason): 1}


def counting(number: object) -> dict[str, object]:
    return STATISTICS | {"usage": {"rgw.multimeta": {"num_objects": number}}}


@pytest.mark.parametrize(
    "found",
    [
        *([], [STATISTICS], {}, {"usage": None}, STATISTICS | {"usage": []}),
        *(STATISTICS | {"bucket": "other"}, STATISTICS | {"tenant": "acme"}, {"usage": {}}),
        STATISTICS | {"usage": {"rgw.multimeta": 3}},
        *(counting("3"), counting(3.0), *map(counting, (True, None, {})), counting(-1), counting(2**64 - 13)),
    ],
)
def test_an_answer_that_proves_no_count_is_refused(open_wire: Opener, found: object):
    assert failure(ask, asking(open_wire, in_json(found))).reason == Reason.BAD_RESPONSE


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"{", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_refused(open_wire: Opener, body: bytes):
    assert failure(ask, asking(open_wire, Reply(200, body=body))).reason == Reason.BAD_RESPONSE


def test_without_the_tenant_nothing_is_asked_of_the_admin_api(open_wire: Opener):
    rig = asking(open_wire, in_json(STATISTICS))
    rig.server.answer = lambda _request, _truly: rig.refusal(403, "AccessDenied")
    assert failure(ask, rig).reason == Reason.ACCESS_DENIED
    assert rig.traffic.requests == {"ListMultipartUploads": 1}


def test_the_call_is_named_only_where_it_is_made(wire: Rig):
    rig_of = wire.make_store(replace(wire.target, ceph_admin=True), wire.transport)
    assert "GetBucketInfo" in rig_of.operations
    assert "GetBucketInfo" not in wire.store.operations
    assert failure(ask, wire).reason == Reason.UNSUPPORTED
