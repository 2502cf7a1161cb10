"""Commands, flags and exit codes, up to where serving begins."""

import argparse
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter import __version__
from exporter.cli import main as cli
from exporter.cli.demo import run as demo
from exporter.config.example import make_example
from exporter.config.schema import SCHEMA_FILE
from exporter.config.settings import StoreKind

VALID = "targets: [{name: prod, store: s3, region: eu-west-1, buckets: [media, backups]}]\n"


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give time zone, log and signals back as they were."""
    root = logging.getLogger()
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    before = root.level, list(root.handlers), [signal.getsignal(number) for number in signals]
    monkeypatch.setenv("TZ", os.environ.get("TZ", "UTC"))
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for number, handler in zip(signals, before[2], strict=True):
        signal.signal(number, handler)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(VALID)
    return file


def shown(options: argparse.Namespace) -> tuple[str, ...]:
    """Return what was asked for, without the parsers that stand beside it."""
    first = ("command", "buckets", "config_file", "targets", "log_level", "log_format")
    return tuple(f"{name}={getattr(options, name)}" for name in first)


def ended(*arguments: str) -> int:
    """Return the exit code of a command that ends by itself."""
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
            (["no-such-command"], "argument COMMAND: invalid choice: 'no-such-command' (choose from"),
            (["serve", "more"], "unrecognized arguments: more"),
            (["check", "--web.listen-address=:1"], "unrecognized arguments: --web.listen-address=:1"),
            (["--config"], "unrecognized arguments: --config"),
            (["serve", "--estimate"], "unrecognized arguments: --estimate"),
            (["serve", "--config.file"], "argument --config.file: expected one argument"),
            (["--shard.total=some"], "argument --shard.total: must be a whole number"),
            (["--web.allowed-hosts=http://a"], "argument --web.allowed-hosts: must be a host or host:port"),
            (["--web.allowed-hosts=a,,b"], "argument --web.allowed-hosts: must be a host or host:port"),
            (["--shard.ordinal=-1"], "argument --shard.ordinal: must be a whole number"),
            (["check", "--shard.total=2"], "unrecognized arguments: --shard.total=2"),
            (["--log.level=loud"], "argument --log.level: invalid choice: 'loud'"),
            (["check", "--log.format=xml"], "argument --log.format: invalid choice: 'xml'"),
        ],
    )
    def test_what_cannot_be_read_ends_with_1_and_says_what(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
    ):
        assert ended(*arguments) == 1
        written = capsys.readouterr()
        assert written.out == ""
        assert written.err.startswith("usage: mpu-exporter")
        assert message in written.err

    @pytest.mark.parametrize(
        ("arguments", "command"),
        [
            (["check", "--estimate", "--web.listen-address=:1"], "check"),
            (["uploads", "--older"], "uploads"),
            (["--no-such-flag", "value", "--log.level=debug"], "serve"),
            (["scan", "--format=xml"], "scan"),
        ],
    )
    def test_what_a_command_does_not_take_is_told_beside_its_own_usage(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], command: str
    ):
        assert ended(*arguments) == 1
        assert capsys.readouterr().err.startswith(f"usage: mpu-exporter {command} [")

    @pytest.mark.parametrize(
        "before",
        [
            ["--config.file=other.yaml", "--log.level", "debug"],
            ["--config.file", "other.yaml", "--log.level=debug"],
            ["--log.level=debug", "--config.file", "uploads"],
            ["--config.file=other.yaml", "--target", "scan", "--log.format=json"],
        ],
    )
    def test_flags_may_stand_before_the_command(self, monkeypatch: pytest.MonkeyPatch, before: list[str]):
        asked: list[tuple[str, ...]] = []
        monkeypatch.setattr(cli, "run", lambda options: asked.append(shown(options)))
        cli.main(["scan", *before, "--bucket=media"])
        cli.main([*before, "scan", "--bucket=media"])
        assert asked[0] == asked[1]
        assert asked[0][:2] == ("command=scan", "buckets=['media']")

    def test_without_a_command_they_are_those_of_serve(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(cli, "run", lambda options: options.command)
        assert cli.main(["--config.watch", "--config.file", "scan"]) == "serve"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--shard.total=0"], "--shard.total: must be 1 to 1000, not 0\n"),
            (["--shard.total=3"], "$POD_NAME 'mpu-3': 3 has to be less than "),
            (["--shard.total=3", "--shard.ordinal=4"], "--shard.ordinal: 4 has to be less than "),
        ],
    )
    def test_a_shard_that_cannot_be_ends_with_1_and_one_line(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        config: Path,
        arguments: list[str],
        told: str,
    ):
        monkeypatch.setenv("POD_NAME", "mpu-3")
        assert ended(*arguments, f"--config.file={config}") == 1
        error = capsys.readouterr().err
        assert error.startswith(told)
        assert error.count("\n") == 1

    @pytest.mark.parametrize(
        "path", ["metrics", "", "/", "/-/healthy", "/-/ready", "/-/x", "/a b", "/a?b", "/%6d", "/ä"]
    )
    def test_the_metrics_cannot_live_where_they_would_not_be_found(
        self, capsys: pytest.CaptureFixture[str], path: str
    ):
        assert ended(f"--web.telemetry-path={path}") == 1
        assert "argument --web.telemetry-path: has to be / and then " in capsys.readouterr().err

    @pytest.mark.parametrize("path", ["/metrics", "/probe/metrics", "/m.e-t_r~i/c5"])
    def test_they_may_live_anywhere_else(self, path: str):
        arguments = cli.parser().parse_args(["serve", f"--web.telemetry-path={path}"])
        assert arguments.telemetry_path == path

    def test_version(self, capsys: pytest.CaptureFixture[str]):
        assert ended("--version") == 0
        assert capsys.readouterr().out == f"mpu-exporter {__version__}\n"

    @pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["demo", "-h"]])
    def test_help(self, capsys: pytest.CaptureFixture[str], arguments: list[str]):
        assert ended(*arguments) == 0
        assert capsys.readouterr().out.startswith("usage: mpu-exporter")

    def test_python_m_is_the_same(self):
        command = [sys.executable, "-m", "exporter", "--version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == f"mpu-exporter {__version__}\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_help_is_as_wide_as_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert ended("serve", "--help") == 0
    usage = capsys.readouterr().out.partition("Scan the config's targets")[0]
    assert columns / 2 < max(map(len, usage.splitlines())) < columns


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("0", 0),
            ("1000", 1000),
            ("500MB", 500_000_000),
            ("1GiB", 2**30),
            ("1.5 KiB", 1536),
            ("2k", 2000),
            ("3TB", 3 * 10**12),
            ("1ti", 2**40),
            ("7B", 7),
            ("0.1GB", 100_000_000),
        ],
    )
    def test_as_people_write_them(self, text: str, size: int):
        options = cli.parser().parse_args(["uploads", f"--min-bytes={text}"])
        assert options.min_bytes == size

    @pytest.mark.parametrize("text", ["", "big", "-1", "1.GB", "1e6", "1 GB B", "GiB", "1XB"])
    def test_anything_else_is_refused(self, capsys: pytest.CaptureFixture[str], text: str):
        assert ended("uploads", f"--min-bytes={text}") == 1
        assert "must be a size such as 1GiB, 500MB or 1000" in capsys.readouterr().err


class TestConfig:
    @pytest.mark.parametrize("command", [[], ["serve"], ["check"]])
    def test_a_missing_file_ends_with_1_and_is_named(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
    ):
        missing = tmp_path / "nothing.yaml"
        assert ended(*command, f"--config.file={missing}") == 1
        written = capsys.readouterr()
        assert written.out == ""
        assert str(missing) in written.err
        assert "Traceback" not in written.err

    def test_without_the_flag_it_is_config_yaml_here(
        self, capsys: pytest.CaptureFixture[str], config: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(config.parent)
        assert ended("check") == 0
        assert capsys.readouterr().out == "config.yaml: valid; targets: 1, buckets: 2\n"

    def test_check_says_once_what_no_listing_of_a_kind_of_store_shows(
        self, capsys: pytest.CaptureFixture[str], config: Path
    ):
        both = [f"{{name: {name}, store: gcs, buckets: [media]}}" for name in ("one", "other")]
        config.write_text(f"targets: [{', '.join(both)}]")
        assert ended("check", f"--config.file={config}") == 0
        _, *notes = capsys.readouterr().out.splitlines()
        assert [note.partition(": what")[0] for note in notes] == [
            "Note: store gcs: sessions of resumable uploads are listed by no call"
        ]

    def test_what_is_likely_meant_otherwise_is_told_and_no_fault(
        self, capsys: pytest.CaptureFixture[str], config: Path
    ):
        config.write_text(VALID.replace("region: eu-west-1", "endpoint_url: 'http://h:8333/media'"))
        assert ended("check", f"--config.file={config}") == 0
        written = capsys.readouterr()
        assert written.out == f"{config}: valid; targets: 1, buckets: 2\n"
        assert written.err.startswith(
            f"{config}: targets[0].endpoint_url: has the name of the bucket media in its path"
        )

    @pytest.mark.parametrize("command", ["scan", "uploads"])
    def test_so_it_is_where_stores_are_asked(
        self, capsys: pytest.CaptureFixture[str], config: Path, command: str
    ):
        endpoint = "endpoint_url: 'http://127.0.0.1:1/media', scan: {retries: 0}"
        keys = "credentials: {access_key_id: a, secret_access_key: b}"
        config.write_text(VALID.replace("region: eu-west-1", f"{endpoint}, {keys}"))
        assert ended(command, f"--config.file={config}", "--bucket=media") == 2
        expected = f"{config}: targets[0].endpoint_url: has the name of the bucket media in its path"
        assert capsys.readouterr().err.startswith(expected)

    def test_every_problem_is_told(self, capsys: pytest.CaptureFixture[str], config: Path):
        config.write_text("surprise: 1\ntargets: [{name: a, store: tape, buckets: [b]}]\n")
        assert ended("check", f"--config.file={config}") == 1
        written = capsys.readouterr()
        assert written.out == ""
        told = [line.removeprefix(f"{config}:") for line in written.err.splitlines()]
        assert [line.split(": ")[0:2] for line in told] == [["1", "surprise"], ["2", "targets[0].store"]]


class TestStandardInput:
    @pytest.fixture
    def give(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        def give(text: str) -> None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

        return give

    def test_is_read_in_place_of_a_file(self, capsys: pytest.CaptureFixture[str], give):
        give(VALID)
        assert ended("check", "--config.file=-") == 0
        assert capsys.readouterr().out == "standard input: valid; targets: 1, buckets: 2\n"

    def test_its_problems_name_it_and_their_lines(self, capsys: pytest.CaptureFixture[str], give):
        give(f"{VALID}surprise: 1\n")
        assert ended("check", "--config.file=-") == 1
        assert capsys.readouterr().err.startswith("standard input:2: surprise: unknown key")

    def test_files_that_it_names_are_looked_for_in_the_working_folder(
        self, give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "ca.pem").touch()
        monkeypatch.chdir(tmp_path)
        give(VALID.replace("buckets", "tls: {ca_file: ca.pem}, buckets"))
        assert ended("check", "--config.file=-") == 0

    def test_a_closed_one_cannot_be_read(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("sys.stdin", None)
        assert ended("check", "--config.file=-") == 1
        assert capsys.readouterr().err.startswith("standard input: cannot be read: it is closed")

    def test_it_holds_no_web_config(self, capsys: pytest.CaptureFixture[str]):
        assert ended("--config.file=-", "--web.config.file=-") == 1
        assert "argument --web.config.file: must be a file: standard input is for" in capsys.readouterr().err

    def test_it_cannot_be_watched(self, capsys: pytest.CaptureFixture[str], give):
        give(VALID)
        assert ended("--config.file=-", "--config.watch") == 1
        expected = "--config.watch: standard input cannot be watched: give --config.file a file\n"
        assert capsys.readouterr().err == expected


class TestDocuments:
    @pytest.mark.parametrize("store", StoreKind)
    def test_an_example_of_a_config(self, capsys: pytest.CaptureFixture[str], store: StoreKind):
        assert ended("config", "example", f"--store={store}") == 0
        assert capsys.readouterr().out == make_example(store)

    def test_the_schema(self, capsys: pytest.CaptureFixture[str]):
        assert ended("config", "schema") == 0
        assert capsys.readouterr().out == SCHEMA_FILE.read_text()

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            ([], "usage: mpu-exporter config ["),
            (["exmaple"], "invalid choice: 'exmaple'"),
            (["example", "--store=swift"], "invalid choice: 'swift'"),
            (["schema", "--store=s3"], "--store: there is one schema for all stores"),
        ],
    )
    def test_anything_else_is_refused(self, capsys: pytest.CaptureFixture[str], words: list[str], told: str):
        assert ended("config", *words) == 1
        assert told in capsys.readouterr().err


class TestServe:
    def test_an_address_that_cannot_be_ends_with_1(self, capsys: pytest.CaptureFixture[str], config: Path):
        assert ended(f"--config.file={config}", "--web.listen-address=nowhere") == 1
        message = "--web.listen-address: 'nowhere' is no listen address; write host:port or :port\n"
        assert capsys.readouterr().err == message

    def test_a_port_in_use_ends_with_1(self, capsys: pytest.CaptureFixture[str], config: Path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            assert ended(f"--config.file={config}", f"--web.listen-address={address}") == 1
        written = capsys.readouterr().err
        assert written.startswith(f"--web.listen-address: cannot listen on '{address}': ")
        assert "Address already in use" in written

    def test_of_several_addresses_one_that_cannot_be_ends_with_1(
        self, capsys: pytest.CaptureFixture[str], config: Path
    ):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            addresses = ("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}")
            assert (
                ended(f"--config.file={config}", *(f"--web.listen-address={each}" for each in addresses)) == 1
            )
        assert f"--web.listen-address: cannot listen on '{addresses[1]}': " in capsys.readouterr().err

    def test_the_process_runs_in_utc(self, config: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        ended("check", f"--config.file={config}")
        assert (os.environ["TZ"], time.timezone) == ("UTC", 0)


class TestDemo:
    @pytest.mark.parametrize("missing", ["ministack", "hypercorn"])
    def test_without_its_extra_it_says_how_to_get_it(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, missing: str
    ):
        monkeypatch.setattr(demo, "find_spec", lambda name: None if name == missing else object())
        assert ended("demo") == 1
        assert capsys.readouterr().err == "the demo needs its server: pip install 'mpu-exporter[demo]'\n"

    def test_it_listens_on_loopback_unless_told_otherwise(self):
        assert cli.parser().parse_args(["demo"]).listen == ("127.0.0.1:19340",)
        assert cli.parser().parse_args(["serve"]).listen == (":19340",)

    @pytest.mark.parametrize("command", ["demo", "serve"])
    def test_help_tells_the_defaults_of_the_command_itself(
        self, capsys: pytest.CaptureFixture[str], command: str
    ):
        options = cli.parser().parse_args([command])
        assert ended(command, "--help") == 0
        text = re.sub(r"\s+", " ", capsys.readouterr().out.partition("options:")[2])
        told = re.findall(r"--web\.(?:listen-address|enable-uploads) .*?\(default: ([^,)]+)", text)
        assert told == [options.listen[0], "on" if options.enable_uploads else "off"]
