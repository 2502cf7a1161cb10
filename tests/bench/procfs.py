"""What the kernel says of a process."""

import os
import re
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def memory_mib(process: int | str, name: str = "VmHWM") -> float:
    """Return the memory of a process: VmHWM is the most it had, VmRSS what it has.

    ru_maxrss would not do: a process inherits it from the one that started it.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    [kib] = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) / 1024


def cpu_seconds(process: int) -> float:
    """Return the CPU that a process has used since it began."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK
