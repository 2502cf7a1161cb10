"""The endpoint of a target with its own keys: it is asked where botocore would ask, and signed alike.

The oracle is the way of every other target: botocore prepares the request, which is not sent.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from botocore.auth import SIGV4_TIMESTAMP
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from cases import in_turn
from fakes import Recorder
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.credentials import AssumeRole, Credentials, Secret
from exporter.config.settings import StoreKind, TargetSettings
from exporter.model.errors import StoreError
from exporter.stores.aws.client import AwsClient
from exporter.stores.aws.keys import Keys
from exporter.stores.aws.route import Route
from exporter.stores.s3.endpoint import Endpoint, read_endpoint
from exporter.stores.transport.client import Request, Transport
from exporter.stores.transport.url import QueryArgument

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "secret", None)
OWN = Credentials(None, Secret(KEYS.access_key), Secret(KEYS.secret_key))
NO_FILES = {"AWS_CONFIG_FILE": "/nowhere/config", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials"}
NOT_COMPARED = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}
ARGUMENTS: dict[str, list[QueryArgument]] = {
    "list_multipart_uploads": [("uploads", None)],
    "get_bucket_lifecycle_configuration": [("lifecycle", None)],
    "list_buckets": [],
}
OPERATIONS = {
    "list_multipart_uploads": "ListMultipartUploads",
    "get_bucket_lifecycle_configuration": "GetBucketLifecycleConfiguration",
    "list_buckets": "ListBuckets",
}
KNOWN_NAMES = [
    *("media", "a.b.c", "a_b", "A_b.c", "tenant:media", ":media", "$tenant:media", "t:b:c", "-", "a", "ab"),
    *("1.2.3.4", "1.2.3", "a..b", "a-.b", "-a", "a-", "..", "a/b", "a b", "ä", "%2e", "x" * 64, "s3"),
    *("media-s3alias", "logs--use1-az4--x-s3", "a--op-s3", "a--ol-s3", "a--xa-s3", "arn:x"),
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports",
]
VARIABLES = sorted(
    name
    for _, found, _, _ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()
    if isinstance(name := found, str) and name != "AWS_CSM_ENABLED"  # it sends statistics elsewhere
)
hosts = st.sampled_from(
    [
        *("localhost", "127.0.0.1", "1.2.3", "[::1]", "[2001:DB8::1]", "S3.Example", "a-b.c-d.e", "a_b"),
        *("s3.eu-west-1.amazonaws.com", "s3-accelerate.amazonaws.com", "a..b", "-a", "a.", "obs.test"),
    ]
)
ports = st.sampled_from(["", ":80", ":443", ":9000", ":65535", ":080"])
paths = st.sampled_from(
    ["", "/", "/s3", "/a/s3/", "/v1.0", "/a~b", "/a/../b", "//", "/a%20b", "/..", "/a//b"]
)
urls = st.builds("{}://{}{}{}".format, st.sampled_from(["http", "https"]), hosts, ports, paths)
names = st.one_of(st.sampled_from(KNOWN_NAMES), st.text("abZ019.-_:/%", min_size=1, max_size=12))
REGIONS = [
    None,
    "us-east-1",
    "RegionOne",
    "garage",
    "cn-north-1",
    "aws-global",
    "us-gov-west-1-fips",
    "1",
    "-a",
]
regions = st.sampled_from(REGIONS)
styles = st.sampled_from(["auto", "path", "virtual"])


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NO_FILES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


def target(url: str | None = "http://localhost:9000", **changes: object) -> TargetSettings:
    wanted: dict[str, object] = {"region": "eu-west-1", "credentials": OWN} | changes
    return TargetSettings("test", StoreKind.S3, (), endpoint_url=url, **wanted)  # type: ignore[arg-type]


def by_sdk(asked: TargetSettings, method: str, parameters: Mapping[str, str]) -> Request | None:
    """Return what botocore would send, None where it sends something else first or refuses."""
    transport = Transport(Recorder(), Event())
    client = AwsClient(asked, "s3", transport, lambda _: ("", ""), b"<Result/>", clock=time.time)
    try:
        with transport.call(OPERATIONS[method], time.monotonic() + 10) as call:
            return client.prepare(call, method, dict(parameters))
    except StoreError:
        return None


def route_of(endpoint: Endpoint, method: str, bucket: str) -> Route | None:
    if method == "list_buckets":
        return endpoint.account()
    return endpoint.pages(bucket) if "uploads" in method else endpoint.rules(bucket, endpoint.region)


def compare(asked: TargetSettings, method: str, **parameters: str) -> bool:
    """Assert that what is sent is what botocore would send; return whether it is sent without botocore."""
    endpoint = read_endpoint(asked)
    route = endpoint and route_of(endpoint, method, parameters.get("Bucket", ""))
    if route is None:
        return False
    theirs = by_sdk(asked, method, parameters)
    assert theirs is not None
    headers = {name.lower(): value for name, value in theirs.headers}
    now = datetime.strptime(headers["x-amz-date"], SIGV4_TIMESTAMP).replace(tzinfo=UTC).timestamp()
    url, lines = route.request(KEYS, "", ARGUMENTS[method], now)
    ours = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert theirs.url == url
    assert {name: headers[name] for name in headers.keys() - NOT_COMPARED} == {
        name: ours[name] for name in ours.keys() - NOT_COMPARED
    }
    return True


class TestAgainstBotocore:
    @in_turn("bucket", KNOWN_NAMES)
    @pytest.mark.parametrize("style", ["auto", "virtual"])
    @pytest.mark.parametrize("url", ["http://localhost:9000", "https://s3.example", "http://127.0.0.1/s3"])
    def test_every_kind_of_name(self, url: str, style: str, bucket: str):
        compare(target(url, addressing_style=style), "list_multipart_uploads", Bucket=bucket)

    @pytest.mark.parametrize("region", REGIONS)
    def test_every_kind_of_region(self, region: str | None):
        compare(target(region=region), "list_multipart_uploads", Bucket="media")

    @settings(deadline=None, max_examples=50)
    @given(urls, names, regions, styles)
    def test_any_url_name_region_and_style(self, url: str, bucket: str, region: str | None, style: str):
        asked = target(url, region=region, addressing_style=style)
        compare(asked, "list_multipart_uploads", Bucket=bucket)

    @settings(deadline=None, max_examples=20)
    @given(urls)
    def test_the_account_at_any_url(self, url: str):
        compare(target(url), "list_buckets")

    def test_headers_that_the_target_asks_for_go_with_the_calls_that_know_them(self):
        owner = {"ExpectedBucketOwner": "123456789012"}
        asked = target(request_payer="requester", expected_bucket_owner="123456789012")
        pages = compare(asked, "list_multipart_uploads", Bucket="media", RequestPayer="requester", **owner)
        rules = compare(asked, "get_bucket_lifecycle_configuration", Bucket="media", **owner)
        assert (pages, rules, compare(asked, "list_buckets")) == (True, True, True)

    @pytest.mark.parametrize("name", VARIABLES)
    @pytest.mark.parametrize("value", ["true", "standard", "eu-west-9", "sigv4a"])
    def test_every_variable_of_the_environment_that_botocore_reads(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ):
        monkeypatch.setenv(name, value)
        asked = target(region=None)
        if by_sdk(asked, "list_multipart_uploads", {"Bucket": "media"}) is not None:
            compare(asked, "list_multipart_uploads", Bucket="media")


class TestWithoutBotocore:
    @pytest.mark.parametrize("bucket", ["media", "a.b", "Old_Name", "tenant:media", "media-s3alias"])
    @pytest.mark.parametrize("url", ["http://localhost:9000", "https://s3.example/store/", "https://[::1]"])
    @pytest.mark.parametrize("style", ["auto", "path"])
    def test_are_the_usual_targets(self, url: str, style: str, bucket: str):
        asked = target(url, addressing_style=style)
        assert compare(asked, "list_multipart_uploads", Bucket=bucket)

    def test_is_a_bucket_in_the_host_name(self):
        asked = target("http://s3.example:9000", addressing_style="virtual")
        assert compare(asked, "list_multipart_uploads", Bucket="a.b")

    def test_is_the_region_of_the_environment(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
        assert compare(target(region=None), "list_multipart_uploads", Bucket="media")


ROLE = AssumeRole("arn:aws:iam::123456789012:role/reader")


class TestLeftToBotocore:
    @pytest.mark.parametrize(
        "changes",
        [
            {"url": None},
            {"url": "https://s3.eu-west-1.amazonaws.com"},
            {"credentials": Credentials()},
            {"credentials": Credentials(profile="ops")},
            {"credentials": Credentials(None, OWN.access_key_id, OWN.secret_access_key, assume_role=ROLE)},
            {"region": "aws-global"},
            {"url": "http://127.0.0.1:9000", "addressing_style": "virtual"},
        ],
    )
    def test_is_what_needs_its_chain_or_its_endpoints(self, changes: dict[str, object]):
        assert read_endpoint(target(**changes)) is None  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", NO_FILES)
    def test_is_every_target_where_the_sdk_has_a_config_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
    ):
        (tmp_path / "file").touch()
        monkeypatch.setenv(name, str(tmp_path / "file"))
        assert read_endpoint(target()) is None

    def test_is_every_target_where_the_sdk_names_an_application(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_SDK_UA_APP_ID", "watcher")
        assert read_endpoint(target()) is None

    def test_is_a_name_of_a_special_kind(self):
        endpoint = read_endpoint(target())
        assert endpoint is not None
        special = ["logs--use1-az4--x-s3", "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports", "a/b"]
        assert [endpoint.pages(name) for name in special] == [None, None, None]


@pytest.mark.parametrize("where", ["~no-such-user/config", "x" * 5000], ids=["home", "long"])
def test_config_files_that_cannot_be_looked_for_are_not_there(where):
    names = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    assert read_endpoint(target(), dict.fromkeys(names, where)) is not None
