"""Has one system call of a function fail, by strace, and tells which ones it makes."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Step = Callable[[], str]

_NAMES = (
    "openat read write pread64 pwrite64 lseek fsync fdatasync ftruncate fallocate unlink rename fcntl flock "
    "fchmod fstat newfstatat lstat stat access faccessat2 statx readlink getdents64"
)
_TRACED = ",".join(f"?{name}" for name in _NAMES.split())
_NAME = re.compile(r"(\w+)\(")


class SystemCall(NamedTuple):
    """The `number`-th call of this name, counted from 1."""

    name: str
    number: int


class SystemCallFault(NamedTuple):
    """A call that fails with an error such as EIO; `lasting`: so do all further calls of that name."""

    call: SystemCall
    error: str
    lasting: bool = False

    def option(self) -> str:
        return f"inject=?{self.call.name}:error={self.error}:when={self.call.number}{'+' * self.lasting}"


def run_traced(prepare: Callable[[], Step], trace: Path, fault: SystemCallFault | None = None) -> str:
    """Prepare and run a step in a process of its own, and return what the step does; only it is traced."""
    ours, theirs = socket.socketpair()
    process = os.fork()
    if not process:
        theirs.sendall(_outcome(prepare, theirs).encode("utf-8", "backslashreplace") + b"\0")
        os._exit(0)
    theirs.close()
    with ours:
        assert ours.recv(1)
        options = ["-e", fault.option()] if fault else []
        command = ["strace", "-y", "-p", str(process), "-o", str(trace), "-e", f"trace={_TRACED}", *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr
            assert "attached" in strace.stderr.readline()
            ours.sendall(b"!")
            answer = b""
            while not answer.endswith(b"\0"):
                answer += ours.recv(4096) or b"\0"
            os.waitpid(process, 0)
    return answer[:-1].decode()


def _outcome(prepare: Callable[[], Step], parent: socket.socket) -> str:
    try:
        step = prepare()
        parent.sendall(b"?")
        parent.recv(1)
        return step()
    except BaseException as error:  # noqa: BLE001 - it is what is to be told
        return f"{type(error).__name__}: {error}"


def calls_on(folder: Path, trace: Path) -> list[SystemCall]:
    """Return the traced calls that concern files of a folder."""
    counts: Counter[str] = Counter()
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        if named := _NAME.match(line):
            counts[named[1]] += 1
            if str(folder) in line:
                found.append(SystemCall(named[1], counts[named[1]]))
    return found
