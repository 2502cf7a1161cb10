"""The command that aborts an upload to a Glacier vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.aws.cli import Parameter, aws_command

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings
    from exporter.model.uploads import Upload


def abort_command(target: TargetSettings, vault: str, upload: Upload) -> tuple[str, ...]:
    """Return the command's words, as the AWS CLI takes them."""
    parameters = (
        Parameter("account-id", "accountId", target.account_id),
        Parameter("vault-name", "vaultName", vault),
        Parameter("upload-id", "uploadId", upload.upload_id),
    )
    return aws_command(target, "glacier", parameters)
