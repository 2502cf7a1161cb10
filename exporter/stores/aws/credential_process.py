"""The command of a profile's `credential_process`: ended in time with all its children, and read with care.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.stores.aws.sdk_errors import shown
from exporter.stores.secret_sources import CredentialSourceError
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.stores.aws.lookup import Lookup

MAX_OUTPUT_BYTES = 64 * 1024
"""Keys and a token have a few KiB."""
_WAKE_SECONDS = 0.1
_READ_BYTES = 16 * 1024
_NAME = "credential_process"
_ADVICE = "run the profile's command as the exporter's user"
_MARK = "MPU_EXPORTER_LOOKUP"
"""Variable by which the processes of a command are found, also those in sessions of their own."""
_KILL_ROUNDS = 5
"""A process may start others while its like are looked for."""
_running: set[CredentialProcess] = set()


class CredentialProcess:
    """A command under way; to botocore it is a `Popen` of which it uses `communicate` and `returncode`.

    It has no terminal and no standard input to ask a person with.
    """

    def __init__(self, lookup: Lookup, command: Sequence[str]) -> None:
        """Start the command. Raises CredentialSourceError."""
        self._lookup = lookup
        self._mark = f"{os.getpid()}.{time.monotonic_ns()}"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command of the operator's own profile
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, _MARK: self._mark},
                start_new_session=True,  # no terminal to ask at
            )
        except (OSError, ValueError, IndexError) as error:
            why = because(error) if isinstance(error, OSError) else type(error).__name__
            text = f"{_NAME} cannot be started ({why}); {_ADVICE}"
            raise CredentialSourceError(text) from None
        self.returncode = 0

    def communicate(self) -> tuple[bytes, bytes]:
        """Return what the command writes. Raises CredentialSourceError where that cannot hold keys."""
        _running.add(self)
        try:
            output, errors = self._read()
            self._wait()
        except BaseException:
            self.kill()
            raise
        finally:
            for stream in filter(None, (self._process.stdout, self._process.stderr)):
                stream.close()
            _running.discard(self)
        if self._process.returncode:
            said = shown(errors.decode("utf-8", "replace"))
            what = f"ended with status {self._process.returncode}"
            raise CredentialSourceError(f"{_NAME} {what}: {said or 'it does not say why'}; {_ADVICE}")
        _check(output)
        return output, errors

    def _read(self) -> tuple[bytes, bytes]:
        """Return both outputs as they are once the command has closed them, or has ended."""
        streams = {
            stream.fileno(): bytearray() for stream in (self._process.stdout, self._process.stderr) if stream
        }
        output, errors = streams.values()
        open_files = set(streams)
        while open_files:
            ready, _, _ = select.select(open_files, [], [], _WAKE_SECONDS)
            for file in ready:
                if piece := os.read(file, _READ_BYTES):
                    streams[file] += piece[: MAX_OUTPUT_BYTES - len(streams[file])]
                else:
                    open_files.discard(file)
            if len(output) >= MAX_OUTPUT_BYTES:
                raise CredentialSourceError(
                    f"{_NAME} wrote more than {MAX_OUTPUT_BYTES // 1024} KiB; {_ADVICE}"
                )
            if not ready and self._process.poll() is not None:
                break  # a child that goes on holds them open
            self._check_time()
        return bytes(output), bytes(errors)

    def _wait(self) -> None:
        while self._process.poll() is None:
            self._check_time()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_WAKE_SECONDS)

    def _check_time(self) -> None:
        self._lookup.check_stop()
        if time.monotonic() >= self._lookup.deadline:
            text = f"{_NAME} did not end within request_timeout, and was ended; {_ADVICE}, or allow more time"
            raise CredentialSourceError(text)

    def kill(self) -> None:
        """End the command, and what it has started even where itself has ended."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for _ in range(_KILL_ROUNDS):
            processes = _marked(f"{_MARK}={self._mark}".encode())
            for process in processes:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            if not processes:
                break
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)


@atexit.register
def end_processes() -> None:
    """End the commands that run."""
    for process in tuple(_running):
        process.kill()


def _marked(mark: bytes) -> list[int]:
    """Return the processes that have a variable of the environment; none where the system has no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # ended meanwhile, or another user's
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _check(output: bytes) -> None:
    """Refuse what botocore fails on."""
    try:
        fields = json.loads(output.decode("utf-8"))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        what = f"{len(output)} bytes that are no JSON object" if output.strip() else "nothing"
        raise CredentialSourceError(f"{_NAME} wrote {what} to its standard output; {_ADVICE}")
