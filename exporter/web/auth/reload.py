"""Reads a web config again when it, or a file that it names, has changed. A bad version changes nothing."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from pathlib import Path

from exporter.config.problems import ConfigError
from exporter.web.auth.config import Access, named_files, read_access

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the files are looked at. Two looks in a row have to see the same before it is used."""


class WebConfigReloader:
    """What is served with now."""

    def __init__(self, file: Path | None) -> None:
        """Read the file; without one, nothing is asked of clients. Raises ConfigError."""
        self._file = file
        self._parsed, self._named = b"", list[Path]()
        self._tried = self._before = self._fingerprint()
        self.current = Access() if file is None else read_access(file, os.environ)
        self._stop = threading.Event()

    def now(self) -> Access:
        """Return what new connections and requests are served with."""
        return self.current

    def start(self) -> None:
        """Begin to look at the files, if there are any."""
        if self._file is not None:
            threading.Thread(target=self._watch, name="web-config", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def look(self) -> None:
        """Use what the files hold now, if that is new and was there at the last look too."""
        now = self._fingerprint()
        if self._file is not None and now == self._before != self._tried:
            self._tried = now
            self._read(self._file)
        self._before = now

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

    def _fingerprint(self) -> bytes:
        """Return what tells one content of all the files from another."""
        if self._file is None:
            return b""
        digest = _digest(self._file)
        if digest != self._parsed:
            self._parsed, self._named = digest, _list_named(self._file)
        return b"".join((digest, *map(_digest, self._named)))


def _list_named(file: Path) -> list[Path]:
    try:
        return named_files(file, os.environ)
    except ConfigError:
        return []


def _read_next(file: Path, current: Access) -> Access:
    access = read_access(file, os.environ)
    if (access.context is None) != (current.context is None):
        text = f"{file}: tls_server_config cannot come or go while the exporter runs: restart it"
        raise ConfigError([text])
    return access


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest()
    except OSError as error:
        return hashlib.sha256(repr(error.errno).encode()).digest()
