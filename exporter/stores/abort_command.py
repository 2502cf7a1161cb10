"""The commands that abort an upload, for a person to run. The exporter itself never aborts one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.registry import store_type
from exporter.text.quoting import shell_quoted

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.abort import AbortCommand
    from exporter.model.uploads import Upload


def abort_commands(
    target: TargetSettings, bucket: BucketSettings, upload: Upload, signing_region: str
) -> AbortCommand:
    """Return how the upload is aborted by the vendor's own tool, asked where and how the scan asked.

    `signing_region` is what the store signed requests for, '' where that is not known.
    """
    return store_type(target.store).abort_command(target, bucket, upload, target.region or signing_region)


def command_line(command: AbortCommand) -> str:
    """Return it as one line for a shell: a comment where no tool can do it."""
    if not command.calls:
        return f"# {command.instead}"
    line = " || ".join(" ".join(map(shell_quoted, words)) for words in command.calls)
    style = command.addressing_style
    return f"{line}  # needs s3.addressing_style = {style} in the config of the AWS CLI" if style else line
