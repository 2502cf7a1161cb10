"""The two files of the AWS SDK: botocore passes over those that it cannot read, and reads any size."""

from __future__ import annotations

import os
from pathlib import Path

from exporter.stores.errors import log_safe
from exporter.stores.secret_sources import CredentialSourceError
from exporter.text.file_limit import because

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Ten thousand profiles have 2 MiB."""
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}


def check_sizes() -> None:
    """Refuse files that would be read for long, and into much memory. Raises CredentialSourceError."""
    for variable in _FILES:
        path = _path(variable)
        try:
            size = path.stat().st_size if path.is_file() else 0
        except (OSError, ValueError):  # told by `faults`
            continue
        if size > MAX_FILE_BYTES:
            what = f"the SDK's file {log_safe(str(path))} is larger than {MAX_FILE_BYTES // 2**20} MiB"
            raise CredentialSourceError(f"{what}; check {variable}")


def faults() -> str:
    """Return why files of the SDK were not read, '' where they were or where there need be none."""
    return "; ".join(filter(None, map(_fault, _FILES)))


def _path(variable: str) -> Path:
    return Path(os.path.expandvars(os.environ.get(variable) or _FILES[variable])).expanduser()


def _fault(variable: str) -> str:
    path = _path(variable)
    try:
        if path.is_file():
            path.open("rb").close()
            return ""
        if not path.exists():
            what = "is not there" if os.environ.get(variable) else ""
        else:
            what = "is a folder" if path.is_dir() else "is no regular file"
    except OSError as error:
        what = f"cannot be read ({because(error)})"
    except ValueError:
        what = "is no path"
    return what and f"the SDK's file {log_safe(str(path))} ({variable}) {what}"
