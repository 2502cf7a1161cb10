"""The command that aborts an upload, for a person to run. The exporter itself never aborts one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind
from exporter.text.quoting import shell_quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.settings import TargetSettings
    from exporter.model.uploads import Upload

_READ_FROM_ELSEWHERE = ("file://", "fileb://", "http://", "https://")
"""The AWS CLI puts a file's or a page's content in the place of a value that begins so."""


def abort_command(target: TargetSettings, bucket: str, upload: Upload) -> str:
    """Return a shell line that aborts the upload, as the AWS CLI or obsutil takes it.

    It holds no credentials: whoever runs it has their own.
    """
    return " ".join(map(shell_quoted, _words(target, bucket, upload)))


def _words(target: TargetSettings, bucket: str, upload: Upload) -> Iterator[str]:
    if target.store is StoreKind.GLACIER:
        vault = {"accountId": target.account_id, "vaultName": bucket, "uploadId": upload.upload_id}
        flags = dict(zip(("account-id", "vault-name", "upload-id"), vault.values(), strict=True))
        yield from ("aws", "glacier", "abort-multipart-upload", *_input(flags, vault), *_where(target))
    elif target.store is StoreKind.OBS and target.signature == "obs":
        yield from ("obsutil", "abort", f"obs://{bucket}/{upload.key}", f"-u={upload.upload_id}", "-f")
        if target.endpoint_url:
            yield f"-e={target.endpoint_url}"
    else:
        object_ = {"Bucket": bucket, "Key": upload.key, "UploadId": upload.upload_id}
        flags = dict(zip(("bucket", "key", "upload-id"), object_.values(), strict=True))
        yield from ("aws", "s3api", "abort-multipart-upload", *_input(flags, object_), *_where(target))
        if target.request_payer:
            yield f"--request-payer={target.request_payer}"
        if target.expected_bucket_owner:
            yield f"--expected-bucket-owner={target.expected_bucket_owner}"


def _input(flags: Mapping[str, str], members: Mapping[str, str]) -> Iterator[str]:
    """Yield the input as flags; as JSON where a value would be taken for something else, or has a NUL."""
    if any(value.startswith(_READ_FROM_ELSEWHERE) or "\0" in value for value in members.values()):
        yield from ("--cli-input-json", json.dumps(members))  # as two words: the CLI looks for the first
    else:
        yield from (f"--{name}={value}" for name, value in flags.items())


def _where(target: TargetSettings) -> Iterator[str]:
    endpoint = target.endpoint_url or next(iter(target.endpoint_urls), None)
    if endpoint:
        yield f"--endpoint-url={endpoint}"
    if target.region:
        yield f"--region={target.region}"
    if target.credentials.profile:
        yield f"--profile={target.credentials.profile}"
    if target.tls.insecure_skip_verify:
        yield "--no-verify-ssl"
    elif target.tls.ca_file:
        yield f"--ca-bundle={target.tls.ca_file}"
