"""Limits of memory: those too small to begin with are told at once, and little is taken under others.

A process that the kernel ends for want of memory can say nothing any more, and libraries in C crash where an
allocation fails. So a limit that leaves no room for one small scan is refused before anything is loaded.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

ADDRESS_SPACE_MIB = 112
"""Address space (ulimit -v) of `serve` with one S3 target; measured: 102 MiB is enough for it."""
CONTAINER_MIB = 40
"""Memory of a container with the same; measured: at 32 MiB the kernel ends it now and then."""
_MIB = 2**20
_M_ARENA_MAX = -8
"""Of mallopt(3), as in malloc.h."""
_STACK_BYTES = 2 * _MIB
_UNWINDER = "libgcc_s.so.1"
"""The C library loads it as a thread ends with the process, and aborts where there is no memory for it."""


def find_shortage(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> str:
    """Return which limit of memory is too small for any command that asks a store, '' where none is."""
    for what, limit, needed in (
        ("ulimit -v", address_space(), ADDRESS_SPACE_MIB),
        ("the memory limit of its container (its cgroup)", _container_memory(cgroups, own), CONTAINER_MIB),
    ):
        if limit is not None and limit < needed * _MIB:
            found = f"{what} is {limit / _MIB:.0f} MiB"
            return f"mpu-exporter: {found}, and it needs at least {needed}: raise the limit"
    return ""


def address_space() -> int | None:
    """Return the limit of this process's address space in bytes, None without one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def save_address_space() -> None:
    """Under a limit of address space, have all threads share the C library's first heap, and small stacks.

    Each would get a heap of its own, with 64 MiB of addresses, and 8 MiB for its stack: the fourth thread
    would not start at 300 MiB, and an SDK's calls have a thread each.
    """
    if address_space() is not None:
        import ctypes  # noqa: PLC0415 - only this needs it
        import threading  # noqa: PLC0415

        threading.stack_size(_STACK_BYTES)

        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option:  # glibc's
            set_option(_M_ARENA_MAX, 1)
        with suppress(OSError):
            ctypes.CDLL(_UNWINDER)


def _container_memory(cgroups: Path, own: Path) -> int | None:
    """Return the least limit of the control groups that hold this process, None without one."""
    limits = [limit for file in _limit_files(cgroups, own) if (limit := _read(file)) is not None]
    return min(limits, default=None)


def _limit_files(cgroups: Path, own: Path) -> list[Path]:
    """Return the files that hold the limits of this process's control groups and of those around them.

    A container often sees its own group as the topmost, whatever name its processes are told for it.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # no /proc
        return []
    files = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(path.lstrip("/"))
        files += [top / each / name for each in (group, *group.parents)]
    return files


def _read(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group here; or "max": no limit
        return None
