"""Reads the web config again when it, or a file that it names, has changed; an invalid one is not used."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from exporter.config.file_changes import LOOK_SECONDS, ChangedFiles
from exporter.config.problems import ConfigError
from exporter.web.auth.config import WebConfig, read_web_config, referenced_files

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


class WebConfigReloader:
    """Holds the web config that is in use."""

    def __init__(self, file: Path | None) -> None:
        """Read the file; None: no TLS and no passwords. Raises ConfigError."""
        self._file = file
        self._changed_files = ChangedFiles(file, lambda: _referenced_files(file)) if file else None
        self.current = WebConfig() if file is None else read_web_config(file, os.environ)
        self._stop = threading.Event()

    def now(self) -> WebConfig:
        """Return the web config for new connections and requests."""
        return self.current

    def start(self) -> None:
        """Begin to watch the files, if there are any."""
        if self._file is not None:
            threading.Thread(target=self._watch, name="web-config", daemon=True).start()

    def stop(self) -> None:
        """End watching."""
        self._stop.set()

    def look(self) -> None:
        """Read the files again if they have changed since they were read, and not since the last look."""
        if self._file is not None and self._changed_files and self._changed_files.look():
            self._read(self._file)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # our own bug: what was read before stays, and later versions are looked at
                log.exception("reading the web config failed unexpectedly")

    def _read(self, file: Path) -> None:
        fields: dict[str, object] = {"file": str(file)}
        try:
            self.current = _read_next(file, self.current)
        except ConfigError as error:
            text = "the web config cannot be used: what was read before stays"
            log.error(text, extra={"fields": fields | {"error": "; ".join(error.problems)}})  # noqa: TRY400
        else:
            log.info("the web config was read again", extra={"fields": fields})


def _referenced_files(file: Path) -> list[Path]:
    try:
        return referenced_files(file, os.environ)
    except ConfigError:
        return []


def _read_next(file: Path, current: WebConfig) -> WebConfig:
    web_config = read_web_config(file, os.environ)
    if (web_config.tls_context is None) != (current.tls_context is None):
        text = f"{file}: tls_server_config cannot come or go while the exporter runs: restart it"
        raise ConfigError([text])
    return web_config
