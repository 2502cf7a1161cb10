"""MiniStack, a local AWS, in memory."""

import sys
from functools import partial
from pathlib import Path

from servers import need_package
from servers.matrix.declaration import Server
from servers.matrix.process import Launch, one_process


def launch(folder: Path, port: int) -> Launch:
    need_package("ministack")
    command = [sys.executable, "-m", "hypercorn", "ministack.app:app", f"--bind=127.0.0.1:{port}"]
    return Launch(
        command, {"GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "TMPDIR": str(folder), "SERVICES": "s3"}
    )


SERVER = Server(
    name="MiniStack",
    version="1.4.21",
    opened=partial(one_process, launch),
    after_restart="forgets all",
)
