"""The command that aborts an upload to S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.aws.cli import Parameter, aws_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.settings import TargetSettings
    from exporter.model.uploads import Upload


def abort_command(target: TargetSettings, bucket: str, upload: Upload) -> tuple[str, ...]:
    """Return the command's words, as the AWS CLI takes them."""
    parameters = (
        Parameter("bucket", "Bucket", bucket),
        Parameter("key", "Key", upload.key),
        Parameter("upload-id", "UploadId", upload.upload_id),
    )
    return aws_command(target, "s3api", parameters, *_flags(target))


def _flags(target: TargetSettings) -> Iterator[str]:
    if target.request_payer:
        yield f"--request-payer={target.request_payer}"
    if target.expected_bucket_owner:
        yield f"--expected-bucket-owner={target.expected_bucket_owner}"
