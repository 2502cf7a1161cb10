"""The command that aborts an upload to a Glacier vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.abort import AbortCommand
from exporter.stores.aws.cli import Parameter, aws_command, why_not

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.uploads import Upload


def abort_command(target: TargetSettings, vault: BucketSettings, upload: Upload, region: str) -> AbortCommand:
    """Return the command, as the AWS CLI takes it."""
    if instead := why_not(target, upload.upload_id):
        return AbortCommand(instead=instead)
    where = (
        Parameter("account-id", "accountId", target.account_id),
        Parameter("vault-name", "vaultName", vault.name),
    )
    call, each = "glacier abort-multipart-upload", Parameter("upload-id", "uploadId", upload.upload_id)
    flags = ("--output=text", "--query=UploadsList[].MultipartUploadId")
    return AbortCommand(
        (aws_command(target, call, (*where, each), region=region),),
        inventory=aws_command(target, "glacier list-multipart-uploads", where, *flags, region=region),
    )
