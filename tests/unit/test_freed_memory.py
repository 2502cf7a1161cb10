"""Memory that scans have freed goes back to the system, but not after each of many short scans."""

import platform
import subprocess
import sys

import pytest
from fakes import Clock

from exporter.scheduler.memory import FreedMemory, system_trim


def test_it_is_given_back_at_most_once_a_minute():
    clock, calls = Clock(), []
    freed = FreedMemory(calls.append, clock.monotonic)
    for seconds in (0, 59, 1, 59, 1):
        clock.now += seconds
        freed.give_back()
    assert calls == [0, 0, 0]


def test_a_c_library_without_the_call_is_left_alone():
    FreedMemory(None).give_back()


def test_what_the_system_has_can_be_called():
    trim = system_trim()
    assert trim is None or trim(0) in {0, 1}


ALONE = """
import resource
from pathlib import Path

from exporter.scheduler.memory import LARGE_BYTES, return_large_blocks


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


return_large_blocks()
bytes(31 * LARGE_BYTES)  # when this is freed, glibc's bound would be as much
before, blocks = resident(), []
for _ in range(30):
    blocks += [b"x" * (2 * LARGE_BYTES), b"x" * (LARGE_BYTES // 2)]
blocks[::2] = [b""] * 30
print((resident() - before) // LARGE_BYTES)
"""
"""In a process of its own: in that of the tests, what others have freed decides what is measured."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no such options")
def test_large_blocks_go_back_at_once_whatever_is_in_use_behind_them():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30
