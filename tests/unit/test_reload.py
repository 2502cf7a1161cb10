"""Reading the config again: on demand, and when the file changes, however it is replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers import wait_until

from exporter.config import reload as reloading
from exporter.config.file_changes import ChangedFiles
from exporter.config.problems import ConfigError
from exporter.config.reload import Reloader


class House:
    """A reloader of a file whose text is the config; `bad` is none."""

    def __init__(self, file: Path):
        self.file, self.used, self.told = file, [], []
        self.refuses = None
        self.reloader = Reloader(file, self.load)

    def start(self, *, watch: bool):
        self.reloader.start(self.use, self.told.append, watch=watch)

    def load(self):
        text = self.file.read_text() if self.file.exists() else "bad"
        if text == "bad":
            raise ConfigError(["line 1: is bad", "line 2: too"])
        return text

    def use(self, text):
        if self.refuses:
            raise self.refuses
        self.used.append(text)


@pytest.fixture
def house(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text("one")
    return House(file)


class TestOnDemand:
    def test_what_the_file_says_is_used(self, house):
        house.start(watch=False)
        assert house.reloader.reload() == []
        assert (house.used, house.told) == (["one"], [True])

    def test_a_bad_file_changes_nothing_and_every_problem_is_told(self, house, caplog):
        house.start(watch=False)
        house.file.write_text("bad")
        assert house.reloader.reload() == ["line 1: is bad", "line 2: too"]
        assert (house.used, house.told) == ([], [False])
        assert caplog.records[0].fields["error"] == "line 1: is bad; line 2: too"

    def test_what_cannot_be_used_is_told_too(self, house):
        house.start(watch=False)
        house.refuses = ConfigError(["state.path: cannot change"])
        assert house.reloader.reload() == ["state.path: cannot change"]

    def test_our_own_bug_is_told_and_ends_nothing(self, house):
        house.start(watch=False)
        house.refuses = ZeroDivisionError()
        assert house.reloader.reload() == ["unexpected ZeroDivisionError; please report it"]
        house.refuses = None
        assert house.reloader.reload() == []
        assert house.told == [False, True]

    def test_standard_input_is_not_read_again_which_is_no_fault_of_the_config(self, caplog):
        house = House(Path("-"))
        house.start(watch=False)
        told = "was read at the start, and cannot be read again: restart, or give --config.file a file"
        assert house.reloader.reload() == [f"standard input: {told}"]
        assert (house.reloader.problems, house.used, house.told) == ([], [], [])
        [record] = caplog.records
        assert (record.levelname, record.message) == ("WARNING", "the config stays in use")
        assert record.fields == {"file": "standard input", "error": told}

    def test_who_only_asks_does_not_wait(self, house):
        house.start(watch=False)
        house.reloader.request()
        wait_until("reload", lambda: house.used == ["one"])


class TestChangedFiles:
    @pytest.fixture
    def file(self, tmp_path: Path):
        file = tmp_path / "config.yaml"
        file.write_text("one")
        return file

    def test_a_file_has_changed_once_it_is_written_no_more(self, file: Path):
        changed_files = ChangedFiles(file)
        looks = []
        for text in ("one", "tw", "two", "", "two", "two", "two"):
            file.write_text(text)
            looks.append(changed_files.look())
        assert looks == [False] * 5 + [True, False]

    def test_what_is_marked_as_used_has_not_changed(self, file: Path):
        changed_files = ChangedFiles(file)
        file.write_text("two")
        changed_files.mark_used()
        assert [changed_files.look(), changed_files.look()] == [False, False]

    def test_the_same_size_and_time_hide_no_other_content(self, file: Path):
        changed_files = ChangedFiles(file)
        times = file.stat()
        file.write_text("two")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert [changed_files.look(), changed_files.look()] == [False, True]


class TestWatch:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(reloading, "LOOK_SECONDS", 0.05)

    def test_a_changed_file_is_read_once(self, house):
        house.start(watch=True)
        house.file.write_text("two")
        wait_until("reload", lambda: house.used == ["two"])
        house.file.write_text("three")
        wait_until("reload", lambda: house.used == ["two", "three"])

    def test_a_change_before_the_watch_began_is_seen(self, house):
        house.file.write_text("two")
        house.start(watch=True)
        wait_until("reload", lambda: house.used == ["two"])

    def test_a_folder_swapped_by_a_link_as_kubernetes_does_it_is_seen(self, tmp_path):
        for name in ("one", "two"):
            (tmp_path / f"..{name}").mkdir()
            (tmp_path / f"..{name}" / "config.yaml").write_text(name)
        (tmp_path / "..data").symlink_to("..one")
        (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
        house = House(tmp_path / "config.yaml")
        house.start(watch=True)
        (tmp_path / "..next").symlink_to("..two")
        os.rename(tmp_path / "..next", tmp_path / "..data")  # noqa: PTH104 - as the kubelet does it
        wait_until("reload", lambda: house.used == ["two"])

    def test_a_bad_or_missing_file_is_told_once_and_mended_later(self, house):
        house.start(watch=True)
        house.file.write_text("bad")
        wait_until("reload", lambda: house.told == [False])
        house.file.unlink()
        wait_until("reload", lambda: house.told == [False, False])
        house.file.write_text("one")
        wait_until("reload", lambda: house.told == [False, False, True])
        assert house.used == ["one"]

    def test_a_file_that_names_what_is_not_there_yet_is_used_once_it_is(self, house, caplog, monkeypatch):
        monkeypatch.setattr(reloading, "RETRY_LOOKS", 2)
        house.start(watch=True)
        house.refuses = ConfigError(["no such secret"])
        house.file.write_text("two")
        wait_until("tries", lambda: len(house.told) >= 3)
        assert [record.fields["error"] for record in caplog.records] == ["no such secret"]
        house.refuses = None
        wait_until("reload", lambda: house.used == ["two"])

    def test_one_that_is_asked_for_is_not_read_a_second_time(self, house):
        house.start(watch=True)
        house.file.write_text("two")
        house.reloader.request()
        wait_until("reload", lambda: house.used == ["two"])
        house.file.write_text("three")
        wait_until("reload", lambda: "three" in house.used)
        assert house.used == ["two", "three"]
