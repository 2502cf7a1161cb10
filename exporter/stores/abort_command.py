"""The command that aborts an upload, for a person to run. The exporter itself never aborts one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.registry import store_type
from exporter.text.quoting import shell_quoted

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings
    from exporter.model.uploads import Upload


def abort_command(target: TargetSettings, bucket: str, upload: Upload) -> str:
    """Return a shell line that aborts the upload, by the vendor's own tool.

    It holds no credentials: whoever runs it has their own.
    """
    return " ".join(map(shell_quoted, store_type(target.store).abort_command(target, bucket, upload)))
