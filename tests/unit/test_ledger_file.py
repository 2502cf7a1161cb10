"""The state file: whatever lies at its place is opened, migrated or set aside, and never misread."""

import base64
import errno
import logging
import os
import random
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest
from servers.rememberer import (
    NAME,
    START,
    Memory,
    kept,
    known_names,
    opened,
    remember,
    settle,
    totals,
    upload,
)

from exporter.model.boundaries import Boundaries
from exporter.model.results import ScanResult, Summary
from exporter.model.uploads import Upload
from exporter.state import sqlite_file as database
from exporter.state.database import WAIT_SECONDS, StateDatabase, StateError
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows

UPLOADS = 2000
MOST_BYTES = 80
MOST_BYTES_BY_NAME = 250 * 2**20 / 1_000_000
VERSION_1 = Path(__file__).with_name("state-v1.sql")
TO_VERSION_2 = "ALTER TABLE uploads ADD COLUMN abort_at REAL; PRAGMA user_version = 2"
TO_VERSION_3 = f"""; {TO_VERSION_2};
ALTER TABLE uploads ADD COLUMN name INTEGER;
CREATE TABLE name_blocks (
    bucket INTEGER NOT NULL, number INTEGER NOT NULL, names INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (bucket, number)
) WITHOUT ROWID;
CREATE TABLE names (number INTEGER PRIMARY KEY, texts BLOB NOT NULL);
PRAGMA user_version = 3"""
SUMMARY_OF_VERSION_1 = Summary(
    uploads=6,
    undated=0,
    unsized=6,
    empty=None,
    parts=None,
    bytes=None,
    stale=0,
    stale_bytes=None,
    oldest_initiated=START,
    oldest_activity=START,
    age_counts=(),
    age_sum=0.0,
    bytes_by_class=(),
    parts_known=True,
)


def named_at_random(number: int) -> Upload:
    """Return an upload with a key of 60 characters and an id of 60 to 100, all random."""
    rng = random.Random(number)
    key, upload_id = (base64.b64encode(rng.randbytes(size)).decode() for size in (45, rng.randint(45, 75)))
    return Upload(key, upload_id, rng.uniform(START - 1e6, START), "STANDARD", "arn:aws:iam::1:user/backup")


def remember_all(memory: Memory, uploads: list[Upload]) -> None:
    for start in range(0, len(uploads), 500):
        page = uploads[start : start + 500]
        for each, (row_id, record) in zip(page, memory.ledger.look_up(page), strict=True):
            memory.ledger.record_parts(row_id, each, totals(start), START, record)
    assert memory.rows.flush()
    memory.ledger.begin()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """Give a file with uploads and a result in it."""
    memory = opened(path)
    remember(memory, range(UPLOADS))
    settle(memory, 0)
    remember(memory, range(UPLOADS))
    memory.rows.flush()
    memory.state.close()
    return path


def aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.set-aside-*"))


def prove_rows(path: Path) -> int:
    """Open the file and return how many uploads it knows; each has to be right."""
    memory = opened(path)
    found = kept(memory, range(UPLOADS))
    memory.state.close()
    for number, record in enumerate(found):
        assert record is None or record[:5:3] == (START + number, totals(number).parts), number
        assert record is None or record.bytes == totals(number).bytes
    return sum(record is not None for record in found)


def prove_begun_anew(path: Path, original: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert prove_rows(path) == 0
    assert [each.read_bytes() for each in aside(path)] == [original]
    assert "it is set aside, and a new one is begun" in caplog.text


class TestWhatIsFound:
    def test_our_own_file_is_read_whole(self, filled: Path):
        assert prove_rows(filled) == UPLOADS
        assert aside(filled) == []

    def test_nothing_or_an_empty_file_is_a_beginning(self, path: Path):
        path.touch()
        assert prove_rows(path) == 0
        assert aside(path) == []

    @pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
    def test_a_truncated_file_is_set_aside(self, filled: Path, share: float, caplog):
        whole = filled.read_bytes()
        filled.write_bytes(whole[: int(len(whole) * share)])
        prove_begun_anew(filled, whole[: int(len(whole) * share)], caplog)

    @pytest.mark.parametrize("size", [1, 16, 99, 100, 101, 511, 512, 4095, 4096, 4097])
    def test_or_cut_anywhere_in_its_first_page(self, filled: Path, size: int, caplog):
        start = filled.read_bytes()[:size]
        filled.write_bytes(start)
        prove_begun_anew(filled, start, caplog)

    def test_a_zeroed_file_is_set_aside(self, filled: Path, caplog):
        zeros = bytes(filled.stat().st_size)
        filled.write_bytes(zeros)
        prove_begun_anew(filled, zeros, caplog)

    @pytest.mark.parametrize(
        "content", [b"targets: []\n" * 50, b"x", b"\xff" * 5000, b"SQLite format 3\0" * 64]
    )
    def test_what_is_no_database_is_set_aside(self, path: Path, content: bytes, caplog):
        path.write_bytes(content)
        prove_begun_anew(path, content, caplog)

    @pytest.mark.parametrize("page", range(1, 12))
    def test_a_zeroed_page_is_found(self, filled: Path, page: int, caplog):
        spoiled = bytearray(filled.read_bytes())
        spoiled[page * 4096 : (page + 1) * 4096] = bytes(4096)
        filled.write_bytes(spoiled)
        prove_begun_anew(filled, bytes(spoiled), caplog)

    @pytest.mark.parametrize(
        "change",
        [
            "PRAGMA application_id = 7",
            "PRAGMA application_id = 0",
            "PRAGMA user_version = 999",
            "PRAGMA user_version = 0",
            "ALTER TABLE uploads RENAME COLUMN parts TO pieces",
            "DROP TABLE buckets",
            "DROP TABLE names",
            "ALTER TABLE name_blocks RENAME COLUMN size TO weight",
            "ALTER TABLE uploads DROP COLUMN name",
            "DELETE FROM salt",
            "UPDATE salt SET bytes = x'00'",
            "INSERT INTO salt VALUES (x'00')",
        ],
    )
    def test_what_is_of_another_program_or_version_is_set_aside(self, filled: Path, change: str, caplog):
        with sqlite3.connect(filled) as other:
            other.execute(change)
        other.close()
        prove_begun_anew(filled, filled.read_bytes(), caplog)

    def test_a_database_of_another_program_is_kept_whole(self, path: Path, caplog):
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE uploads (a)")
        other.execute("INSERT INTO uploads VALUES (1)")
        other.commit()
        other.close()
        prove_begun_anew(path, path.read_bytes(), caplog)

    @pytest.mark.parametrize("change", ["", TO_VERSION_2, TO_VERSION_3])
    def test_a_file_of_an_earlier_version_is_migrated_and_keeps_everything(self, path: Path, change: str):
        with sqlite3.connect(path) as old:
            old.executescript(VERSION_1.read_text(encoding="utf-8") + change)
        old.close()
        memory = opened(path)
        assert [
            (record.checked_at, record.bytes, record.abort_at) for record in kept(memory, range(6)) if record
        ] == [(START + number, totals(number).bytes, None) for number in range(6)]
        assert memory.ledger.refusals.refused_at
        assert memory.ledger.result == ScanResult(
            SUMMARY_OF_VERSION_1, finished=START + 6, duration=1.0, warning=""
        )
        assert set(known_names(memory).values()) == {None}
        remember(memory, range(4))
        assert set(known_names(memory).values()) == {None, *map(upload, range(4))}
        memory.state.close()
        with sqlite3.connect(path) as other:
            assert other.execute("PRAGMA user_version").fetchall() == [(database.VERSION,)]
        other.close()
        assert aside(path) == []

    def test_an_abort_date_is_kept(self, path: Path):
        memory = opened(path)
        [(row_id, record)] = memory.ledger.look_up([upload(1)])
        memory.ledger.record_parts(row_id, upload(1), totals(1)._replace(abort_at=START + 5), START, record)
        memory.rows.flush()
        memory.state.close()
        again = opened(path)
        assert [record and record.abort_at for record in kept(again, range(1, 2))] == [START + 5]
        again.state.close()

    def test_the_log_beside_it_goes_along(self, filled: Path):
        memory = opened(filled)
        remember(memory, range(10))
        memory.rows.flush()
        log = filled.with_name("state.db-wal")
        frames = log.read_bytes()
        memory.state.close()
        filled.write_bytes(b"nothing of ours")
        log.write_bytes(frames)
        assert prove_rows(filled) == 0
        assert [each.read_bytes() for each in aside(filled)] == [b"nothing of ours", frames]


class TestReadError:
    def test_a_single_one_that_sqlite_takes_for_damage_costs_nothing(
        self, filled: Path, monkeypatch: pytest.MonkeyPatch
    ):
        connect, error = sqlite3.connect, sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        errors = [error]

        def fail_once(*place: object, **options: object) -> sqlite3.Connection:
            if errors:
                raise errors.pop()
            return connect(*place, **options)

        monkeypatch.setattr(sqlite3, "connect", fail_once)
        assert prove_rows(filled) == UPLOADS
        assert aside(filled) == []

    def test_a_disk_that_cannot_be_read_leaves_the_file_where_it_is(
        self, filled: Path, monkeypatch: pytest.MonkeyPatch
    ):
        spoiled = bytes(filled.stat().st_size)
        filled.write_bytes(spoiled)
        monkeypatch.setattr(os, "pread", fail)
        assert prove_rows(filled) == 0
        assert (filled.read_bytes(), aside(filled)) == (spoiled, [])

    def test_a_place_that_cannot_be_looked_at_is_said(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(Path, "is_dir", fail)
        with pytest.raises(StateError, match="Input/output error"):
            StateDatabase(path).open(threading.Event())


def fail(*_: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")


class TestDamagedInUse:
    def test_it_is_set_aside_and_begun_anew_under_the_same_salt(self, filled: Path, caplog):
        memory = opened(filled)
        salt = memory.state.salt
        with filled.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (filled.stat().st_size - 4096))
        memory.state.read("PRAGMA shrink_memory")  # else it would be read from there
        with caplog.at_level(logging.WARNING):
            assert None in kept(memory, range(UPLOADS))
            remember(memory, range(UPLOADS))
            assert memory.rows.flush()
        assert "it is set aside, and a new one is begun" in caplog.text
        assert memory.state.salt == salt
        assert None not in kept(memory, range(UPLOADS))
        memory.state.close()
        assert prove_rows(filled) == UPLOADS
        assert len(aside(filled)) >= 1


class TestLostInUse:
    """The file is removed or replaced while it is open: the system keeps it until the process ends."""

    @pytest.fixture
    def backup(self, filled: Path, tmp_path: Path) -> Path:
        """Give a file of an earlier time in another folder, and begin anew."""
        (tmp_path / "kept").mkdir()
        return filled.rename(tmp_path / "kept/backup.db")

    @pytest.mark.parametrize(
        "lost",
        [["state.db"], ["state.db-wal"], ["state.db", "state.db-wal", "state.db.lock"], ["state.db.lock"]],
    )
    def test_what_was_removed_is_written_anew_whole(self, path: Path, lost: list[str], caplog):
        failures: list[None] = []
        state = StateDatabase(path, on_failure=lambda: failures.append(None))
        state.open(threading.Event())
        memory = Memory(state)
        remember(memory, range(100))
        memory.rows.flush()
        for name in lost:
            path.with_name(name).unlink()
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                remember(memory, range(200))
                settle(memory, 400)
                remember(memory, range(200))
        assert (len(failures), len(caplog.records)) == (1, 1)
        assert "was removed" in caplog.text
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == dict.fromkeys(("state.db", "state.db-wal", "state.db.lock"), 0o600)
        with pytest.raises(StateError, match="used by another process"):
            StateDatabase(path).open(threading.Event(), wait=0)
        memory.rows.flush()
        state.close()
        assert prove_rows(path) == 200

    def test_a_backup_in_its_place_is_set_aside_as_it_is(self, backup: Path, path: Path, caplog):
        memory, content = opened(path), backup.read_bytes()
        remember(memory, range(100))
        backup.rename(path)
        with caplog.at_level(logging.WARNING):
            memory.rows.flush()
            memory.state.close()
        assert "was removed or replaced while in use: it is written anew" in caplog.text
        assert [each.read_bytes() for each in aside(path)] == [content]
        assert prove_rows(path) == 100

    def test_another_exporter_that_has_begun_there_is_left_alone(self, filled: Path, caplog):
        first = opened(filled)
        for each in filled.parent.iterdir():
            each.unlink()
        second = opened(filled)
        remember(second, range(7))
        second.rows.flush()
        with caplog.at_level(logging.WARNING):
            settle(first, UPLOADS)
            settle(first, UPLOADS)
            assert len(caplog.records) == 1
            first.state.close()
        assert caplog.records[0].fields["error"] == "another process uses it now"
        second.state.close()
        assert (prove_rows(filled), aside(filled)) == (7, [])

    def test_without_its_folder_it_is_written_at_the_end_if_that_is_back(self, tmp_path: Path, caplog):
        folder = tmp_path / "state"
        folder.mkdir()
        memory = opened(folder / "state.db")
        remember(memory, range(UPLOADS))
        memory.rows.flush()
        shutil.rmtree(folder)
        settle(memory, 100)
        settle(memory, 0)
        assert [record.fields["error"] for record in caplog.records] == ["No such file or directory"]
        folder.mkdir()
        memory.state.close()
        assert prove_rows(folder / "state.db") == 50


class TestPlace:
    def test_only_its_owner_may_read_it_and_the_files_beside_it(self, path: Path):
        memory = opened(path)
        remember(memory, range(10))
        memory.rows.flush()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        memory.state.close()
        assert modes == dict.fromkeys(("state.db", "state.db-wal", "state.db.lock"), 0o600)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("no/state.db", "No such file or directory: the folder has to be there and writable"),
            ("", "is a folder: name a file in it"),
        ],
    )
    def test_a_folder_that_cannot_be_used_is_said(self, tmp_path: Path, name: str, text: str):
        with pytest.raises(StateError, match=text):
            StateDatabase(tmp_path / name).open(threading.Event())

    @pytest.mark.parametrize("name", ["state.db", "state.db-wal", "state.db.lock"])
    def test_a_pipe_is_said_and_not_waited_for(self, path: Path, name: str):
        os.mkfifo(pipe := path.with_name(name))
        with pytest.raises(StateError, match=f"{pipe} is no regular file"):
            StateDatabase(path).open(threading.Event())

    @pytest.mark.parametrize("name", ["state.db", "state.db.lock"])
    def test_a_file_that_may_not_be_opened_is_named_rather_than_its_folder(
        self, filled: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ):
        refused = str(filled.with_name(name))
        open_file = os.open

        def refuse(path: str | Path, flags: int, mode: int = 0o777) -> int:
            if str(path) == refused:
                raise PermissionError(errno.EPERM, "Operation not permitted", refused)
            return open_file(path, flags, mode)

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(StateError) as caught:
            StateDatabase(filled).open(threading.Event())
        advice = "the exporter has to be able to read and write this file"
        assert str(caught.value) == f"state.path: {refused}: Operation not permitted: {advice}"

    def test_a_file_for_a_folder_is_said(self, path: Path):
        path.touch()
        with pytest.raises(StateError, match="Not a directory"):
            StateDatabase(path / "state.db").open(threading.Event())


def test_a_bucket_that_was_forgotten_is_remembered_anew(path: Path):
    memory = opened(path)
    remember(memory, range(3))
    memory.rows.flush()
    memory.state.keep_only([])
    remember(memory, range(3, 5))
    assert memory.rows.flush()
    assert [record is not None for record in kept(memory, range(5))] == [False] * 3 + [True] * 2
    assert [name.bucket for name in memory.state.bucket_names()] == [NAME.bucket]


class TestSecrecy:
    def test_without_names_no_key_and_no_upload_id_is_stored(self, path: Path):
        memory = opened(path, max_names=0)
        remember(memory, range(10))
        assert memory.rows.flush()
        assert memory.state.read("SELECT texts FROM names") == []
        remember(memory, range(UPLOADS))
        settle(memory, UPLOADS)
        assert memory.rows.flush()
        assert set(known_names(memory).values()) == {None}
        assert memory.state.read("SELECT texts FROM names") == []
        written = b"".join(file.read_bytes() for file in path.parent.iterdir())
        memory.state.close()
        written += path.read_bytes()
        assert b"media" in written  # the bucket's name may be read
        assert b"nobody" not in written

    def test_names_are_erased_at_the_start_where_none_are_wanted_any_more(self, filled: Path):
        memory = opened(filled)
        blocks = [block for (block,) in memory.state.read("SELECT texts FROM names")]
        memory.state.close()
        opened(filled, max_names=0).state.close()
        assert [block[-40:] in filled.read_bytes() for block in blocks] == [False] * 8
        memory = opened(filled)
        assert known_names(memory) == dict.fromkeys(map(memory.ledger.row_id, map(upload, range(UPLOADS))))
        remember(memory, range(3))
        assert set(known_names(memory).values()) == {None, *map(upload, range(3))}
        memory.state.close()

    def test_keys_at_which_listings_are_cut_are_erased_with_names_or_without(self, path: Path):
        memory = opened(path)
        memory.ledger.boundaries = Boundaries(("a boundary key",), ("",), 9)
        settle(memory, 0)
        memory.state.close()
        assert b"a boundary key" in path.read_bytes()
        opened(path, max_names=0).state.close()
        assert b"a boundary key" not in path.read_bytes()
        memory = opened(path)
        assert memory.ledger.boundaries == Boundaries()
        assert memory.ledger.result is not None
        memory.state.close()

    def test_those_of_ended_uploads_are_erased(self, filled: Path):
        memory = opened(filled)
        blocks = [block for (block,) in memory.state.read("SELECT texts FROM names")]
        settle(memory, 2)
        memory.state.close()
        assert [block[-40:] in filled.read_bytes() for block in blocks] == [False] * 8

    def test_two_files_have_two_salts(self, tmp_path: Path):
        salts = set()
        for name in ("a", "b"):
            memory = opened(tmp_path / name)
            salts.add(memory.state.salt)
            memory.state.close()
        assert len(salts) == 2


@pytest.mark.slow
class TestSize:
    def test_an_upload_takes_no_more_than_promised(self, path: Path):
        memory = opened(path, max_names=0)
        remember(memory, range(20_000))
        memory.rows.flush()
        memory.state.close()
        assert path.stat().st_size / 20_000 <= MOST_BYTES

    def test_nor_after_half_of_them_were_replaced(self, path: Path):
        memory = opened(path, max_names=0)
        remember(memory, range(20_000))
        settle(memory, 20_000)
        remember(memory, range(20_000, 30_000))
        memory.rows.flush()
        assert memory.rows.count() == 20_000
        memory.state.close()
        assert path.stat().st_size / 20_000 <= MOST_BYTES

    def test_nor_do_they_with_names_in_which_nothing_repeats_after_some_were_replaced(self, path: Path):
        memory, uploads = opened(path), [named_at_random(number) for number in range(8000)]
        remember_all(memory, listed := uploads[:4000])
        for first in range(4000, 8000, 500):
            listed = sorted(random.Random(first).sample(listed, 3500))
            memory.ledger.look_up(listed)
            assert memory.ledger.commit(ScanResult(SUMMARY_OF_VERSION_1, START, 1.0))
            remember_all(memory, uploads[first : first + 500])
            listed += uploads[first : first + 500]
        assert set(known_names(memory).values()) == set(listed)
        memory.state.close()
        assert path.stat().st_size / 4000 <= MOST_BYTES_BY_NAME

    def test_room_that_is_no_longer_needed_is_given_back(self, path: Path):
        memory = opened(path)
        remember(memory, range(40_000))
        settle(memory, 2)
        memory.state.close()
        large = path.stat().st_size
        opened(path).state.close()
        assert path.stat().st_size < large / 10

    def test_the_copy_that_this_takes_is_made_beside_the_file(self, tmp_path: Path):
        """A container has no other folder that can be written: SQLite's own choice would be /tmp."""
        folder = tmp_path / "it's mine"
        folder.mkdir()
        memory = opened(folder / "state.db")
        remember(memory, range(40_000))
        settle(memory, 2)
        memory.state.close()
        opened(folder / "state.db").state.close()
        with closing(sqlite3.connect(":memory:")) as other:
            assert other.execute("PRAGMA temp_store_directory").fetchall() == [(str(folder),)]


class TestOtherConfig:
    def test_buckets_that_are_no_longer_watched_are_forgotten(self, filled: Path):
        memory = opened(filled)
        other = NAME._replace(bucket="other")
        memory.state.keep_only([other])
        assert (Memory(memory.state).ledger.result, memory.rows.count()) == (None, 0)
        assert memory.state.read(
            "SELECT count(*), 1 FROM names UNION SELECT count(*), 2 FROM name_blocks"
        ) == [
            (0, 1),
            (0, 2),
        ]
        memory.state.close()

    def test_those_that_are_stay(self, filled: Path):
        memory = opened(filled)
        memory.state.keep_only([NAME, NAME._replace(bucket="other")])
        assert set(known_names(memory).values()) == set(map(upload, range(UPLOADS)))
        memory.state.close()

    @pytest.mark.parametrize(
        "other", [{"endpoint_url": "https://b.example.com"}, {"target": "b"}, {"store": "obs"}]
    )
    def test_a_bucket_of_the_same_name_elsewhere_is_another(self, filled: Path, other: dict[str, str]):
        memory = opened(filled)
        rows = LedgerRows(memory.state, NAME._replace(**other))
        assert (rows.count(), Ledger(rows).result) == (0, None)
        memory.state.close()

    def test_a_result_under_other_settings_is_not_shown_but_its_uploads_are_known(self, filled: Path):
        memory = opened(filled)
        ledger = Ledger(memory.rows, "other settings")
        assert (ledger.result, memory.rows.count()) == (None, UPLOADS)
        memory.state.close()


class TestOneProcess:
    def test_a_second_waits_and_then_gives_up(self, filled: Path):
        first, waited = opened(filled), []

        class Stop:
            def wait(self, timeout: float) -> bool:
                waited.append(timeout)
                return False

        with pytest.raises(StateError, match="is used by another process: each needs a file of its own"):
            StateDatabase(filled).open(Stop(), monotonic=lambda: sum(waited))
        assert sum(waited) == pytest.approx(WAIT_SECONDS, abs=1)
        first.state.close()

    def test_a_second_goes_on_where_the_first_ended(self, filled: Path):
        first = opened(filled)

        class Ending:
            def wait(self, timeout: float) -> bool:
                first.state.close()
                return False

        second = StateDatabase(filled)
        assert second.open(Ending())
        assert Memory(second).rows.count() == UPLOADS
        second.close()

    def test_a_second_that_is_stopped_stops(self, filled: Path):
        first, stop = opened(filled), threading.Event()
        stop.set()
        assert StateDatabase(filled).open(stop) is False
        first.state.close()

    def test_another_program_at_work_on_it_is_waited_for(self, filled: Path):
        other = sqlite3.connect(filled)
        other.execute("BEGIN EXCLUSIVE")

        class Ending:
            def wait(self, timeout: float) -> bool:
                other.rollback()
                other.close()
                return False

        state = StateDatabase(filled)
        assert state.open(Ending())
        state.close()
        assert aside(filled) == []

    def test_a_closed_state_knows_nothing_and_fails_nothing(self, filled: Path):
        memory = opened(filled)
        memory.state.close()
        remember(memory, range(600))
        assert (memory.rows.flush(), memory.rows.count()) == (False, 0)


def test_no_descriptor_is_left_open(filled: Path):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        opened(filled).state.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
