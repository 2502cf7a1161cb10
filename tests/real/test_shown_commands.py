"""Every command line that --help, README and docs/ show is run as it stands, beside a config.yaml."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.documents import GUIDE, README, blocks, code
from servers import running, wait_until
from servers.exporter import SECRET_KEY
from servers.s3 import S3, Part, Upload
from servers.standin import StandIn

from exporter.cli import main as cli

SERVES = ("serve", "demo")


def command(line: str) -> str:
    """Return the command that a line runs: `serve` where none is named."""
    word = line.split()[1]
    return "serve" if word.startswith("-") else word


def shown() -> list[str]:
    """Return the command lines, each once, without the path that the README's venv has."""
    lines = [line for command in cli.COMMANDS.values() for line in command.examples]
    for text in (README, *GUIDE.values()):
        blocks_lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
        lines += [part.strip() for line in blocks_lines for part in line.split("&&")]
        lines += code(text)
    commands = (line.removeprefix(".venv/bin/") for line in lines)
    return sorted({line for line in commands if line.startswith("mpu-exporter ") and "COMMAND" not in line})


LINES = shown()


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    s3 = S3()
    parts = [Part(1, 2 * 2**30)]
    s3.buckets["media"] = [Upload(f"{n}", f"id-{n}", parts=parts) for n in range(3)]
    s3.buckets["backups"] = []
    with StandIn(s3) as server:
        yield server
    assert s3.refused == []


@pytest.fixture
def home(server: StandIn, tmp_path: Path) -> Path:
    """A folder with a config.yaml, and a `bin` with the command."""
    config = (
        "targets:\n- {name: prod, store: s3, region: eu-west-1, buckets: [media, backups],"
        f" addressing_style: path, endpoint_url: '{server.url}'}}\n"
    )
    (tmp_path / "config.yaml").write_text(config)
    (tmp_path / "web.yml").write_text("basic_auth_users: {}\n")  # its own tests have it with more
    for folder in ("bin", ".zfunc", "etc/bash_completion.d", "var/lib/node_exporter"):
        (tmp_path / folder).mkdir(parents=True)
    command = tmp_path / "bin" / "mpu-exporter"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m exporter "$@"\n')
    command.chmod(0o755)
    return tmp_path


def own_environment(home: Path) -> dict[str, str]:
    return {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def test_there_are_some_of_each_command():
    assert {line.split()[1] for line in LINES} >= {*cli.COMMANDS}


@pytest.mark.parametrize("line", [line for line in LINES if command(line) not in SERVES])
def test_it_does_what_it_is_shown_for(home: Path, line: str):
    script = re.sub(r"(?<=[ =])/(etc|var)/", rf"{home}/\1/", line)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=home,
        env=os.environ | own_environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = [Path(path) for path in re.findall(r"(?:--output=|> )(\S+)", script)]
    assert len(done.stdout) > 0 or written
    for path in written:
        assert (home / str(path).removeprefix("~/")).stat().st_size > 0


@pytest.mark.parametrize("line", [line for line in LINES if command(line) == "serve"])
def test_what_serves_comes_up_and_ends_with_0(home: Path, line: str):
    """The demo has tests of its own."""
    log = home / "log"
    words = [*shlex.split(line, comments=True), "--web.listen-address=127.0.0.1:0"]
    settings = [f"{name}={value}" for name, value in own_environment(home).items()]
    with running(["env", "-C", str(home), *settings, *words], log) as process:
        wait_until("serving", lambda: "listening" in log.read_text() or process.poll() is not None, log=log)
        process.terminate()
        assert process.wait(20) == 0
