"""Why there is no command that aborts an upload to Azure, and what a person can do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.abort import AbortCommand

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.uploads import Upload

_INSTEAD = (
    "Azure has no call that only discards uncommitted blocks: Delete Blob would remove a blob that was "
    "committed meanwhile. Azure removes them a week after the last one was sent. To be rid of them before: "
    "once their writer has stopped, upload an empty blob of this name without overwriting, and delete that"
)


def abort_command(
    target: TargetSettings,  # noqa: ARG001 - the same for each
    bucket: BucketSettings,  # noqa: ARG001
    upload: Upload,  # noqa: ARG001
    region: str,  # noqa: ARG001
) -> AbortCommand:
    """Return what to do instead of a command."""
    return AbortCommand(instead=_INSTEAD)
