"""Reads the config again when asked to, or when the file has changed. An invalid one changes nothing."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from typing import TYPE_CHECKING

from exporter.config.problems import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.config.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often a watched file is looked at. Two looks in a row have to see the same before it is used."""

LOOKS_AGAIN = 30
"""A watched file that cannot be used is read again after so many looks: what it names may be there then."""


class Reloader:
    """Reads the config and has it used, one time after the other. Safe to use from many threads."""

    def __init__(self, file: Path, load: Callable[[], Settings]) -> None:
        """Make it of what reads `file`, which raises ConfigError where that cannot be."""
        self._file = file
        self.load = load
        self._lock = threading.Lock()
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._use: Callable[[Settings], None] = lambda _: None
        self._told: Callable[[bool], None] = lambda _: None
        self._content = Content(_fingerprint(file))
        self.problems: list[str] = []
        """What was wrong with the file when it was last read."""

    def start(self, use: Callable[[Settings], None], told: Callable[[bool], None], *, watch: bool) -> None:
        """Begin to listen to `ask` and, where that is wanted, to `watch` the file.

        `use` may raise ConfigError; `told` is told whether the config could be used.
        """
        self._use, self._told = use, told
        threading.Thread(target=self._listen, args=(watch,), name="reload", daemon=True).start()

    def reload(self, *, again: bool = False) -> list[str]:
        """Use the file as it is now; returns what is wrong with it, and then nothing has changed.

        With `again`, what was wrong before is not logged a second time.
        """
        with self._lock:
            before, self.problems = self.problems, self._try()
            problems = self.problems
            self._told(not problems)
        fields: dict[str, object] = {"file": str(self._file)}
        if not problems:
            log.info("the config was read again", extra={"fields": fields})
        elif not (again and problems == before):
            text = "the config cannot be used: what was read before stays"
            log.error(text, extra={"fields": fields | {"error": "; ".join(problems)}})
        return problems

    def _try(self) -> list[str]:
        try:
            self._use(self.load())
        except ConfigError as error:
            return list(error.problems)
        except Exception as error:  # our own bug: whoever asked has to hear of it, and the process goes on
            log.exception("reading the config failed unexpectedly")
            return [f"unexpected {type(error).__name__}; please report it"]
        return []

    def ask(self) -> None:
        """Have the file read soon; for signal handlers, which must not wait."""
        self._asked.put(True)  # noqa: FBT003 - reentrant, unlike an event's lock

    def _listen(self, watch: bool) -> None:  # noqa: FBT001 - a thread's argument
        looks = 0
        while True:
            again = False
            try:
                self._asked.get(timeout=LOOK_SECONDS if watch else None)
            except queue.Empty:
                looks += 1
                changed = self._content.has_changed(_fingerprint(self._file))
                again = bool(self.problems) and looks >= LOOKS_AGAIN and not changed
                if not changed and not again:
                    continue
            looks = 0
            self._content.read = _fingerprint(self._file)
            self.reload(again=again)


class Content:
    """What a watched file holds. It has changed once it is other than what was read, and written no more."""

    def __init__(self, read: bytes) -> None:
        """Begin with what was read."""
        self.read = read
        self._seen = read

    def has_changed(self, now: bytes) -> bool:
        """Look at what the file holds now; twice in a row it has to be the same."""
        settled, self._seen = now == self._seen, now
        return settled and now != self.read


def _fingerprint(file: Path) -> bytes:
    """Return what tells one content from another, through links too; b"" where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""
