"""What a policy has to allow, against what the README's policies do."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.config.settings import AssumeRole, Credentials, StoreKind, TargetSettings
from exporter.stores.permissions import BUCKETS, LISTING, PARTS, RULES, VAULTS, grant, grant_role

S3 = TargetSettings("prod", StoreKind.S3, (), region="eu-west-1")
OBS = replace(S3, store=StoreKind.OBS)
GLACIER = replace(S3, store=StoreKind.GLACIER, region="eu-central-1", account_id="111122223333")
ACCESS_POINT = "arn:aws:s3:eu-west-1:111122223333:accesspoint/media"


@pytest.mark.parametrize(
    ("target", "bucket", "operation", "expected"),
    [
        (S3, "", BUCKETS, "s3:ListAllMyBuckets on *"),
        (S3, "media", LISTING, "s3:ListBucketMultipartUploads on arn:aws:s3:::media"),
        (S3, "media", PARTS, "s3:ListMultipartUploadParts on arn:aws:s3:::media/*"),
        (S3, "media", RULES, "s3:GetLifecycleConfiguration on arn:aws:s3:::media"),
        (replace(S3, region="cn-north-1"), "m", PARTS, "s3:ListMultipartUploadParts on arn:aws-cn:s3:::m/*"),
        (
            replace(S3, region="us-gov-west-1"),
            "m",
            LISTING,
            "s3:ListBucketMultipartUploads on arn:aws-us-gov:s3:::m",
        ),
        (S3, ACCESS_POINT, LISTING, f"s3:ListBucketMultipartUploads on {ACCESS_POINT}"),
        (S3, ACCESS_POINT, PARTS, f"s3:ListMultipartUploadParts on {ACCESS_POINT}/object/*"),
        (
            S3,
            "media--euw1-az1--x-s3",
            LISTING,
            "s3express:CreateSession on arn:aws:s3express:eu-west-1:*:bucket/media--euw1-az1--x-s3",
        ),
        (OBS, "", BUCKETS, "obs:bucket:ListAllMyBuckets on obs:*:*:bucket:*"),
        (OBS, "media", LISTING, "obs:bucket:ListBucketMultipartUploads on obs:*:*:bucket:media"),
        (OBS, "media", PARTS, "obs:object:ListMultipartUploadParts on obs:*:*:object:media/*"),
        (OBS, "media", RULES, "obs:bucket:GetLifecycleConfiguration on obs:*:*:bucket:media"),
        (replace(OBS, signature="v4"), "m", PARTS, "s3:ListMultipartUploadParts on arn:aws:s3:::m/*"),
        (GLACIER, "", VAULTS, "glacier:ListVaults on arn:aws:glacier:eu-central-1:111122223333:vaults/*"),
        (
            GLACIER,
            "t",
            LISTING,
            "glacier:ListMultipartUploads on arn:aws:glacier:eu-central-1:111122223333:vaults/t",
        ),
        (
            replace(GLACIER, account_id="-"),
            "tapes",
            PARTS,
            "glacier:ListParts on arn:aws:glacier:eu-central-1:*:vaults/tapes",
        ),
    ],
)
def test_action_and_resource(target: TargetSettings, bucket: str, operation: str, expected: str):
    assert grant(target, bucket, operation) == expected


def test_a_role():
    credentials = Credentials(assume_role=AssumeRole("arn:aws:iam::111122223333:role/mpu"))
    expected = "sts:AssumeRole on arn:aws:iam::111122223333:role/mpu"
    assert grant_role(replace(S3, credentials=credentials)) == expected
    assert grant_role(S3) == ""


def test_the_readme_s_policies_name_the_same_actions():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    policies = map(json.loads, re.findall(r"^```json\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL))
    named = json.dumps(list(policies))
    for target, bucket in ((S3, "media"), (OBS, "media-eu"), (GLACIER, "tapes")):
        for operation in (LISTING, PARTS):
            for part in grant(target, bucket, operation).split(" on "):
                assert f'"{part}"' in named
