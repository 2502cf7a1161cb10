"""The command that aborts an upload: every setting of the target that matters, and no key that does harm."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from cases import in_turn
from hostile import MALICIOUS_KEYS

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import TlsSettings
from exporter.model.abort import AbortCommand
from exporter.model.uploads import Upload
from exporter.stores.abort_command import abort_commands, command_line

S3 = TargetSettings("prod", StoreKind.S3, ())
KEYS = Credentials(access_key_id=Secret("AKIAIOSFODNN7EXAMPLE"), secret_access_key=Secret("hush"))


MEDIA = BucketSettings("media")
OBS = replace(S3, store=StoreKind.OBS, endpoint_url="https://obs.eu-1.myhuaweicloud.eu")
GLACIER = replace(S3, store=StoreKind.GLACIER)
LIST, IDS = "aws s3api list-multipart-uploads --bucket=media", "--output=text --query=Uploads[].UploadId"
LIST_VAULT = "aws glacier list-multipart-uploads --account-id=- --vault-name=media"


def commands(
    target: TargetSettings,
    key: str = "a b",
    upload_id: str = "id~1",
    bucket: BucketSettings = MEDIA,
    signing_region: str = "",
) -> AbortCommand:
    return abort_commands(target, bucket, Upload(key, upload_id), signing_region)


def command(target: TargetSettings, key: str = "a b", upload_id: str = "id~1") -> str:
    return command_line(commands(target, key, upload_id))


def test_s3():
    assert command(S3) == "aws s3api abort-multipart-upload --bucket=media '--key=a b' '--upload-id=id~1'"


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({"region": "eu-west-1"}, "--region=eu-west-1"),
        ({"endpoint_url": "https://s3.example.com:8443"}, "--endpoint-url=https://s3.example.com:8443"),
        ({"proxy_url": "http://proxy:3128"}, ""),
        ({"credentials": Credentials(profile="my team")}, "'--profile=my team'"),
        ({"credentials": KEYS}, ""),
        ({"request_payer": "requester"}, "--request-payer=requester"),
        ({"expected_bucket_owner": "111122223333"}, "--expected-bucket-owner=111122223333"),
        ({"tls": TlsSettings(ca_file=Path("/etc/ca.pem"))}, "--ca-bundle=/etc/ca.pem"),
        ({"tls": TlsSettings(insecure_skip_verify=True)}, "--no-verify-ssl"),
    ],
)
def test_it_asks_where_and_how_the_target_is_asked(settings: dict[str, object], flags: str):
    proxy = settings.get("proxy_url")
    through = f"env http_proxy={proxy} https_proxy={proxy} no_proxy= " if proxy else ""
    assert f"{through}{command(S3)} {flags}".strip() == command(replace(S3, **settings))


def test_a_proxy_s_password_is_left_to_whoever_runs_it():
    assert command(S3) == command(replace(S3, proxy_url="http://me:hush@proxy:3128"))


@pytest.mark.parametrize(
    ("endpoint", "style", "needed"),
    [
        (None, "auto", ""),
        (None, "virtual", ""),
        (None, "path", "path"),
        ("https://s3.example.com", "auto", ""),
        ("https://s3.example.com", "path", ""),
        ("https://s3.example.com", "virtual", "virtual"),
    ],
)
def test_an_addressing_style_that_the_aws_cli_would_not_choose_is_told(
    endpoint: str | None, style: str, needed: str
):
    target = replace(S3, endpoint_url=endpoint, addressing_style=style)
    assert needed == commands(target).addressing_style
    told = f"  # needs s3.addressing_style = {needed} in the config of the AWS CLI" if needed else ""
    assert command(replace(S3, endpoint_url=endpoint)) + told == command(target)


def test_each_of_several_nodes_is_asked_in_turn():
    both = command(replace(S3, endpoint_urls=("https://one.example.com", "https://two")))
    expected = [f"{command(S3)} --endpoint-url={url}" for url in ("https://one.example.com", "https://two")]
    assert expected == both.split(" || ")


def test_several_nodes_are_asked_in_the_addressing_style_of_the_target():
    several = replace(S3, endpoint_urls=("https://one", "https://two"))
    styles = [
        commands(replace(several, addressing_style=style)).addressing_style for style in ("path", "virtual")
    ]
    assert styles == ["", "virtual"]


@pytest.mark.parametrize(
    ("target", "bucket", "expected"),
    [
        (S3, MEDIA, "signed"),
        (S3, BucketSettings("media", region="found"), "found"),
        (replace(S3, region="set"), MEDIA, "set"),
        (replace(S3, region="set"), BucketSettings("media", region="found"), "found"),
        (replace(S3, endpoint_url="http://ceph"), BucketSettings("media", region="found"), "signed"),
        (GLACIER, MEDIA, "signed"),
    ],
)
def test_the_region_is_that_of_the_bucket_where_the_scan_took_it(
    target: TargetSettings, bucket: BucketSettings, expected: str
):
    [words] = commands(target, bucket=bucket, signing_region="signed").calls
    assert [f"--region={expected}"] == [word for word in words if word.startswith("--region=")]


def test_uploads_to_a_bucket_of_another_region_are_aborted_at_its_own_obs_server():
    [words] = commands(OBS, bucket=BucketSettings("media", region="eu-2")).calls
    assert words[-1] == "-e=https://obs.eu-2.myhuaweicloud.eu"


@pytest.mark.parametrize(
    ("target", "prefix", "expected"),
    [
        (
            S3,
            None,
            "aws s3api list-multipart-uploads --bucket=media --output=text --query=Uploads[].UploadId",
        ),
        (
            replace(S3, endpoint_url="https://ceph", request_payer="requester"),
            "a/",
            f"{LIST} --prefix=a/ --endpoint-url=https://ceph --request-payer=requester {IDS}",
        ),
        (
            replace(GLACIER, region="eu-west-1"),
            None,
            f"{LIST_VAULT} --region=eu-west-1 --output=text --query=UploadsList[].MultipartUploadId",
        ),
        (replace(S3, endpoint_urls=("https://one", "https://two")), None, ""),
        (OBS, None, ""),
    ],
)
def test_what_the_bucket_holds_is_listed_as_the_scan_did(
    target: TargetSettings, prefix: str | None, expected: str
):
    assert expected == " ".join(commands(target, bucket=replace(MEDIA, prefix=prefix)).inventory)


@pytest.mark.parametrize(
    ("settings", "key", "bucket", "instead"),
    [
        ({}, "k", "acme:media", "to a user of tenant acme the bucket is called media"),
        ({}, "k", "a=b", "refuses the name of this bucket"),
        ({}, "\udcff", "media", "bytes that are not UTF-8"),
        ({"tls": TlsSettings(cert_file=Path("/c"), key_file=Path("/k"))}, "k", "media", "client certificate"),
        ({"proxy_url": "socks5://me:hush@proxy:1"}, "k", "media", "SOCKS proxy"),
        ({"store": StoreKind.OBS, "signature": "v2"}, "k", "media", "version 4 only"),
        ({"store": StoreKind.OBS}, "k\n", "media", "may take this key for another"),
        ({"store": StoreKind.OBS}, " k", "media", "may take this key for another"),
    ],
)
def test_what_no_tool_can_abort_has_a_comment_that_says_what_to_do(
    settings: dict[str, object], key: str, bucket: str, instead: str
):
    told = commands(replace(S3, **settings), key, bucket=BucketSettings(bucket))
    assert (told.calls, instead in told.instead) == ((), True)
    assert re.fullmatch(r"# [\w ,.:-]+", command_line(told))


@pytest.mark.parametrize(
    "bucket", ["media", "Some_Bucket.1", "arn:aws:s3:eu-west-1:123456789012:accesspoint/a"]
)
def test_the_names_of_other_buckets_and_access_points_go_as_they_are(bucket: str):
    [words] = commands(S3, bucket=BucketSettings(bucket)).calls
    assert f"--bucket={bucket}" in words


def test_obs():
    target = replace(S3, store=StoreKind.OBS, endpoint_url="https://obs.example.com", credentials=KEYS)
    expected = "obsutil abort 'obs://media/a b' '-u=id~1' -f -e=https://obs.example.com"
    assert expected == command(target)


def test_what_speaks_s3_behind_an_obs_target_is_asked_as_s3_is():
    target = replace(OBS, endpoint_url="https://ceph.example.com", signature="v4")
    assert command(target).startswith("aws s3api abort-multipart-upload --bucket=media ")
    assert command(target).endswith(" --endpoint-url=https://ceph.example.com")


def test_glacier():
    target = replace(GLACIER, region="eu-central-1")
    expected = "aws glacier abort-multipart-upload --account-id=- --vault-name=media '--upload-id=id~1'"
    assert f"{expected} --region=eu-central-1" == command(target)


@pytest.mark.parametrize(
    "key", ["file:///etc/passwd", "fileb://x", "http://evil/", "https://evil/", "a\0b", "a\nb"]
)
def test_a_key_that_the_aws_cli_would_read_from_elsewhere_goes_as_json(key: str):
    words = shlex.split(command(S3, key))
    assert words[:3] == ["aws", "s3api", "abort-multipart-upload"]
    assert (words[3], len(words)) == ("--cli-input-json", 5)
    assert {"Bucket": "media", "Key": key, "UploadId": "id~1"} == json.loads(words[4])


def test_so_does_an_upload_id():
    words = shlex.split(command(GLACIER, upload_id="file:///etc/passwd"))
    assert json.loads(words[4]) == {"accountId": "-", "vaultName": "media", "uploadId": "file:///etc/passwd"}


@pytest.mark.parametrize("store", StoreKind)
@in_turn("key", MALICIOUS_KEYS)
def test_it_is_one_printable_line_and_no_word_of_it_is_a_flag_of_the_key_s(store: StoreKind, key: str):
    line = command(replace(S3, store=store), key, key)
    assert line.isprintable()
    if key.isprintable() and not line.startswith("#"):
        plain = command(replace(S3, store=store), "key", "id")
        assert len(shlex.split(line)) in {len(shlex.split(plain)), 5}  # 5: as JSON


def test_no_secret_is_in_it():
    assert "hush" not in command(replace(S3, credentials=KEYS))
    assert "AKIA" not in command(replace(S3, credentials=KEYS))
