"""The command that aborts an upload: every setting of the target that matters, and no key that does harm."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from cases import in_turn
from hostile import MALICIOUS_KEYS

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import StoreKind, TargetSettings, TlsSettings
from exporter.model.uploads import Upload
from exporter.stores.abort_command import abort_command

S3 = TargetSettings("prod", StoreKind.S3, ())
KEYS = Credentials(access_key_id=Secret("AKIAIOSFODNN7EXAMPLE"), secret_access_key=Secret("hush"))


def command(target: TargetSettings, key: str = "a b", upload_id: str = "id~1") -> str:
    return abort_command(target, "media", Upload(key, upload_id))


def test_s3():
    assert command(S3) == "aws s3api abort-multipart-upload --bucket=media '--key=a b' '--upload-id=id~1'"


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({"region": "eu-west-1"}, "--region=eu-west-1"),
        ({"endpoint_url": "https://s3.example.com:8443"}, "--endpoint-url=https://s3.example.com:8443"),
        (
            {"endpoint_urls": ("https://one.example.com", "https://two")},
            "--endpoint-url=https://one.example.com",
        ),
        ({"credentials": Credentials(profile="my team")}, "'--profile=my team'"),
        ({"credentials": KEYS}, ""),
        ({"request_payer": "requester"}, "--request-payer=requester"),
        ({"expected_bucket_owner": "111122223333"}, "--expected-bucket-owner=111122223333"),
        ({"tls": TlsSettings(ca_file=Path("/etc/ca.pem"))}, "--ca-bundle=/etc/ca.pem"),
        ({"tls": TlsSettings(insecure_skip_verify=True)}, "--no-verify-ssl"),
    ],
)
def test_it_asks_where_and_how_the_target_is_asked(settings: dict[str, object], flags: str):
    assert f"{command(S3)} {flags}".strip() == command(replace(S3, **settings))


def test_obs():
    target = replace(S3, store=StoreKind.OBS, endpoint_url="https://obs.example.com", credentials=KEYS)
    expected = "obsutil abort 'obs://media/a b' '-u=id~1' -f -e=https://obs.example.com"
    assert expected == command(target)


@pytest.mark.parametrize("signature", ["v2", "v4"])
def test_what_speaks_s3_behind_an_obs_target_is_asked_as_s3_is(signature: str):
    target = replace(S3, store=StoreKind.OBS, endpoint_url="https://ceph.example.com", signature=signature)
    assert command(target).startswith("aws s3api abort-multipart-upload --bucket=media ")
    assert command(target).endswith(" --endpoint-url=https://ceph.example.com")


def test_glacier():
    target = replace(S3, store=StoreKind.GLACIER, region="eu-central-1")
    expected = "aws glacier abort-multipart-upload --account-id=- --vault-name=media '--upload-id=id~1'"
    assert f"{expected} --region=eu-central-1" == command(target)


@pytest.mark.parametrize("key", ["file:///etc/passwd", "fileb://x", "http://evil/", "https://evil/", "a\0b"])
def test_a_key_that_the_aws_cli_would_read_from_elsewhere_goes_as_json(key: str):
    words = shlex.split(command(S3, key))
    assert words[:3] == ["aws", "s3api", "abort-multipart-upload"]
    assert (words[3], len(words)) == ("--cli-input-json", 5)
    assert {"Bucket": "media", "Key": key, "UploadId": "id~1"} == json.loads(words[4])


def test_so_does_an_upload_id():
    target = replace(S3, store=StoreKind.GLACIER)
    words = shlex.split(command(target, upload_id="file:///etc/passwd"))
    assert json.loads(words[4]) == {"accountId": "-", "vaultName": "media", "uploadId": "file:///etc/passwd"}


@pytest.mark.parametrize("store", StoreKind)
@in_turn("key", MALICIOUS_KEYS)
def test_it_is_one_printable_line_and_no_word_of_it_is_a_flag_of_the_key_s(store: StoreKind, key: str):
    line = command(replace(S3, store=store), key, key)
    assert line.isprintable()
    if key.isprintable():
        plain = command(replace(S3, store=store), "key", "id")
        assert len(shlex.split(line)) in {len(shlex.split(plain)), 5}  # 5: as JSON


def test_no_secret_is_in_it():
    assert "hush" not in command(replace(S3, credentials=KEYS))
    assert "AKIA" not in command(replace(S3, credentials=KEYS))
