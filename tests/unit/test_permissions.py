"""What a policy has to allow, against what the policies of docs/permissions.md do."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.config.credentials import AssumeRole, Credentials, Secret
from exporter.config.settings import StoreKind, TargetSettings
from exporter.model.errors import Failure, Reason
from exporter.stores.base import BLOCKS_OPERATION as BLOCKS
from exporter.stores.base import BUCKETS_OPERATION as BUCKETS
from exporter.stores.base import CEPH_ADMIN_OPERATION as STATISTICS
from exporter.stores.base import LIFECYCLE_OPERATION as RULES
from exporter.stores.base import PARTS_OPERATION as PARTS
from exporter.stores.base import TAGS_OPERATION as TAGS
from exporter.stores.base import UPLOADS_OPERATION as LISTING
from exporter.stores.base import VAULT_TAGS_OPERATION as VAULT_TAGS
from exporter.stores.base import VAULTS_OPERATION as VAULTS
from exporter.stores.permissions import missing_permission

S3 = TargetSettings("prod", StoreKind.S3, (), region="eu-west-1")
OBS = replace(S3, store=StoreKind.OBS)
GLACIER = replace(S3, store=StoreKind.GLACIER, region="eu-central-1", account_id="111122223333")
DENIED = Failure(Reason.ACCESS_DENIED, "HTTP 403 (AccessDenied no)")
ROLE = "arn:aws:iam::111122223333:role/mpu"
ACCESS_POINT = "arn:aws:s3:eu-west-1:111122223333:accesspoint/media"


@pytest.mark.parametrize(
    ("target", "bucket", "operation", "expected"),
    [
        (S3, "", BUCKETS, "s3:ListAllMyBuckets on *"),
        (S3, "media", LISTING, "s3:ListBucketMultipartUploads on arn:aws:s3:::media"),
        (S3, "media", PARTS, "s3:ListMultipartUploadParts on arn:aws:s3:::media/*"),
        (S3, "media", RULES, "s3:GetLifecycleConfiguration on arn:aws:s3:::media"),
        (S3, "media", TAGS, "s3:GetBucketTagging on arn:aws:s3:::media"),
        (
            *(S3, "media", STATISTICS),
            "caps buckets=read (radosgw-admin caps add --uid=USER --caps=buckets=read)",
        ),
        (S3, "acme:shared", RULES, "s3:GetLifecycleConfiguration on arn:aws:s3::acme:shared"),
        (S3, "acme:shared", PARTS, "s3:ListMultipartUploadParts on arn:aws:s3::acme:shared/*"),
        (OBS, "media", TAGS, "obs:bucket:GetBucketTagging on obs:*:*:bucket:media"),
        (
            *(GLACIER, "t", VAULT_TAGS),
            "glacier:ListTagsForVault on arn:aws:glacier:eu-central-1:111122223333:vaults/t",
        ),
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
    assert missing_permission(target, bucket, operation, DENIED) == expected


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure(Reason.CREDENTIALS, "AssumeRole: HTTP 403 (AccessDenied no)"), f"sts:AssumeRole on {ROLE}"),
        (
            Failure(Reason.ACCESS_DENIED, "ListParts: HTTP 403 (AccessDenied not allowed: kms:Decrypt)"),
            "kms:Decrypt on the key that the uploads are encrypted with",
        ),
        (Failure(Reason.CREDENTIALS, "ListParts: HTTP 403 (SignatureDoesNotMatch)"), ""),
        (Failure(Reason.TIMEOUT, "ListParts: no time left"), ""),
    ],
)
@pytest.mark.parametrize("target", [S3, OBS, GLACIER])
def test_what_is_missing_other_than_the_call_s_own_permission(
    target: TargetSettings, failure: Failure, expected: str
):
    credentials = Credentials(assume_role=AssumeRole(ROLE))
    assert missing_permission(replace(target, credentials=credentials), "media", PARTS, failure) == expected


ROLE_OF_AZURE = (
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read (Storage Blob Data Reader)"
)


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (Credentials(), f"{ROLE_OF_AZURE} on media"),
        (Credentials(sas_token=Secret("sp=l&sig=c2ln")), "sp=r in the SAS token"),
        (
            Credentials(connection_string=Secret("AccountName=a;SharedAccessSignature=sp=l&sig=c2ln")),
            "sp=r in the SAS token",
        ),
        (
            Credentials(connection_string=Secret("AccountKey=a;SharedAccessSignature=sp=l")),
            f"{ROLE_OF_AZURE} on media",
        ),
        (Credentials(connection_string=Secret(file=Path("/nowhere"))), f"{ROLE_OF_AZURE} on media"),
    ],
)
def test_azure_s_tokens_lack_letters_and_its_identities_roles(credentials: Credentials, expected: str):
    target = TargetSettings("prod", StoreKind.AZURE, (), account="media", credentials=credentials)
    assert missing_permission(target, "media", BLOCKS, DENIED) == expected


def test_without_a_role_none_is_missing():
    failure = Failure(Reason.CREDENTIALS, "AssumeRole: HTTP 403 (AccessDenied no)")
    assert missing_permission(S3, "media", PARTS, failure) == ""


def test_the_documented_policies_name_the_same_actions():
    page = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")
    policies = map(json.loads, re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    named = json.dumps(list(policies))
    for target, bucket in ((S3, "media"), (OBS, "media-eu"), (GLACIER, "tapes")):
        for operation in (LISTING, PARTS):
            for part in missing_permission(target, bucket, operation, DENIED).split(" on "):
                assert f'"{part}"' in named
