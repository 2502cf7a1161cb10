"""Runs the exporter: `settling.py FILE ARGUMENT ...`.

At SIGUSR2 it frees what it can, and writes to the file how many bytes it then has in memory.
"""

import ctypes
import gc
import os
import runpy
import signal
import sys
from pathlib import Path

FILE = Path(sys.argv.pop(1))


def settle(*_: object) -> None:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    new = FILE.with_suffix(".new")
    new.write_text(str(pages * os.sysconf("SC_PAGE_SIZE")), encoding="ascii")
    new.rename(FILE)


signal.signal(signal.SIGUSR2, settle)
runpy.run_module("exporter", run_name="__main__", alter_sys=True)
