"""Log lines on their way to a reader that may be slow, hang or refuse them: no thread waits for it."""

import fcntl
import os
from collections.abc import Iterator

import pytest
from servers import wait_until

from exporter.cli import log_queue
from exporter.cli.log_queue import LogQueue

LINE = "x" * 1023 + "\n"
PIPE_BYTES = 4096
QUEUED = 32 * len(LINE)
TOO_MANY = 64


class Pipe:
    """A small pipe with a queue before it, and what was read from it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self.reader, False)
        self.queue = LogQueue(self.writer, "lost {} lines\n".format)
        self.text = ""

    def wait_for(self, end: str) -> list[str]:
        """Read until the text so far ends so; return its lines."""

        def ended() -> bool:
            try:
                while data := os.read(self.reader, 65536):
                    self.text += data.decode()
            except BlockingIOError:
                return self.text.endswith(end)
            return False

        wait_until(end, ended)
        return self.text.splitlines(keepends=True)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.reader)  # lets the thread end that writes
    made.queue.drain(10)
    os.close(made.writer)


@pytest.mark.parametrize("blocks", [True, False])
def test_lines_come_whole_and_in_order_though_their_reader_comes_late(pipe: Pipe, *, blocks: bool):
    os.set_blocking(pipe.writer, blocks)
    lines = [f"{number} {'ü' * 200}\n" for number in range(100)]
    for line in lines:
        pipe.queue.write(line)
    assert pipe.wait_for(lines[-1]) == lines


def test_where_too_many_wait_further_ones_are_lost_and_told_once_the_pipe_is_read(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log_queue, "QUEUED_CHARACTERS", QUEUED)
    for _ in range(TOO_MANY):
        pipe.queue.write(LINE)
    *written, told = pipe.wait_for("lines\n")
    assert (set(written), told) == ({LINE}, f"lost {TOO_MANY - len(written)} lines\n")
    assert len(written) * len(LINE) <= QUEUED + 2 * len(LINE) + PIPE_BYTES


def test_lines_that_are_refused_are_told_once_one_is_taken(pipe: Pipe):
    taking = os.dup(pipe.writer)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, pipe.writer)
    for _ in range(3):
        pipe.queue.write(LINE)
    pipe.queue.drain(10)
    os.dup2(taking, pipe.writer)
    for each in (taking, full):
        os.close(each)
    pipe.queue.write("next\n")
    assert pipe.wait_for("next\n") == ["lost 3 lines\n", "next\n"]


def test_a_drain_does_not_wait_for_ever(pipe: Pipe):
    for _ in range(100):
        pipe.queue.write(LINE)
    pipe.queue.drain(0.01)
    assert len(pipe.wait_for(100 * LINE)) == 100
