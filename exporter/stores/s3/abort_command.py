"""The command that aborts an upload to S3."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.model.abort import AbortCommand
from exporter.stores.aws.cli import Parameter, aws_command, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.abort import Words
    from exporter.model.uploads import Upload

_CLI_BUCKET = re.compile(r"[a-zA-Z0-9._-]{1,255}|arn:.*")
"""Names that the AWS CLI sends; ARNs it checks by itself."""
_TENANT_BUCKET = re.compile(r"([A-Za-z0-9_.-]+):([A-Za-z0-9._-]+)")
_TENANT = (
    "the AWS CLI refuses a name with a colon: to a user of tenant {} the bucket is called {}, "
    "so name it like that in a target with keys of such a user"
)
_OTHER_NAME = "the AWS CLI refuses the name of this bucket: an abort rule of the bucket removes the upload"


def abort_command(
    target: TargetSettings, found_in: BucketSettings, upload: Upload, region: str
) -> AbortCommand:
    """Return the command, as the AWS CLI takes it. `region` is the target's."""
    bucket = found_in.name
    if found_in.region and not target.endpoints:
        region = found_in.region
    if instead := _refused_name(bucket) or why_not(target, upload.key, upload.upload_id):
        return AbortCommand(instead=instead)
    profile = target.credentials.profile or ""
    if target.endpoint_urls:
        nodes = [replace(target, endpoint_url=url, endpoint_urls=()) for url in target.endpoint_urls]
        calls = tuple(_abort(node, bucket, upload, region) for node in nodes)
        return AbortCommand(calls, addressing_style=_addressing_style(target), profile=profile)
    return AbortCommand(
        (_abort(target, bucket, upload, region),),
        listing=_listing(target, bucket, upload, region),
        inventory=_inventory(target, found_in, region),
        proof=_proof(target, found_in, region),
        answers_of="" if bucket.startswith("arn:") else bucket,
        addressing_style=_addressing_style(target),
        profile=profile,
    )


def _abort(target: TargetSettings, bucket: str, upload: Upload, region: str) -> Words:
    parameters = (
        Parameter("bucket", "Bucket", bucket),
        Parameter("key", "Key", upload.key),
        Parameter("upload-id", "UploadId", upload.upload_id),
    )
    call = "s3api abort-multipart-upload"
    return aws_command(target, call, parameters, *_flags(target), region=region)


def _listing(target: TargetSettings, bucket: str, upload: Upload, region: str) -> Words:
    """Return the words that list a page of the uploads whose keys begin with this key; its own come first."""
    wanted = json.dumps(upload.upload_id).replace("`", "\\`")
    query = f"[Bucket,IsTruncated,Uploads[?UploadId==`{wanted}`].UploadId]"
    return _list(target, bucket, upload.key, region, "--no-paginate", query=query)


def _inventory(target: TargetSettings, bucket: BucketSettings, region: str) -> Words:
    return _list(target, bucket.name, bucket.prefix, region, query="Uploads[].UploadId")


def _proof(target: TargetSettings, bucket: BucketSettings, region: str) -> Words:
    """Return the words for a page of it: of all pages together the AWS CLI names no bucket."""
    return _list(target, bucket.name, bucket.prefix, region, "--no-paginate", query="[Bucket,IsTruncated]")


def _list(
    target: TargetSettings, bucket: str, prefix: str | None, region: str, *flags: str, query: str
) -> Words:
    parameters = [Parameter("bucket", "Bucket", bucket)]
    if prefix:
        parameters.append(Parameter("prefix", "Prefix", prefix))
    all_flags = (*_flags(target), *flags, "--output=text", f"--query={query}")
    return aws_command(target, "s3api list-multipart-uploads", parameters, *all_flags, region=region)


def _refused_name(bucket: str) -> str:
    if _CLI_BUCKET.fullmatch(bucket):
        return ""
    tenant = _TENANT_BUCKET.fullmatch(bucket)
    return _TENANT.format(*tenant.groups()) if tenant else _OTHER_NAME


def _addressing_style(target: TargetSettings) -> str:
    """Return the style that the AWS CLI has no flag for, '' where it is what it does by itself.

    With an endpoint of its own it puts buckets into the path, else into the host name.
    """
    usual = "path" if target.endpoints else "virtual"
    return "" if target.addressing_style in {"auto", usual} else target.addressing_style


def _flags(target: TargetSettings) -> Iterator[str]:
    if target.request_payer:
        yield f"--request-payer={target.request_payer}"
    if target.expected_bucket_owner:
        yield f"--expected-bucket-owner={target.expected_bucket_owner}"
