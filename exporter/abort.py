"""The command that aborts an upload, for a person to run. The exporter itself never aborts one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind
from exporter.quoting import shell_quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.settings import TargetSettings
    from exporter.model import Upload


def abort_command(target: TargetSettings, bucket: str, upload: Upload) -> str:
    """Return a shell line that aborts the upload."""
    words = {StoreKind.S3: _s3, StoreKind.OBS: _obs, StoreKind.GLACIER: _glacier}[target.store]
    return " ".join(map(shell_quoted, words(target, bucket, upload)))


def _s3(target: TargetSettings, bucket: str, upload: Upload) -> Iterator[str]:
    yield from ("aws", "s3api", "abort-multipart-upload")
    yield from (f"--bucket={bucket}", f"--key={upload.key}", f"--upload-id={upload.upload_id}")
    yield from _where(target)


def _obs(_target: TargetSettings, bucket: str, upload: Upload) -> Iterator[str]:
    yield from ("obsutil", "abort", f"obs://{bucket}/{upload.key}", f"-u={upload.upload_id}", "-f")


def _glacier(target: TargetSettings, bucket: str, upload: Upload) -> Iterator[str]:
    yield from ("aws", "glacier", "abort-multipart-upload", f"--account-id={target.account_id}")
    yield from (f"--vault-name={bucket}", f"--upload-id={upload.upload_id}")
    yield from _where(target)


def _where(target: TargetSettings) -> Iterator[str]:
    if target.endpoint_url:
        yield f"--endpoint-url={target.endpoint_url}"
    if target.region:
        yield f"--region={target.region}"
    if target.credentials.profile:
        yield f"--profile={target.credentials.profile}"
