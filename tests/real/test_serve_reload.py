"""`mpu-exporter serve` reads its config again, under load: nothing is lost, doubled or leaked."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers import running, wait_until
from servers.exporter import Exporter, serving, target
from servers.s3 import EPOCH, PARTS, S3, Fault, Part, Upload
from servers.standin import StandIn

from exporter.config.settings import StoreKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RELOADS = 100
SCAN = {"interval": "1s", "retries": 0, "request_timeout": "5s"}
READ, REFUSED = 'msg="the config was read again"', 'msg="the new config is invalid'


@pytest.fixture
def s3() -> S3:
    """Return a server's state: four buckets, one of which takes its time."""
    s3 = S3()
    for name in ("steady", "coming", "changing", "slow"):
        s3.buckets[name] = [
            Upload(f"key-{n}", f"{n}", initiated=EPOCH, parts=[Part(1, 100)]) for n in range(30)
        ]
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server


def write(exporter: Exporter, text: str) -> None:
    """Replace the config file at once, as a careful editor does."""
    file = exporter.log.with_name("config.yaml")
    new = file.with_name("new.yaml")
    new.write_text(text)
    new.replace(file)


def reload(exporter: Exporter, *targets: dict[str, object], **settings: object) -> None:
    """Have the exporter read this config, by a signal, and wait until it has."""
    write(exporter, json.dumps({"scan": SCAN, **settings, "targets": targets}))
    hang_up(exporter)


def hang_up(exporter: Exporter) -> None:
    signal_until(lambda: told(exporter), exporter)


def signal_until(seen: Callable[[], float], exporter: Exporter) -> None:
    """Have the exporter read its config, by a signal, and wait until what is `seen` of it grows."""
    before = seen()
    exporter.process.send_signal(signal.SIGHUP)
    wait_until("reload", lambda: seen() > before, log=exporter.log)


def open_for_a_reader(pipe: Path) -> TextIO:
    """Open a named pipe to write to, once somebody has opened it to read from."""
    opened: list[int] = []

    def is_opened() -> bool:
        try:
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # no reader yet
            return False
        return True

    wait_until("a reader", is_opened)
    return os.fdopen(opened[0], "w")


def test_a_signal_to_read_the_config_ends_nothing_before_it_was_read_at_all(server: StandIn, tmp_path: Path):
    """A pipe in the config's place keeps the process where it has opened the config and not yet read it."""
    file, log = tmp_path / "config.yaml", tmp_path / "exporter.log"
    os.mkfifo(file)
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}"]
    with running([*command, "--web.listen-address=127.0.0.1:0"], log) as process:
        with open_for_a_reader(file) as pipe:
            process.send_signal(signal.SIGHUP)
            pipe.write(json.dumps({"scan": SCAN, "targets": [target("prod", server.url, "steady")]}))
        wait_until("exporter", lambda: "listening" in log.read_text() or process.poll() is not None, log=log)
        assert process.poll() is None


def test_a_config_of_standard_input_is_read_once_and_stays_in_use(server: StandIn, tmp_path: Path):
    log = tmp_path / "exporter.log"
    (tmp_path / "given").write_text(
        json.dumps({"scan": SCAN, "targets": [target("prod", server.url, "steady")]})
    )
    flags = ("--config.file=-", "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle")
    line = shlex.join([sys.executable, "-m", "exporter", *flags])
    with running(["sh", "-c", f"exec {line} < {tmp_path}/given"], log) as process:
        wait_until("exporter", lambda: "listening" in log.read_text() or process.poll() is not None, log=log)
        port = re.search(r"port=(\d+)", log.read_text())[1]
        exporter = Exporter(f"http://127.0.0.1:{port}", log, process)
        exporter.wait_tried("steady")
        status, lines = post(exporter)
        assert (status, len(lines)) == (500, 1)
        expected = (
            "standard input: was read at the start, and cannot be read again: restart, or give --config.file"
        )
        assert expected in lines[0]
        assert "invalid" not in log.read_text()
        assert exporter.samples()["mpu_uploads_in_progress", "steady"] == 30


def post(exporter: Exporter) -> tuple[int, list[str]]:
    """Have the exporter read its config by a request; returns status and lines of the answer."""
    request = urllib.request.Request(f"{exporter.url}/-/reload", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode().splitlines()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode().splitlines()


def told(exporter: Exporter) -> int:
    log = exporter.log.read_text()
    return log.count(READ) + log.count(REFUSED)


def value(exporter: Exporter, name: str) -> float | None:
    """Return the value of a metric without labels."""
    for line in exporter.text().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return None


def buckets(exporter: Exporter) -> set[str]:
    return {bucket for name, bucket in exporter.samples() if name == "mpu_uploads_in_progress"}


class TestOneChange:
    def test_targets_and_buckets_come_and_go(self, server: StandIn, tmp_path: Path):
        steady = target("steady", server.url, "steady")
        with serving(tmp_path, {"scan": SCAN, "targets": [steady]}) as exporter:
            exporter.wait_tried("steady")
            reload(exporter, steady, target("coming", server.url, "coming"))
            exporter.wait_tried("coming")
            assert buckets(exporter) == {"steady", "coming"}
            reload(exporter, target("steady", server.url, "steady", "changing"))
            exporter.wait_tried("changing")
            assert buckets(exporter) == {"steady", "changing"}
            assert 'target="coming"' not in exporter.text()

    def test_an_invalid_file_changes_nothing_and_says_so(self, server: StandIn, tmp_path: Path):
        steady = target("steady", server.url, "steady")
        with serving(tmp_path, {"scan": SCAN, "targets": [steady]}) as exporter:
            exporter.wait_tried("steady")
            at = value(exporter, "mpu_config_last_reload_success_timestamp_seconds")
            write(exporter, "targets: [{name: steady, store: s4}]\n")
            hang_up(exporter)
            assert value(exporter, "mpu_config_last_reload_successful") == 0
            assert value(exporter, "mpu_config_last_reload_success_timestamp_seconds") == at
            *others, last = (f"'{kind}'" for kind in StoreKind)
            wanted = f"config.yaml:1: targets[0].store: must be {', '.join(others)} or {last}"
            assert wanted in exporter.log.read_text()
            assert buckets(exporter) == {"steady"}
            reload(exporter, steady)
            assert value(exporter, "mpu_config_last_reload_successful") == 1

    def test_the_state_file_cannot_change(self, server: StandIn, tmp_path: Path):
        steady = target("steady", server.url, "steady")
        with serving(tmp_path, {"scan": SCAN, "targets": [steady]}) as exporter:
            reload(exporter, steady, state={"path": str(tmp_path / "state.db")})
            assert "state.path: cannot change while the exporter runs" in exporter.log.read_text()
            assert value(exporter, "mpu_config_last_reload_successful") == 0

    def test_a_watched_file_is_read_when_it_is_replaced(self, server: StandIn, tmp_path: Path):
        config = {"scan": SCAN, "targets": [target("steady", server.url, "steady")]}
        with serving(tmp_path, config, "--config.watch") as exporter:
            write(exporter, json.dumps({"scan": SCAN, "targets": [target("coming", server.url, "coming")]}))
            wait_until("new target", lambda: buckets(exporter) == {"coming"}, log=exporter.log)

    def test_a_scan_under_way_of_a_target_that_is_out_ends_at_once(
        self, s3: S3, server: StandIn, tmp_path: Path
    ):
        s3.faults.add(Fault(PARTS, reply=lambda reply: replace(reply, hang=True)))
        config = {"scan": SCAN, "targets": [target("slow", server.url, "slow")]}
        with serving(tmp_path, config) as exporter:
            wait_until("a call that hangs", lambda: any(r.argument("uploadId") for r in server.requests))
            reload(exporter, target("steady", server.url, "steady", scan={"parts": "never"}))
            exporter.wait_tried("steady")
            wait_until("connections closed", lambda: sockets(exporter) <= 4, seconds=20, log=exporter.log)


class Scraper(threading.Thread):
    """Scrapes without pause, and keeps what was wrong."""

    def __init__(self, exporter: Exporter):
        super().__init__(daemon=True)
        self.exporter, self.ended = exporter, threading.Event()
        self.wrong: list[str] = []
        self.scrapes = 0

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                self.wrong.append(repr(error))
            self.scrapes += 1

    def look(self) -> None:
        with urllib.request.urlopen(self.exporter.url + "/metrics", timeout=20) as answer:
            text = answer.read().decode()
        series = Counter(
            (sample.name, tuple(sorted(sample.labels.items())))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )
        self.wrong += [f"doubled: {each}" for each, times in series.items() if times > 1]
        if ("mpu_uploads_in_progress", tuple(sorted(STEADY.items()))) not in series:
            self.wrong.append("the steady bucket is not shown")


STEADY = {"bucket": "steady", "store": "s3", "target": "steady"}


def threads(exporter: Exporter) -> int:
    return len(os.listdir(f"/proc/{exporter.process.pid}/task"))  # noqa: PTH208 - counts only


def files(exporter: Exporter) -> list[str]:
    folder = Path(f"/proc/{exporter.process.pid}/fd")
    found = []
    for link in folder.iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return found


def sockets(exporter: Exporter) -> int:
    return sum(name.startswith("socket:") for name in files(exporter))


class TestByRequest:
    def test_the_answer_comes_when_it_is_done(self, server: StandIn, tmp_path: Path):
        steady, coming = (target(name, server.url, name) for name in ("steady", "coming"))
        config = {"scan": SCAN, "targets": [steady]}
        with serving(tmp_path, config, "--web.enable-lifecycle") as exporter:
            write(exporter, json.dumps({**config, "targets": [steady, coming]}))
            assert post(exporter) == (200, ["The config was read again."])
            exporter.wait_tried("coming")
            assert buckets(exporter) == {"steady", "coming"}

    def test_problems_are_in_the_answer_and_on_the_status_page_until_they_are_mended(
        self, server: StandIn, tmp_path: Path
    ):
        config = {"scan": SCAN, "targets": [target("steady", server.url, "steady")]}
        with serving(tmp_path, config, "--web.enable-lifecycle") as exporter:
            write(exporter, "targets: 7\n")
            status, problems = post(exporter)
            assert (status, len(problems)) == (500, 1)
            assert "config.yaml:1: targets: must be a list" in problems[0]
            assert "config.yaml:1: targets: must be a list" in exporter.text("/")
            assert value(exporter, "mpu_config_last_reload_successful") == 0
            write(exporter, json.dumps(config))
            assert post(exporter)[0] == 200
            assert "targets: must be a list" not in exporter.text("/")

    def test_without_the_flag_nothing_is_read(self, server: StandIn, tmp_path: Path):
        with serving(tmp_path, {"targets": [target("steady", server.url, "steady")]}) as exporter:
            write(exporter, "targets: 7\n")
            status, lines = post(exporter)
            assert (status, "--web.enable-lifecycle" in lines[0]) == (404, True)
            assert value(exporter, "mpu_config_last_reload_successful") == 1


def variants(server: StandIn) -> list[list[dict[str, object]] | None]:
    """Return what is reloaded in turn; None is a file that cannot be used."""
    steady = target("steady", server.url, "steady")
    return [
        [steady],
        [steady, target("coming", server.url, "coming", "slow")],
        None,
        [steady, target("coming", server.url, "coming", region="eu-west-1", scan={"workers": 1})],
        [target("changing", server.url, "changing", "slow"), steady],
        [target("changing", server.url, "changing", stale_after="1h"), steady],
    ]


def test_a_hundred_reloads_under_load_lose_double_and_leak_nothing(s3: S3, server: StandIn, tmp_path: Path):
    turns = variants(server)

    def reload(exporter: Exporter, *targets: dict[str, object]) -> None:
        write(exporter, json.dumps({"scan": SCAN, "targets": targets}))
        # not by the log, which tells of ten reloads a minute
        signal_until(
            lambda: value(exporter, "mpu_config_last_reload_success_timestamp_seconds") or 0.0, exporter
        )

    with serving(tmp_path, {"scan": SCAN, "targets": turns[0]}, "--web.enable-lifecycle") as exporter:
        exporter.wait_tried("steady")
        reload(exporter, *turns[1])
        reload(exporter, *turns[0])
        before = threads(exporter), len(files(exporter))
        scraper = Scraper(exporter)
        scraper.start()
        s3.faults.add(Fault(PARTS, reply=lambda reply: replace(reply, delay_before_headers=0.05)))
        for number in range(RELOADS):
            if (turn := turns[number % len(turns)]) is None:
                write(exporter, "targets: 7\n")
                assert post(exporter)[0] == 500
                assert value(exporter, "mpu_config_last_reload_successful") == 0
            elif number % 2:
                write(exporter, json.dumps({"scan": SCAN, "targets": turn}))
                assert post(exporter)[0] == 200
            else:
                reload(exporter, *turn)
                assert value(exporter, "mpu_config_last_reload_successful") == 1
        s3.faults.clear()
        reload(exporter, *turns[0])
        scraper.ended.set()
        scraper.join()
        assert (scraper.wrong, scraper.scrapes > RELOADS / 4) == ([], True)
        assert buckets(exporter) == {"steady"}

        def settled() -> bool:
            return threads(exporter) <= before[0] + 2 and len(files(exporter)) <= before[1] + 4

        wait_until("threads and files given back", settled, log=exporter.log)
        assert "Traceback" not in exporter.log.read_text()


def test_what_a_client_has_logged_ten_times_is_only_counted_and_told_without_a_further_line(
    server: StandIn, tmp_path: Path
):
    """The minute is shortened to three seconds; the config is one that there is something to say about."""
    code = (
        "from exporter.cli import log_limit; log_limit.PERIOD_SECONDS = 3;"
        "from exporter.cli.main import main; raise SystemExit(main())"
    )
    config = {"scan": SCAN, "targets": [target("prod", f"{server.url}/steady", "steady")]}
    program = (sys.executable, "-c", code)
    with serving(tmp_path, config, "--web.enable-lifecycle", program=program) as exporter:
        for _ in range(13):
            assert post(exporter)[0] == 200
        wait_until("the number", lambda: "left_out=3" in exporter.log.read_text(), log=exporter.log)
        text = exporter.log.read_text()
        assert (text.count(READ), text.count("likely meant otherwise")) == (10, 1)
