"""A server that is one process: started on loopback, waited for, restarted on its data, ended by its pid."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from servers import do_without, free_port, listens, running, wait_until


@dataclass(frozen=True)
class Launch:
    """A command that runs a server, its environment beside the usual, and files that it leaves elsewhere."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    leaves: Sequence[Path] = ()


class Process:
    """The instance: it ends gracefully where it can, and is killed else."""

    def __init__(self, launch: Launch, port: int, log: Path) -> None:
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self._launch = launch
        self._port = port
        self._log = log
        self._running: AbstractContextManager[subprocess.Popen[bytes]] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        variables = [f"{name}={value}" for name, value in self._launch.environment.items()]
        self._running = running(["env", *variables, *self._launch.command], self._log)
        self._process = self._running.__enter__()
        wait_until(self._launch.command[0], self._answers, log=self._log)

    def stop(self) -> None:
        if self._running is None or self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._running.__exit__(None, None, None)
        self._running = None
        for path in self._launch.leaves:
            path.unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        return listens(self._port)


@contextmanager
def one_process(launch: Callable[[Path, int], Launch], folder: Path) -> Iterator[Process]:
    """Run what `launch` returns for a folder and a port."""
    port = free_port()
    process = Process(launch(folder, port), port, folder / "server.log")
    try:
        process.start()
        yield process
    finally:
        process.stop()


def script(name: str) -> str:
    """Return the path of a program of the extra `test`; without it the test is skipped, in CI it fails."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(name, path=beside)
    return found or do_without(f"{name} (pip install -e '.[test]')")
