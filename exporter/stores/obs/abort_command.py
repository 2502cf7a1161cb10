"""The command that aborts an upload to OBS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.s3 import abort_command as s3

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings
    from exporter.model.uploads import Upload


def abort_command(target: TargetSettings, bucket: str, upload: Upload) -> tuple[str, ...]:
    """Return the command's words, as obsutil takes them; as the AWS CLI where the signature is S3's."""
    if target.signature != "obs":
        return s3.abort_command(target, bucket, upload)
    endpoint = (f"-e={target.endpoint_url}",) if target.endpoint_url else ()
    return ("obsutil", "abort", f"obs://{bucket}/{upload.key}", f"-u={upload.upload_id}", "-f", *endpoint)
