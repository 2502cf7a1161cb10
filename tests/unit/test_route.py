"""Routes: what they send is what botocore sends for the same call, byte for byte and signature for signature.

Each variant is a botocore client whose requests are caught before they leave; a listing makes the route.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
import pycurl
import pytest
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.handlers import validate_bucket_name
from cases import in_turn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from servers.s3 import Key, sigv4_fault
from servers.standin import Reply, StandIn
from servers.standin import Request as Received

from exporter.stores.aws.client import request_headers
from exporter.stores.aws.route import Route, read_route
from exporter.stores.aws.sdk_models import LOADER
from exporter.stores.transport.client import Request
from exporter.stores.transport.url import QueryArgument

KEYS = ReadOnlyCredentials(Key().access_key_id, Key().secret, None)
SESSION = ReadOnlyCredentials("ASIASESSION7EXAMPLE", "another/secret", "IQoJb3JpZ2luX2VjEXAMPLE==")
NOT_KEPT = {"amz-sdk-invocation-id", "amz-sdk-request"}
UPLOADS, PARTS = "ListMultipartUploads", "ListParts"
HEADERS = {"RequestPayer": "requester", "ExpectedBucketOwner": "123456789012"}
PROFILE = {"profile": (None, None, None, None)}  # the environment's is none of ours


class Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


@dataclass
class Oracle:
    """A botocore client of one bucket; what it would have sent is caught."""

    bucket: str
    client: Any
    caught: list[Request] = field(default_factory=list)

    def send(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.caught.append(
            Request(operation, request.method, request.url, request_headers(request), request.body)
        )
        return AWSResponse(request.url, 200, HTTPHeaders.from_dict({}), Body(b"<Result/>"))

    def ask(self, method: str, **parameters: object) -> Request:
        getattr(self.client, method)(Bucket=self.bucket, **parameters)
        return self.caught.pop()

    def uploads(self, **parameters: object) -> Request:
        return self.ask("list_multipart_uploads", **parameters)

    def parts(self, **parameters: object) -> Request:
        return self.ask("list_parts", **parameters)


def connect(
    bucket: str = "media",
    endpoint: str | None = None,
    style: str = "auto",
    region: str = "eu-central-1",
    credentials: ReadOnlyCredentials = KEYS,
    **config: object,
) -> Oracle:
    session = botocore.session.Session(session_vars=PROFILE)
    session.register_component("data_loader", LOADER)
    client = session.create_client(
        "s3",
        region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=Config(s3={"addressing_style": style}, retries={"total_max_attempts": 1}, **config),
    )
    client.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    oracle = Oracle(bucket, client)
    client.meta.events.register("before-send", oracle.send)
    return oracle


ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports"
OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/reports"
LAMBDA = "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/reports"
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "path": {"style": "path"},
    "virtual": {"endpoint": "http://localhost:9000", "style": "virtual"},
    "dual stack": {"use_dualstack_endpoint": True},
    "fips": {"use_fips_endpoint": True, "region": "us-east-1"},
    "china": {"region": "cn-north-1"},
    "access point": {"bucket": ARN},
    "outpost": {"bucket": OUTPOST, "region": "us-west-2"},
    "object lambda": {"bucket": LAMBDA},
    "prefix": {"endpoint": "https://proxy.example/store/s3", "style": "path"},
    "prefix with slash": {"endpoint": "https://proxy.example/store/s3/", "style": "path"},
    "prefix to encode": {"endpoint": "http://proxy.example/a~b/%7Ec+d", "style": "path"},
    "prefix and virtual": {"endpoint": "http://proxy.example/store", "style": "virtual"},
    "prefix with slash and virtual": {"endpoint": "http://proxy.example/store/", "style": "virtual"},
    "address": {"endpoint": "http://127.0.0.1:9000"},
    "ipv6": {"endpoint": "http://[::1]:9000"},
    "ipv6 default port": {"endpoint": "https://[2001:DB8::1]:443"},
    "port": {"endpoint": "https://s3.example:8443"},
    "default port": {"endpoint": "http://s3.example:80"},
    "default port tls": {"endpoint": "https://s3.example:443"},
    "the other's default port": {"endpoint": "http://s3.example:443"},
    "capitals": {"endpoint": "http://S3.Example:9000", "style": "path"},
    "tenant": {"endpoint": "http://127.0.0.1:9000", "bucket": "tenant:media"},
    "old name": {"bucket": "Old_Style.name"},
    "token": {"credentials": SESSION},
}

ODD_KEYS = [
    *("a b+c", "%41", "%", "%2F", "//", "/", "/a", "a/", "a//b", "a" * 1024, "media", "media/a", "?uploads"),
    *(".", "..", "...", "./a", "../a", "a/.", "a/..", "a/../b", "a/./b", "/./a", "/../a"),
    *"~*:;,@!()#'\"\\{}[]|^`<>=&$ \x00\x01\t\n\r\x7f",
    *("#a?b=c&d", "{Key}", "\r\n", " a ", "é", "e\u0301", "文", "\U0001f600", "\u2028", "\ufeff", "\uffff"),
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
keys = st.one_of(
    texts.filter(bool),
    st.lists(st.sampled_from(["a", "/", ".", "..", "%", "%41", "+", " ", "é"]), min_size=1).map("".join),
)


@cache
def oracle_of(variant: str) -> Oracle:
    return connect(**VARIANTS[variant])


@cache
def route_of(variant: str) -> Route:
    return made(oracle_of(variant).uploads())


def made(request: Request) -> Route:
    route = read_route(request)
    assert route is not None
    return route


def named(lines: list[str]) -> dict[str, str]:
    pairs = [line.split(": ", 1) for line in lines]
    values = {name.lower(): value for name, value in pairs}
    assert len(values) == len(lines)
    return values


def moment(request: Request) -> float:
    """Return the second botocore signed in."""
    stamp = dict(request.headers)["X-Amz-Date"]
    return datetime.strptime(stamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC).timestamp()


def same(route: Route, theirs: Request, key: str, *arguments: QueryArgument) -> None:
    """Assert that the route sends the URL and the headers that botocore does, which leaves Host to others."""
    token = dict(theirs.headers).get("X-Amz-Security-Token")
    url, lines = route.request(SESSION if token else KEYS, key, arguments, moment(theirs))
    wanted = {name.lower(): value for name, value in theirs.headers if name.lower() not in NOT_KEPT}
    assert theirs.url == url
    assert {**wanted, "host": route.host, "accept-encoding": "identity"} == named(lines)


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestAgainstBotocore:
    def test_first_page_of_uploads(self, variant: str):
        same(route_of(variant), oracle_of(variant).uploads(), "", ("uploads", None))

    def test_next_page_of_uploads(self, variant: str):
        theirs = oracle_of(variant).uploads(
            Prefix="a b/", KeyMarker="a b/ü+~", UploadIdMarker="id=&", MaxUploads=7
        )
        arguments = [
            ("uploads", None),
            ("prefix", "a b/"),
            ("key-marker", "a b/ü+~"),
            ("upload-id-marker", "id=&"),
            ("max-uploads", 7),
        ]
        same(route_of(variant), theirs, "", *arguments)

    @pytest.mark.parametrize("key", ["dir/key", "/../a b//%41/./é~*", "/"])
    def test_parts(self, variant: str, key: str):
        theirs = oracle_of(variant).parts(Key=key, UploadId="id+ /", PartNumberMarker=10, MaxParts=7)
        arguments = [("uploadId", "id+ /"), ("part-number-marker", "10"), ("max-parts", "7")]
        same(route_of(variant), theirs, key, *arguments)

    def test_headers_that_the_target_asks_for(self, variant: str):
        oracle = oracle_of(variant)
        route = made(oracle.uploads(**HEADERS))
        same(route, oracle.uploads(**HEADERS), "", ("uploads", None))
        same(route, oracle.parts(Key="k", UploadId="id", **HEADERS), "k", ("uploadId", "id"))

    @pytest.mark.parametrize("variant", ["path", "virtual", "prefix with slash and virtual"])
    @in_turn("key", ODD_KEYS)
    def test_odd_keys(self, variant: str, key: str):
        theirs = oracle_of(variant).parts(Key=key, UploadId=key)
        same(route_of(variant), theirs, key, ("uploadId", key))

    @settings(deadline=None)
    @given(st.sampled_from(["path", "virtual", "prefix"]), keys, texts)
    @example("path", "..", "")
    def test_any_key_and_upload_id(self, variant: str, key: str, upload_id: str):
        theirs = oracle_of(variant).parts(Key=key, UploadId=upload_id)
        same(route_of(variant), theirs, key, ("uploadId", upload_id))

    @settings(deadline=None)
    @given(st.sampled_from(["path", "virtual", "prefix"]), texts, texts, texts)
    def test_any_prefix_and_markers(self, variant: str, prefix: str, key_marker: str, id_marker: str):
        theirs = oracle_of(variant).uploads(Prefix=prefix, KeyMarker=key_marker, UploadIdMarker=id_marker)
        arguments = [("uploads", None), ("prefix", prefix), ("key-marker", key_marker)]
        same(route_of(variant), theirs, "", *arguments, ("upload-id-marker", id_marker))

    def test_the_order_of_arguments_is_the_callers(self):
        theirs = oracle_of("path").uploads(MaxUploads=1, Prefix="a")
        same(route_of("path"), theirs, "", ("uploads", None), ("max-uploads", 1), ("prefix", "a"))

    def test_a_name_that_begins_another_is_sorted_before_it(self):
        arguments = [("key-marker", "b"), ("key", "a"), ("uploads", None)]
        assert fault_of(*route_of("path").request(KEYS, "", arguments, 0)) is None


def fault_of(url: str, lines: list[str], now: float = 0) -> tuple[int, str, str] | None:
    """Return what a server finds wrong with a request's signature."""
    received = Received("GET", "/" + url.partition("://")[2].partition("/")[2], named(lines))
    return sigv4_fault(received, Key(), S3SigV4Auth, now)


class TestWhatIsLearned:
    @pytest.mark.parametrize(
        ("variant", "region", "host", "url"),
        [
            ("default", "eu-central-1", "media.s3.eu-central-1.amazonaws.com", "https://{}/"),
            ("path", "eu-central-1", "s3.eu-central-1.amazonaws.com", "https://{}/media"),
            ("access point", "eu-west-1", "reports-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "https://{}/"),
            ("ipv6 default port", "eu-central-1", "[2001:db8::1]", "https://[2001:DB8::1]:443/media"),
            ("prefix", "eu-central-1", "proxy.example", "https://{}/store/s3/media"),
            ("default port", "eu-central-1", "s3.example", "http://s3.example:80/media"),
        ],
    )  # fmt: skip
    def test_region_host_and_url(self, variant: str, region: str, host: str, url: str):
        route = route_of(variant)
        assert (route.region, route.host) == (region, host)
        assert f"{route.origin}{route.bucket_path}" == url.format(host)

    def test_the_service_is_the_scopes(self):
        _, lines = route_of("object lambda").request(KEYS, "", [("uploads", None)], 0)
        assert "/19700101/eu-west-1/s3-object-lambda/aws4_request" in lines[0]

    def test_the_user_agent_travels_unsigned(self):
        request = oracle_of("path").uploads()
        _, lines = made(request).request(KEYS, "", [], 0)
        assert f"User-Agent: {dict(request.headers)['User-Agent']}" in lines
        assert "user-agent" not in lines[0]

    def test_the_hash_of_the_body_is_kept_as_it_was(self):
        request = with_headers(oracle_of("path").uploads(), X_Amz_Content_SHA256="UNSIGNED-PAYLOAD")
        url, lines = made(request).request(KEYS, "", [("uploads", None)], 0)
        assert named(lines)["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
        assert fault_of(url, lines) is None

    def test_credentials_are_the_callers_not_the_first_requests(self):
        route = route_of("token")
        assert fault_of(*route.request(KEYS, "", [("uploads", None)], 0)) is None

    def test_an_access_key_may_hold_slashes(self):
        odd = KEYS._replace(access_key="a/b/20260101/c")
        assert made(connect(credentials=odd).uploads()).region == "eu-central-1"

    def test_nothing_of_it_changes_or_shows_a_key(self):
        route = made(connect(credentials=SESSION).uploads())
        route.request(SESSION, "", [("uploads", None)], 0)
        with pytest.raises(FrozenInstanceError):
            route.region = "elsewhere"
        assert [secret for secret in SESSION[:3] if secret in f"{route!r}{route}"] == []

    def test_a_text_without_utf_8_is_refused(self):
        with pytest.raises(UnicodeEncodeError):
            route_of("path").request(KEYS, "\ud800", [], 0)


def with_headers(request: Request, **changes: str | None) -> Request:
    """Return the request with these headers instead; None takes one away."""
    headers = dict(request.headers)
    for name, value in changes.items():
        headers.pop(name.replace("_", "-"), None)
        if value is not None:
            headers[name.replace("_", "-")] = value
    return replace(request, headers=list(headers.items()))


def authorized(text: str) -> Callable[[Request], Request]:
    return lambda request: with_headers(request, Authorization=text)


SIGV4 = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
NONE_OF_OURS: dict[str, Callable[[Request], Request]] = {
    "no signature": lambda request: with_headers(request, Authorization=None),
    "signature 2": authorized("AWS AKIA:c2lnbmF0dXJl"),
    "signature 4a": authorized(
        "AWS4-ECDSA-P256-SHA256 Credential=AKIA/20260101/s3/aws4_request, SignedHeaders=host, Signature=0"
    ),
    "streams": authorized(SIGV4.replace("SHA256", "SHA256-PAYLOAD")),
    "no region": authorized(SIGV4.replace("eu-central-1/", "")),
    "another end of the scope": authorized(SIGV4.replace("aws4_request", "aws5_request")),
    "something before": authorized(f"X {SIGV4}"),
    "session of a directory bucket": lambda request: with_headers(request, X_Amz_S3session_Token="token"),
    "presigned": lambda request: replace(
        with_headers(request, Authorization=None, X_Amz_Content_SHA256=None),
        url=f"{request.url}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0",
    ),
    "no hash of the body": lambda request: with_headers(request, X_Amz_Content_SHA256=None),
    "another method": lambda request: replace(request, method="HEAD"),
    "a body": lambda request: replace(request, body=b"<x/>"),
    "a key's request": lambda request: replace(request, operation=PARTS),
    "a session's request": lambda request: replace(request, operation="CreateSession"),
}


class TestNoRoute:
    @pytest.mark.parametrize("change", NONE_OF_OURS.values(), ids=NONE_OF_OURS)
    def test_where_the_signing_is_not_ours(self, change: Callable[[Request], Request]):
        request = oracle_of("path").uploads()
        assert read_route(request) is not None
        assert read_route(change(request)) is None

    def test_the_crafted_signature_is_one_of_ours(self):
        assert read_route(authorized(SIGV4)(oracle_of("path").uploads())) is not None

    def test_directory_buckets(self):
        oracle = connect(bucket="logs--use1-az4--x-s3", region="us-east-1")
        with pytest.raises(KeyError):  # the empty answer holds no session
            oracle.uploads()
        (session,) = oracle.caught
        assert (session.operation, read_route(session)) == ("CreateSession", None)

    def test_unsigned_client(self):
        oracle = connect(signature_version=botocore.UNSIGNED)
        assert read_route(oracle.uploads()) is None


class TestOnTheWire:
    """What libcurl makes of URL and lines is still what was signed."""

    @pytest.mark.parametrize("variant", ["path", "prefix"])
    @in_turn("key", ODD_KEYS)
    def test_a_server_finds_nothing_wrong(self, variant: str, key: str):
        with StandIn(lambda request: Reply(200, {}, b"")) as server:
            origin = f"http://localhost:{server.port}"
            route = replace(route_of(variant), origin=origin)
            url, lines = route.request(KEYS, key, [("uploadId", key), ("max-parts", 1)], 0)
            get(url, lines)
            (received,) = server.requests
        assert sigv4_fault(received, Key(), S3SigV4Auth, 0) is None
        assert f"{origin}{received.target}" == url
        assert {**named(lines), "accept": "*/*"} == received.headers


def get(url: str, lines: list[str]) -> None:
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.HTTPHEADER, lines)
    handle.setopt(pycurl.PATH_AS_IS, 1)
    handle.setopt(pycurl.PROXY, "")
    handle.perform()
    handle.close()
