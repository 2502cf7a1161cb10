"""The command that aborts an upload to OBS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.abort import AbortCommand
from exporter.model.errors import StoreError
from exporter.stores.obs.endpoint import read_server
from exporter.stores.s3 import abort_command as s3

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.uploads import Upload

_SIGNATURE_2 = (
    "the AWS CLI 2 signs with version 4 only: if the server takes that, "
    "a target with signature v4 has the commands"
)
_ODD_KEY = (
    "obsutil may take this key for another one, for what is not printable or white space at its ends: "
    "an abort rule of the bucket removes it"
)


def abort_command(
    target: TargetSettings, bucket: BucketSettings, upload: Upload, region: str
) -> AbortCommand:
    """Return the command, as obsutil takes it; as the AWS CLI does where the signature is S3's."""
    if target.signature == "v2":
        return AbortCommand(instead=_SIGNATURE_2)
    if target.signature == "v4":
        return s3.abort_command(target, bucket, upload, region)
    if not upload.key.isprintable() or upload.key != upload.key.strip():
        return AbortCommand(instead=_ODD_KEY)
    place, upload_id = f"obs://{bucket.name}/{upload.key}", f"-u={upload.upload_id}"
    return AbortCommand(
        (("obsutil", "abort", place, upload_id, "-f", f"-e={_endpoint(target, bucket.region)}"),)
    )


def _endpoint(target: TargetSettings, region: str | None) -> str:
    """Return the URL of the server that is asked: among Huawei's own that of the bucket's region."""
    try:
        server = read_server(target, region)
    except StoreError:
        return target.endpoint_url or ""
    usual = {"http": 80, "https": 443}[server.scheme]
    return f"{server.scheme}://{server.host}" + ("" if server.port == usual else f":{server.port}")
