"""Files that are whole or as they were, whatever comes in between."""

import os
import stat
from pathlib import Path

import pytest

from exporter.cli.arguments import require_writable
from exporter.cli.errors import UsageError
from exporter.cli.terminal.output import write_atomically, write_output


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_new_file_may_be_read_by_all_whatever_the_umask(tmp_path: Path):
    before = os.umask(0o077)
    try:
        write_atomically(b"new", tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    assert names(tmp_path) == ["file"]


def test_a_link_stays_one_and_what_it_points_to_is_written(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    (tmp_path / "link").symlink_to("folder/file")
    write_atomically(b"new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_text() == "new"
    assert names(tmp_path / "folder") == ["file"]


@pytest.mark.parametrize("interruption", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_where_it_fails_the_old_file_is_whole_and_nothing_lies_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
):
    file = tmp_path / "file"
    file.write_text("old")

    def fail(_: object) -> None:
        raise interruption

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(interruption)):
        write_atomically(b"new", file)
    assert file.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_file_that_cannot_be_looked_at_is_not_replaced_by_one_that_all_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file, look = tmp_path / "file", os.stat
    file.write_text("old")

    def fail(path: object, **options: object) -> os.stat_result:
        if path == file:
            raise OSError(5, "Input/output error")
        return look(path, **options)  # type: ignore[call-overload,no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", fail)
        with pytest.raises(OSError, match="Input/output"):
            write_atomically(b"new", file)
    assert file.read_text() == "old"


def test_what_went_wrong_is_told_with_the_flag_s_name(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"--output: .*folder: Is a directory"):
        write_output("text", tmp_path / "folder")


def test_it_is_told_before_the_work_where_that_can_be(tmp_path: Path):
    require_writable(None)
    require_writable(tmp_path / "file")
    with pytest.raises(UsageError, match=r"--output: .*: there is no folder .*/no to write to"):
        require_writable(tmp_path / "no" / "file")


def test_bytes_that_are_no_text_are_written_as_escapes(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
):
    write_output("\udcff ü", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"\\udcff \xc3\xbc"
