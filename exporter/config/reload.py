"""Reads the config again on request, or when the file has changed. An invalid one changes nothing."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from exporter.config.file_changes import LOOK_SECONDS, ChangedFiles
from exporter.config.problems import STANDARD_INPUT, ConfigError, show_file
from exporter.text.redaction import unexpected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.config.settings import Settings

log = logging.getLogger(__name__)

RETRY_LOOKS = 30
"""Looks until an unusable config is tried again unchanged: a file that it names may be there by then."""

_ONCE_ONLY = "was read at the start, and cannot be read again: restart, or give --config.file a file"


class Reloader:
    """Reads the config and applies it, one time after the other. Safe to use from many threads."""

    def __init__(self, file: Path, load: Callable[[], Settings]) -> None:
        """`load` reads `file`; it raises ConfigError where that cannot be used."""
        self._file = file
        self._once_only = _ONCE_ONLY if str(file) == STANDARD_INPUT else ""
        self.load = load
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._apply: Callable[[Settings], None] = lambda _: None
        self._note_result: Callable[[bool], None] = lambda _: None
        self._changed_files = ChangedFiles(file)
        self.problems: list[str] = []
        """What was wrong with the file when it was last read."""

    def start(
        self, apply: Callable[[Settings], None], note_result: Callable[[bool], None], *, watch: bool
    ) -> None:
        """Start the thread that serves `request` and, with `watch`, looks at the file.

        `apply` may raise ConfigError; `note_result` is called with whether the config could be used.
        """
        self._apply, self._note_result = apply, note_result
        threading.Thread(target=self._run, args=(watch,), name="reload", daemon=True).start()

    def reload(self, *, is_retry: bool = False) -> list[str]:
        """Apply the file as it is now; return what is wrong with it, and then nothing has changed.

        With `is_retry`, the problems of the last time are not logged again.
        """
        fields: dict[str, object] = {"file": show_file(self._file)}
        if self._once_only:
            log.warning("the config stays in use", extra={"fields": fields | {"error": self._once_only}})
            return [f"{show_file(self._file)}: {self._once_only}"]
        with self._lock:
            before, self.problems = self.problems, self._try()
            problems = self.problems
            self._note_result(not problems)
        if not problems:
            log.info("the config was read again", extra={"fields": fields})
        elif not (is_retry and problems == before):
            text = "the new config is invalid: the previous one stays in use"
            log.error(text, extra={"fields": fields | {"error": "; ".join(problems)}})
        return problems

    def _try(self) -> list[str]:
        try:
            self._apply(self.load())
        except ConfigError as error:
            return list(error.problems)
        except Exception as error:  # our own bug: the caller gets an answer, and the process goes on
            log.exception("reading the config failed unexpectedly")
            return [unexpected(error)]
        return []

    def request(self) -> None:
        """Have the file read soon; for signal handlers, which must not wait."""
        self._requests.put(None)  # reentrant, unlike an event's lock

    def _run(self, watch: bool) -> None:  # noqa: FBT001 - a thread's argument
        looks = 0
        while True:
            is_retry = False
            try:
                self._requests.get(timeout=LOOK_SECONDS if watch else None)
                self._changed_files.mark_used()
            except queue.Empty:
                looks += 1
                changed = self._changed_files.look()
                is_retry = bool(self.problems) and looks >= RETRY_LOOKS and not changed
                if not changed and not is_retry:
                    continue
            looks = 0
            self.reload(is_retry=is_retry)
