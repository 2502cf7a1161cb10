"""Where S3's requests go: path and host, regions and redirects, access points, directory buckets."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from contract.rig_s3 import by_boto3, path_style, virtual_host
from contract.rigs import PARTS, SCAN, UPLOADS, Opener, Part, Rig, Upload, fields, refused
from servers.standin import Reply

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason
from exporter.stores.transport.client import MAX_REQUESTS_PER_CALL

UPLOAD = Upload("dir/k", "id-1", parts=[Part(1, 7)])
ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports"
DIRECTORY = "logs--use1-az4--x-s3"
HOME = "ap-south-1"


@pytest.fixture(params=[path_style, virtual_host, by_boto3])
def open_s3(request: pytest.FixtureRequest) -> Iterator[Opener]:
    with ExitStack() as stack:

        def open_one(**settings: object) -> Rig:
            rig = stack.enter_context(request.param(**settings))
            rig.fill([UPLOAD])
            return rig

        yield open_one


@pytest.fixture(params=[path_style, by_boto3])
def open_path(request: pytest.FixtureRequest) -> Iterator[Opener]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(request.param(**settings))


class TestStyles:
    def test_path(self, open_path: Opener):
        rig = open_path()
        rig.ids()
        (request,) = rig.standin.requests
        assert (request.target, request.host) == ("/media?uploads", f"localhost:{rig.standin.port}")

    @pytest.mark.parametrize("engine", ["wire", "boto3"])
    def test_virtual(self, engine: str):
        with virtual_host(engine=engine) as rig:
            rig.fill([UPLOAD])
            rig.ids()
            rig.size(UPLOAD)
            listed, sized = rig.standin.requests
            assert (listed.target, listed.host) == ("/?uploads", f"media.localhost:{rig.standin.port}")
            assert (sized.raw_path, sized.host) == ("/dir/k", listed.host)

    def test_an_address_takes_the_path_whatever_the_style(self, open_s3: Opener):
        rig = open_s3(name="127.0.0.1")
        assert rig.ids() == ["id-1"]
        assert rig.standin.requests[0].raw_path == "/media"

    @pytest.mark.parametrize("name", ["Old_Style", "tenant:media", "a.b.c", "under_score"])
    def test_names_that_fit_no_host_take_the_path(self, open_path: Opener, name: str):
        rig = open_path(bucket=BucketSettings(name), addressing_style="auto")
        rig.fill([UPLOAD])
        rig.fault(UPLOADS, page=fields(Bucket=name.rpartition(":")[2]))
        assert rig.ids() == ["id-1"]
        assert rig.standin.requests[0].path == f"/{name}"

    @pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 300, "a b"])
    def test_a_name_that_is_none_is_refused(self, open_path: Opener, name: str):
        rig = open_path(bucket=BucketSettings(name))
        rig.server.buckets.clear()
        assert refused(rig).reason in {Reason.UNSUPPORTED, Reason.NOT_FOUND, Reason.BAD_RESPONSE}
        rig.server.refused.clear()


class TestHeaders:
    def test_the_requester_pays_where_he_says_so(self, open_s3: Opener):
        rig = open_s3(request_payer="requester")
        rig.server.requester_pays.add("media")
        assert (rig.ids(), rig.size(UPLOAD).bytes) == (["id-1"], 7)

    def test_and_is_denied_where_not(self, open_s3: Opener):
        rig = open_s3()
        rig.server.requester_pays.add("media")
        assert refused(rig).reason == Reason.ACCESS_DENIED
        assert "x-amz-request-payer" not in rig.standin.requests[0].headers

    @pytest.mark.parametrize(("owner", "allowed"), [("111122223333", True), ("999999999999", False)])
    def test_the_expected_owner(self, open_s3: Opener, owner: str, *, allowed: bool):
        rig = open_s3(expected_bucket_owner="111122223333")
        rig.server.owners["media"] = owner
        if allowed:
            assert (rig.ids(), rig.size(UPLOAD).bytes) == (["id-1"], 7)
        else:
            assert refused(rig).reason == refused(rig, UPLOAD).reason == Reason.ACCESS_DENIED

    def test_the_page_size_is_sent_with_both_calls(self, open_s3: Opener):
        rig = open_s3(scan=replace(SCAN, page_size=5))
        rig.ids()
        rig.size(UPLOAD)
        listed, sized = rig.standin.requests
        assert (listed.argument("max-uploads"), sized.argument("max-parts")) == ("5", "5")


class TestRegions:
    def test_a_redirect_is_followed_and_remembered(self, open_s3: Opener):
        rig = open_s3()
        rig.server.regions["media"] = HOME
        assert rig.ids() == ["id-1"]
        first = sum(rig.traffic.requests.values())
        assert rig.size(UPLOAD).bytes == 7
        assert rig.ids() == ["id-1"]
        assert first == asked_by_itself(rig) + 2
        assert sum(rig.traffic.requests.values()) == first + 2
        assert len(rig.standin.requests) == first + 2

    def test_a_redirect_without_region_is_asked_for(self, open_s3: Opener):
        rig = open_s3()
        elsewhere(rig, Reply(301))
        rig.answer("HeadBucket", Reply(200, {"x-amz-bucket-region": HOME}))
        assert rig.ids() == ["id-1"]
        assert rig.traffic.requests == {UPLOADS: asked_by_itself(rig) + 2, "HeadBucket": 1}

    def test_one_bucket_s_region_is_not_another_s(self, open_path: Opener):
        rig = open_path()
        rig.server.buckets["other"] = [UPLOAD]
        rig.server.regions |= {"media": HOME, "other": "eu-west-1"}
        rig.ids()
        rig.bucket = BucketSettings("other")
        assert rig.ids() == ["id-1"]

    @pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "x" * 50, ""])
    def test_redirects_in_a_circle_are_bounded(self, open_s3: Opener, region: str):
        rig = open_s3()
        redirect = rig.refusal(301, "PermanentRedirect", x_amz_bucket_region=region)
        for operation in (UPLOADS, PARTS, "HeadBucket"):
            rig.answer(operation, redirect)
        for upload in (None, UPLOAD):
            assert refused(rig, upload).reason == Reason.BAD_RESPONSE
        assert len(rig.standin.requests) <= 2 * MAX_REQUESTS_PER_CALL + asked_by_itself(rig)

    def test_redirects_that_alternate_are_bounded(self, open_s3: Opener):
        rig = open_s3()
        turn = iter(range(1000))
        rig.fault(
            UPLOADS,
            reply=lambda _: rig.refusal(
                301, "PermanentRedirect", x_amz_bucket_region=f"eu-west-{next(turn)}"
            ),
        )
        assert refused(rig).reason == Reason.BAD_RESPONSE
        assert len(rig.standin.requests) <= MAX_REQUESTS_PER_CALL + asked_by_itself(rig)

    @pytest.mark.parametrize("header", [HOME, None])
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (400, "AuthorizationHeaderMalformed"),
            (400, "IllegalLocationConstraintException"),
            (301, "PermanentRedirect"),
            (307, "TemporaryRedirect"),
        ],
    )
    def test_a_refusal_that_names_the_region_is_followed(
        self, open_s3: Opener, status: int, code: str, header: str | None
    ):
        rig = open_s3()
        refusal = rig.refusal(status, code)
        named = refusal.body.replace(b"</Error>", f"<Region>{HOME}</Region></Error>".encode())
        elsewhere(rig, replace(refusal, headers={"x-amz-bucket-region": header}, body=named))
        assert (rig.ids(), rig.size(UPLOAD).bytes) == (["id-1"], 7)
        assert f"/{HOME}/s3/" in rig.standin.requests[-1].headers["authorization"]


def elsewhere(rig: Rig, refusal: Reply) -> None:
    """Have the bucket live in another region, of which the server says this and no more."""
    rig.server.regions["media"] = HOME
    rig.fault(UPLOADS, reply=lambda reply: refusal if reply.status == 301 else reply)


def asked_by_itself(rig: Rig) -> int:
    """Return how many requests the wire engine sends before boto3, which follows redirects, sends its own."""
    return int(rig.target.engine == "wire")


class TestAccessPoints:
    @pytest.mark.parametrize("engine", ["wire", "boto3"])
    def test_an_arn_goes_into_the_host_name(self, engine: str):
        with virtual_host(bucket=BucketSettings(ARN), engine=engine) as rig:
            rig.server.buckets["media"] = [UPLOAD]
            rig.server.aliases["reports-123456789012"] = "media"
            assert (rig.ids(), rig.size(UPLOAD).bytes) == (["id-1"], 7)
            assert rig.standin.requests[0].host.startswith("reports-123456789012.localhost")

    def test_an_alias_is_a_name_whose_answer_names_the_bucket(self, open_s3: Opener):
        rig = open_s3(bucket=BucketSettings("reports-abc123-s3alias"))
        rig.server.buckets["media"] = [UPLOAD]
        rig.server.aliases["reports-abc123-s3alias"] = "media"
        assert (rig.ids(), rig.size(UPLOAD).bytes) == (["id-1"], 7)

    @pytest.mark.parametrize("arn", ["arn:aws:s3:eu-west-1:123456789012:nothing/x", "arn:x"])
    def test_an_arn_of_something_else_is_unsupported(self, open_s3: Opener, arn: str):
        rig = open_s3(bucket=BucketSettings(arn))
        assert refused(rig).reason == Reason.UNSUPPORTED
        assert rig.standin.requests == []


@pytest.mark.parametrize("engine", ["auto", "boto3"])
class TestDirectoryBuckets:
    def test_a_session_is_opened_once_and_signs(self, open_s3: Opener, engine: str):
        rig = open_s3(bucket=BucketSettings(DIRECTORY), engine=engine)
        assert (rig.ids(), rig.size(UPLOAD).bytes) == (["id-1"], 7)
        assert rig.traffic.requests == {"CreateSession": 1, UPLOADS: 1, PARTS: 1}
        assert "x-amz-s3session-token" in rig.standin.requests[-1].headers

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (Reply(503), Reason.SERVER_ERROR),
            (Reply(403), Reason.ACCESS_DENIED),
            (Reply(200, {}, b""), Reason.BAD_RESPONSE),
            (Reply(200, {}, b"<html/>"), Reason.BAD_RESPONSE),
        ],
    )
    def test_a_session_that_is_refused(self, open_s3: Opener, engine: str, reply: Reply, reason: Reason):
        rig = open_s3(bucket=BucketSettings(DIRECTORY), engine=engine)
        rig.answer("CreateSession", reply)
        assert refused(rig, retries=0).reason == reason
        assert UPLOADS not in rig.traffic.requests
