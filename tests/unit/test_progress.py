"""How far a command has come: what the line says, and that log lines and it leave each other whole."""

import io
import logging

import pytest
from fakes import Clock, upload
from servers import wait_until

from exporter.cli.terminal.progress import Progress
from exporter.model.uploads import CountedUpload


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def found(number: int, parts: int | None = 2, size: int | None = 2048) -> CountedUpload:
    return CountedUpload(upload(number), None, parts, size, "STANDARD")


def test_it_adds_up_over_buckets_and_a_bucket_that_starts_over_counts_once():
    clock = Clock()
    progress = Progress(io.StringIO(), clock.monotonic)
    progress.expect(3)
    media, other = progress.watch("prod", "media"), progress.watch("prod", "other")
    media(found(1))
    media(found(2, None, None))
    other(found(3))
    other(found(4)._replace(parts=None, bytes=None, denied=True))
    again = progress.watch("prod", "media")
    again(found(1))
    for operation in ("ListMultipartUploads", "ListParts", "HeadBucket"):
        progress.sent(operation)
    progress.finish()
    clock.now = 4.0
    assert progress.line(0.0) == "1/3 buckets  2 uploads  4 parts  4.0 KiB  2 pages  0/s  4s"


def test_a_log_line_takes_the_place_of_what_was_drawn(monkeypatch: pytest.MonkeyPatch):
    tty = Tty()
    monkeypatch.setenv("TERM", "xterm")
    handler = logging.StreamHandler(tty)
    logging.getLogger().addHandler(handler)
    try:
        with Progress(tty) as progress:
            wait_until("the line", lambda: "buckets" in tty.getvalue(), seconds=10)
            logging.getLogger("exporter.test").warning("hello")
            assert handler.stream is progress
        assert handler.stream is tty
        logging.getLogger("exporter.test").warning("again")
    finally:
        logging.getLogger().removeHandler(handler)
    written = tty.getvalue()
    assert "\r\x1b[Khello\n" in written
    assert written.endswith("again\n")


def test_in_a_pipe_nothing_is_written():
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress.expect(1)
    assert pipe.getvalue() == ""
