"""How signals end a command: while it starts, while it runs, and where it does not end by itself."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers.exporter import serving, target

from exporter.cli.main import COMMANDS
from exporter.cli.memory_limit import ADDRESS_SPACE_MIB, CONTAINER_MIB, find_shortage
from exporter.cli.start import ONE_SHOT
from exporter.model.scarcity import TOO_LITTLE

NOBODY = "http://127.0.0.1:1"
"""Where no server listens."""

INTERRUPTED = """
import os, runpy, signal, sys
number, place = int(sys.argv.pop(1)), sys.argv.pop(1)

def interrupt(event, arguments):
    if event == "import" and arguments[0] == place:
        os.kill(os.getpid(), number)

sys.addaudithook(interrupt)
runpy.run_module("exporter", run_name="__main__", alter_sys=True)
"""
"""Runs the exporter; a signal comes with the import of a module."""
PLAGUED = """
import os, runpy, signal, sys
signals, written = [signal.SIGHUP, signal.SIGUSR1], sys.stderr.write

def plague(*_):
    for number in signals:
        os.kill(os.getpid(), number)

def write(text):
    written(text)
    if "is listening" in text:
        plague()
        signals.clear()

def import_of(event, _):
    if event == "import" and "exporter.cli.main" in sys.modules:
        plague()

sys.stderr.write = write
sys.addaudithook(import_of)
runpy.run_module("exporter", run_name="__main__", alter_sys=True)
"""
"""Runs the exporter; what asks it for work comes with each import, and when it says where it listens."""
HELD = """
import ctypes, os, signal, sys, threading
from exporter.cli import signals
code = int(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: signals.force_exit_later(code))
os.kill(os.getpid(), signal.SIGTERM)
print("stopping", flush=True)
{held}
"""
UNREAD = """
import ctypes, select, sys, threading
from exporter.cli import signals
signals.FORCED_EXIT_SECONDS, signals.HELD_EXIT_SECONDS, signals.KILLED_SECONDS = 0.2, 0.4, 1
threading.Thread(target=sys.stderr.write, args=["of a log\\n" * 2**17]).start()
while select.select([], [sys.stderr], [], 0)[1]:
    pass
signals.force_exit_later(7)
{held}
"""
"""Fills the pipe of its log, which nobody reads, and is to end with 7."""
BLOCKED = """
import os, signal, sys
from exporter.cli.start import prepare_process
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
os.kill(os.getpid(), signal.SIGTERM)
prepare_process(sys.argv[1])
sys.exit("still there")
"""
LACKING = """
import runpy
from exporter.cli import main

def fail():
    try:
        bytes(2**60)
    except MemoryError:
        raise RuntimeError("of a library")

main.main = fail
runpy.run_module("exporter", run_name="__main__")
"""
"""Runs the exporter with a command that lacks memory, whatever a library makes of that."""
HOLDS = {
    "a thread that Python waits for": "threading.Thread(target=__import__('time').sleep, args=[60]).start()",
    "a thread that holds the interpreter": "ctypes.PyDLL(None).sleep(60)",
}


def run_interrupted(number: int, place: str, *words: str) -> tuple[int, str]:
    """Return exit code and standard error of a command that is sent a signal at the import of `place`."""
    line = [sys.executable, "-c", INTERRUPTED, str(int(number)), place, *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"targets": [target("t", NOBODY, "media", scan={"retries": 0})]}))
    return file


def test_the_commands_are_those_that_a_start_tells_apart():
    assert {*ONE_SHOT, "serve", "demo"} == COMMANDS.keys()


@pytest.mark.parametrize("place", ["argparse", "yaml", "exporter.service", "exporter.web.app"])
def test_sigterm_ends_serve_with_0_at_any_moment_of_its_start(config: Path, place: str):
    assert run_interrupted(signal.SIGTERM, place, f"--config.file={config}") == (0, "")


def test_a_config_whose_name_is_that_of_a_command_does_not_hide_serve(config: Path):
    file = config.rename(config.with_name("scan"))
    words = ["--config.file", "scan", "--web.listen-address=127.0.0.1:0"]
    line = [sys.executable, "-c", INTERRUPTED, str(int(signal.SIGTERM)), "yaml", *words]
    assert subprocess.run(line, cwd=file.parent, timeout=30, check=False).returncode == 0


def test_ctrl_c_ends_a_one_shot_command_that_starts_without_a_traceback(config: Path):
    expected = (-signal.SIGINT, "")
    assert run_interrupted(signal.SIGINT, "yaml", "scan", f"--config.file={config}") == expected


def test_what_asks_serve_for_work_while_it_starts_does_not_end_it(tmp_path: Path):
    config = {"targets": [target("t", NOBODY, "media", scan={"retries": 0})]}
    with serving(tmp_path, config, program=(sys.executable, "-c", PLAGUED)) as exporter:
        assert exporter.wait_tried("media")["mpu_scan_success", "media"] == 0
        limits = Path(f"/proc/{exporter.process.pid}/limits").read_text()
    assert limits.partition("Max core file size")[2].split()[0] == "0"


@pytest.mark.parametrize(("command", "code"), [("serve", 0), ("scan", -signal.SIGTERM)])
def test_a_signal_that_the_parent_has_blocked_ends_a_command_all_the_same(command: str, code: int):
    """A mask of signals outlives exec: what a supervisor blocks for itself, its children begin with."""
    line = [sys.executable, "-c", BLOCKED, command]
    assert subprocess.run(line, timeout=30, check=False).returncode == code


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "code"), [(each, 0 if "waits" in each else 1) for each in HOLDS])
def test_a_command_that_hangs_while_it_ends_is_ended_within_5_seconds(kind: str, code: int):
    line = [sys.executable, "-c", HELD.format(held=HOLDS[kind]), "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"stopping\n"
        started = time.monotonic()
        try:
            ended = process.wait(15)
        finally:
            process.kill()
        assert (ended, 4.0 <= time.monotonic() - started < 7.0) == (code, True)
        assert ("(most recent call first)" in process.stderr.read().decode()) == (code == 1)


@pytest.mark.parametrize(
    ("kind", "code"), [(each, 7 if "waits" in each else -signal.SIGALRM) for each in HOLDS]
)
def test_a_log_that_nobody_reads_does_not_keep_a_command_from_its_end(kind: str, code: int):
    line = [sys.executable, "-c", UNREAD.format(held=HOLDS[kind])]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(line, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.wait(15) == code
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["serve", "scan"])
def test_a_limit_of_memory_that_is_too_small_is_told_in_one_line(config: Path, command: str):
    line = f"ulimit -v {60 * 1024}; exec {sys.executable} -m exporter {command} --config.file={config}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False)
    expected = (
        f"mpu-exporter: ulimit -v is 60 MiB, and it needs at least {ADDRESS_SPACE_MIB}: raise the limit\n"
    )
    assert (done.returncode, done.stderr) == (1, expected)


def test_a_lack_of_memory_that_shows_later_is_told_in_one_line():
    done = subprocess.run([sys.executable, "-c", LACKING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"mpu-exporter: {TOO_LITTLE}\n")


@pytest.mark.parametrize(
    ("command", "where", "why"),
    [
        ("config schema", ">/dev/full", "No space left on device"),
        ("--version", ">/dev/full", "No space left on device"),
        ("check --config.file=config.yaml", ">/dev/full", "No space left on device"),
        ("scan --config.file=config.yaml", ">/dev/full", "No space left on device"),
        ("check --config.file=config.yaml", ">&-", "it is closed"),
    ],
)
def test_a_standard_output_that_takes_nothing_is_told_in_one_line(
    config: Path, command: str, where: str, why: str
):
    line = f"cd {config.parent}; unset PYTHONUNBUFFERED; {sys.executable} -m exporter {command} {where}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False)
    assert (1, f"standard output: {why}") == (done.returncode, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("command", "code"), [("scan --config.file=config.yaml", 2), ("scan --no-flag", 1)])
def test_a_standard_error_that_takes_nothing_changes_no_exit_code(config: Path, command: str, code: int):
    line = f"cd {config.parent}; unset PYTHONUNBUFFERED; {sys.executable} -m exporter {command} 2>/dev/full"
    done = subprocess.run(["sh", "-c", line], stdout=subprocess.DEVNULL, timeout=30, check=False)
    assert code == done.returncode


def test_under_a_limit_of_addresses_threads_have_small_stacks_and_what_ends_them_is_loaded():
    script = (
        "import resource, threading; from exporter.cli.memory_limit import save_address_space as save\n"
        "save(); print(threading.stack_size())\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29)); save()\n"
        "print(threading.stack_size()); print('libgcc_s' in open('/proc/self/maps').read())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(2 * 2**20), "True"]


NOTHING = ""
TOO_SMALL = (
    "mpu-exporter: the memory limit of its container (its cgroup) is 24 MiB, and it needs at least "
    f"{CONTAINER_MIB}: raise the limit"
)
V1, V2 = "4:memory:/docker/7\n0::/\n", "0::/kubepods/7\n"


@pytest.mark.parametrize(
    ("groups", "file", "limit", "told"),
    [
        (V2, "kubepods/memory.max", "max", NOTHING),
        (V2, "kubepods/memory.max", str(24 * 2**20), TOO_SMALL),
        (V2, "memory.max", str(24 * 2**20), TOO_SMALL),
        (V2, "kubepods/7/memory.max", str(CONTAINER_MIB * 2**20), NOTHING),
        (V1, "memory/docker/7/memory.limit_in_bytes", str(2**63 - 4096), NOTHING),
        (V1, "memory/docker/7/memory.limit_in_bytes", str(24 * 2**20), TOO_SMALL),
        (V1, "memory/memory.limit_in_bytes", str(24 * 2**20), TOO_SMALL),
    ],
)
def test_a_limit_of_a_container_that_is_too_small_is_told(
    tmp_path: Path, groups: str, file: str, limit: str, told: str
):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(f"{limit}\n")
    (tmp_path / "own").write_text(groups)
    assert find_shortage(tmp_path, tmp_path / "own") == told
