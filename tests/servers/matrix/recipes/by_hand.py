"""Servers that need a toolchain of their own: scripts in tests/soak/servers install and run them, by hand."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from servers import do_without
from servers.matrix.declaration import Instance
from servers.matrix.process import Launch, one_process

SCRIPTS = Path(__file__).parents[3] / "soak" / "servers"
ACCESS_KEY, SECRET_KEY = "mpu-tests", "mpu-tests-secret"
"""Of the scripts, where a server lets them choose."""


def by_hand(name: str, *arguments: str) -> Callable[[Path], AbstractContextManager[Instance]]:
    """Return what opens a server by the script of this name; `arguments` follow its folder and port."""
    script = str(SCRIPTS / f"{name}.sh")

    def launch(folder: Path, port: int) -> Launch:
        return Launch([script, "run", str(folder / "data"), str(port), *arguments])

    @contextmanager
    def opened(folder: Path) -> Iterator[Instance]:
        if subprocess.run([script, "installed"], capture_output=True, check=False).returncode:
            do_without(f"{name} (tests/soak/servers/{name}.sh install)")
        with one_process(launch, folder) as server:
            yield server

    return opened
