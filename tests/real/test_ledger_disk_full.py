"""The disk of the state file is full: nothing known is lost, nothing fails, and later all is written."""

import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.killing import kill_again_and_again, look
from servers.rememberer import START, kept, opened, remember, settle, totals

from exporter.state.database import StateDatabase

SIZE_KIB = 768


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of its own, with room for three quarters of a MiB."""
    if os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KIB}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(folder: Path) -> Path:
    """Take all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def test_what_is_new_waits_in_memory_and_is_written_once_there_is_room(small_disk: Path, caplog):
    memory = opened(small_disk / "state.db")
    remember(memory, range(1000))
    assert memory.rows.flush()
    settle(memory, 1000)
    filler = fill_up(small_disk)
    with caplog.at_level(logging.INFO):
        remember(memory, range(1000, 9000))
        assert not memory.rows.flush()
        assert [known and known.checked_at for known in kept(memory, range(1000, 9000))] == [
            START + number for number in range(1000, 9000)
        ]
        settle(memory, 9000)  # cannot be kept either, and does no harm
        assert [record.message for record in caplog.records] == [
            "the state file cannot be used: what is new is kept in memory until it can"
        ]
        filler.unlink()
        remember(memory, range(9000, 9001))
        assert memory.rows.flush()
        assert caplog.records[-1].message == "the state file can be used again"
    memory.state.close()
    again = opened(small_disk / "state.db")
    found = kept(again, range(0, 9001, 2))
    assert [known and known[:1] for known in found] == [(START + number,) for number in range(0, 9001, 2)]
    assert [known and (known.parts, known.bytes) for known in found] == [
        totals(number)[:2] for number in range(0, 9001, 2)
    ]
    again.state.close()


def test_failures_are_counted(small_disk: Path):
    failures = []
    state = StateDatabase(small_disk / "state.db", on_failure=lambda: failures.append(1))
    assert state.open(threading.Event())
    fill_up(small_disk)
    work = [state.write(lambda connection: connection.execute("INSERT INTO salt VALUES (zeroblob(600000))"))]
    assert (work, len(failures)) == ([False], 1)
    state.close()


def test_a_file_left_on_a_full_disk_opens(small_disk: Path):
    memory = opened(small_disk / "state.db")
    remember(memory, range(500))
    assert memory.rows.flush()
    settle(memory, 500)
    fill_up(small_disk)
    remember(memory, range(500, 4000))
    memory.state.close()
    assert look(small_disk / "state.db", "open 500\n") == 500
    memory = opened(small_disk / "state.db")
    remember(memory, range(1000, 2000))
    assert None not in kept(memory, range(1000, 2000))
    memory.state.close()


def test_kill_9_on_a_full_disk_leaves_a_file_that_opens(small_disk: Path):
    path = small_disk / "state.db"
    kept = kill_again_and_again(path, 4)
    fill_up(small_disk)
    kept += kill_again_and_again(path, 3)
    assert min(kept[1:]) > 0


def test_a_start_on_a_full_disk_remembers_in_memory(small_disk: Path, caplog):
    fill_up(small_disk)
    memory = opened(small_disk / "state.db")
    remember(memory, range(100))
    settle(memory, 100)
    assert None not in kept(memory, range(0, 100, 2))
    assert "the state file cannot be used: remembering in memory until the next start" in caplog.text
    memory.state.close()
