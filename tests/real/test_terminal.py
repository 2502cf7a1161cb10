"""Commands on a real pseudo-terminal: progress while they work, and nothing of it left when they end."""

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import MALICIOUS_KEYS, listable
from servers import wait_until
from servers.commands import command
from servers.exporter import target
from servers.s3 import PARTS, S3, UPLOADS, Fault, Part, Upload
from servers.standin import Reply, StandIn
from servers.terminal import Terminal, on_terminal

KEYS = [key for key in MALICIOUS_KEYS if listable(key)]


@pytest.fixture
def s3() -> S3:
    s3 = S3()
    parts = [Part(1, 1024)]
    s3.buckets["media"] = [Upload(f"{n:06}", f"id-{n}", parts=parts) for n in range(1500)]
    s3.buckets["hostile"] = [Upload(key, f"id-{n}", parts=parts) for n, key in enumerate(KEYS)]
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server


def shows(terminal: Terminal, text: str) -> None:
    wait_until(f"{text!r} on the terminal", lambda: text in terminal.screen()[-1])


def hang(s3: S3, operation: str, after: int) -> None:
    """Have the server not answer any more from so many requests of this kind on."""
    s3.faults.add(Fault(operation, on=range(after + 1, 10**6), reply=lambda reply: replace(reply, hang=True)))


@pytest.mark.parametrize("name", ["scan", "uploads"])
def test_progress_is_shown_and_gone_at_the_end(s3, server, tmp_path: Path, name: str):
    seen = threading.Event()
    s3.faults.add(Fault(UPLOADS, on={2}, reply=lambda reply: reply if seen.wait(60) else Reply(500)))
    patient = target("prod", server.url, "media", scan={"request_timeout": "60s"})
    with on_terminal(command(name, tmp_path, patient)) as terminal:
        shows(terminal, "0/1 buckets  1,000 uploads")
        seen.set()
        assert terminal.wait() == 0
        assert "KiB" in terminal.written
        assert " pages  " in terminal.written
        lines = terminal.screen()
    assert lines[0].startswith("target")
    assert lines[-1] == ""
    assert not any("pages" in line for line in lines)


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("name", ["scan", "uploads"])
def test_every_line_fits_the_terminal_and_hostile_keys_give_it_no_orders(
    server, tmp_path: Path, name: str, columns: int
):
    long = "a-bucket-whose-name-is-as-long-as-the-name-of-a-bucket-may-be"
    targets = (target("prod", server.url, "hostile"), target("another-target", server.url, long))
    with on_terminal(
        command(name, tmp_path, *targets, flags=("--limit=0",) * (name == "uploads")), columns=columns
    ) as terminal:
        assert terminal.wait() == 2
        lines = terminal.screen()
    told = f"another-target/{long}: not_found"
    table = [line for line in lines if line and not line.startswith(told)]
    assert len(table) == (1 + len(KEYS) if name == "uploads" else 3)
    assert all(len(line) <= columns for line in table)
    assert all(line.isprintable() for line in lines)
    assert "".join(lines).count("ListMultipartUploads") == 1  # the failure is told once, below the table


@pytest.mark.parametrize("name", ["scan", "uploads"])
def test_ctrl_c_in_the_middle_leaves_the_terminal_as_it_was(s3, server, tmp_path: Path, name: str):
    hang(s3, PARTS, 100)
    flags = (f"--output={tmp_path}/out",)
    with on_terminal(command(name, tmp_path, target("prod", server.url, "media"), flags=flags)) as terminal:
        shows(terminal, "0/1 buckets")
        wait_until("sizing", lambda: sum("uploadId" in each.query for each in server.requests) > 100)
        terminal.press(b"\x03")
        wait_until("the end", lambda: terminal.process.poll() is not None)
        assert terminal.attributes == terminal.before
        assert terminal.wait() == 128 + signal.SIGINT
        assert terminal.screen()[-1] in {"", "^C"}
        assert not any("buckets" in line or "Traceback" in line for line in terminal.screen())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml"]


def test_a_dumb_terminal_gets_no_progress(server, tmp_path: Path):
    line = ["env", "TERM=dumb", *command("scan", tmp_path, target("prod", server.url, "media"))]
    with on_terminal(line) as terminal:
        assert terminal.wait() == 0
        assert "\x1b" not in terminal.written
