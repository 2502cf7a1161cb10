"""MiniStack, an S3-compatible server from PyPI, on a free port of the loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

ACCESS_KEY = "demo"
SECRET_KEY = "demo-secret"  # noqa: S105 - the server accepts any
START_SECONDS = 60.0


class StartError(Exception):
    """The server did not start; the text says what it last wrote."""


class DemoServer:
    """Runs the server as a process of its own while the `with` block lasts; its data is in memory."""

    def __init__(self) -> None:
        """Take a free port; nothing runs yet."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._folder = tempfile.TemporaryDirectory(prefix="mpu-demo-")
        self._log = Path(self._folder.name) / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Start the server and wait until it answers."""
        try:
            self._start()
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server and delete what it wrote."""
        self._end()

    def _start(self) -> None:
        number = self._socket.fileno()
        command = [
            sys.executable,
            "-m",
            "hypercorn",
            "ministack.app:app",
            "--bind",
            f"fd://{number}",
            "--workers",
            "0",
        ]
        environment = {**os.environ, "TMPDIR": self._folder.name, "SERVICES": "s3", "S3_PERSIST": "0"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self._folder.name,
                pass_fds=[number],
                start_new_session=True,  # Ctrl-C is for us; we end it when we are done
            )

    def _wait(self) -> None:
        """Wait for the first answer; the socket is open already, so a connection alone says nothing."""
        with socket.create_connection(self._socket.getsockname(), timeout=START_SECONDS) as connection:
            connection.sendall(b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            deadline = time.monotonic() + START_SECONDS
            connection.settimeout(0.5)
            while time.monotonic() < deadline and self._process and self._process.poll() is None:
                try:
                    if connection.recv(1):
                        return
                except TimeoutError:
                    continue
                break
        written = self._log.read_text(errors="replace").strip()
        raise StartError(f"the demo's server did not start: {written[-500:]}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()  # it has nothing to save
            self._process.wait()
        self._socket.close()
        self._folder.cleanup()
