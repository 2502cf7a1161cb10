"""Lines of libraries, of clients' mistakes, with tracebacks: a few a minute of a kind, the rest counted."""

import io
import logging
import threading
from collections import Counter
from pathlib import Path

import pytest

from exporter.cli.log_limit import EXAMPLE_LENGTH, KINDS, LINES, PERIOD_SECONDS, LimitedHandler

COUNT = f"more lines like these were left out: {LINES} a minute are written"


class Limit:
    """A handler with a clock that is set by hand, and what it has written."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stream = io.StringIO()
        self.handler = LimitedHandler(self.stream, lambda: self.now)

    def log(self, message: str = "m", *, name: str = "urllib3", line: int = 1, **also: object) -> None:
        values = {"name": name, "levelno": 30, "levelname": "WARNING", "msg": message, "lineno": line}
        self.handler.handle(logging.makeLogRecord(values | {"pathname": "file.py"} | also))

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def limit() -> Limit:
    return Limit()


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what the lines with numbers say was left out, of which logger, like what."""
    told: list[object] = []
    emit = logging.StreamHandler.emit

    def note(handler: logging.StreamHandler, record: logging.LogRecord) -> None:
        if record.getMessage() == COUNT:
            fields = record.__dict__["fields"]
            told.append((fields["logger"], fields["example"], fields["left_out"]))
        emit(handler, record)

    monkeypatch.setattr(logging.StreamHandler, "emit", note)
    return told


def raised(error: Exception) -> dict[str, object]:
    return {"exc_info": (type(error), error, None)}


def test_of_one_kind_the_first_lines_are_written_and_the_others_are_counted(limit: Limit, left_out: list):
    for number in range(LINES + 5):
        limit.log(f"line {number}")
    limit.now = PERIOD_SECONDS
    limit.handler.tell_overdue()
    assert limit.lines() == [*(f"line {number}" for number in range(LINES)), COUNT]
    assert left_out == [("urllib3", "line 0", 5)]


def test_a_minute_later_lines_are_written_again(limit: Limit):
    for limit.now in (0.0, PERIOD_SECONDS):
        for _ in range(LINES + 1):
            limit.log()
    assert Counter(limit.lines()) == {"m": 2 * LINES, COUNT: 1}


def test_before_its_minute_is_over_nothing_is_told(limit: Limit):
    for _ in range(LINES + 1):
        limit.log()
    limit.now = PERIOD_SECONDS - 1
    limit.handler.tell_overdue()
    assert COUNT not in limit.lines()


def test_the_number_comes_before_the_next_line_whatever_that_is(limit: Limit):
    for _ in range(LINES + 1):
        limit.log()
    limit.now = PERIOD_SECONDS
    limit.log("a scan", name="exporter.scheduler.scan_log")
    assert limit.lines()[-2:] == [COUNT, "a scan"]


def test_the_number_comes_at_the_end_of_the_program(limit: Limit, left_out: list):
    for _ in range(LINES + 7):
        limit.log()
    limit.handler.close()
    assert left_out == [("urllib3", "m", 7)]


def test_nothing_is_told_where_nothing_was_left_out(limit: Limit):
    for _ in range(LINES):
        limit.log()
    limit.handler.close()
    assert limit.lines() == ["m"] * LINES


@pytest.mark.parametrize(
    "also",
    [
        {"name": "botocore.auth"},
        {"line": 2},
        {"pathname": "other.py"},
        raised(KeyError("a")),
    ],
    ids=["logger", "line", "file", "exception"],
)
def test_lines_of_another_kind_have_room_of_their_own(limit: Limit, also: dict):
    for _ in range(LINES):
        limit.log()
    limit.log("another", **also)
    assert "another" in limit.lines()


def test_exceptions_of_one_name_are_one_kind_though_a_library_makes_their_class_anew(limit: Limit):
    for _ in range(LINES + 1):
        limit.log(**raised(type("NoSuchBucket", (Exception,), {})()))
    assert limit.lines().count("m") == LINES


@pytest.mark.parametrize(
    "name",
    ["exporter.web.server.acceptor", "exporter.config.reload", "exporter.scheduler.scan_now", "py.warnings"],
)
def test_what_clients_and_libraries_cause_is_limited(limit: Limit, name: str):
    for _ in range(LINES + 1):
        limit.log(name=name)
    assert limit.lines() == ["m"] * LINES


@pytest.mark.parametrize("name", ["exporter.scheduler.scan_log", "exporter.scheduler.discovery", "exporter"])
def test_lines_of_our_own_are_not(limit: Limit, name: str):
    for _ in range(LINES + 1):
        limit.log(name=name)
    assert limit.lines() == ["m"] * (LINES + 1)


def test_lines_of_our_own_with_tracebacks_are(limit: Limit):
    for _ in range(LINES + 1):
        limit.log(name="exporter.scheduler.loop", **raised(ValueError("a bug")))
    assert limit.lines().count("m") == LINES


def test_kinds_without_end_are_told_as_one(limit: Limit, left_out: list):
    for number in range(KINDS + LINES + 90):
        limit.log(name=f"library-{number}")
    limit.handler.close()
    assert len(limit.lines()) == KINDS + LINES + 1
    assert left_out == [("others", "lines of many kinds", 90)]


def test_an_example_is_short_and_half_a_secret_is_hidden_as_the_whole(limit: Limit, left_out: list):
    secret = "AKIA" + "X" * 16
    for _ in range(LINES + 1):
        limit.log("%s %s", args=("x" * (EXAMPLE_LENGTH - 8), secret))
    limit.handler.close()
    [(_, example, _)] = left_out
    assert len(example) == EXAMPLE_LENGTH
    assert "AKIA" not in example


def test_a_line_whose_arguments_do_not_suit_its_text_ends_nothing(
    limit: Limit, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    limit.log("%d", args=("x",))
    limit.log("next")
    assert limit.lines() == ["next"]


def test_many_threads_lose_no_count(limit: Limit, left_out: list):
    def log() -> None:
        for _ in range(500):
            limit.log()

    threads = [threading.Thread(target=log) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    limit.handler.close()
    assert left_out == [("urllib3", "m", 4000 - LINES)]


@pytest.mark.parametrize("threads", [True, False])
def test_lines_and_numbers_are_written_behind_or_directly_where_there_is_no_thread_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, threads: bool
):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    if not threads:
        monkeypatch.setattr(threading.Thread, "start", refuse)
    with (tmp_path / "log").open("w") as file:
        handler = LimitedHandler(file)
        handler.write_behind()
        for _ in range(LINES + 1):
            handler.handle(logging.makeLogRecord({"name": "urllib3", "msg": "m"}))
        handler.close()
    assert (tmp_path / "log").read_text().splitlines() == [*["m"] * LINES, COUNT]
