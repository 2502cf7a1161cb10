"""`mpu-exporter check --estimate` as a process, on stand-in S3 servers: what it asks, tells and ends with."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers import free_port, running, wait_until
from servers.exporter import SECRET_KEY, target
from servers.s3 import S3, UPLOADS, Fault, Part, Upload, error
from servers.standin import Reply, StandIn

DAY = 86400.0
Rows = dict[tuple[str, str], list[str]]


def uploads(number: int, days: float) -> list[Upload]:
    """Return uploads initiated so long ago, each with a part."""
    initiated = time.time() - days * DAY
    return [Upload(f"{n:06}", f"id-{n}", initiated, parts=[Part(1, 100)]) for n in range(number)]


@pytest.fixture
def s3() -> S3:
    s3 = S3()
    s3.buckets["media"] = uploads(2500, days=11)
    s3.buckets["young"] = uploads(40, days=1)
    s3.buckets["empty"] = []
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server
    assert s3.refused == []


def command(folder: Path, *targets: dict[str, object], flags: tuple[str, ...] = ("--estimate",)) -> list[str]:
    file = folder / "config.yaml"
    file.write_text(json.dumps({"scan": {"retries": 0, "request_timeout": "5s"}, "targets": targets}))
    return [sys.executable, "-m", "exporter", "check", *flags, f"--config.file={file}"]


@pytest.fixture
def estimate(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command on these targets."""

    def run(*targets: dict[str, object], **options: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        line = command(tmp_path, *targets, **options)
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert SECRET_KEY not in done.stdout + done.stderr
        return done

    return run


def rows(done: subprocess.CompletedProcess[str]) -> Rows:
    """Return the table's cells after the names of target and bucket."""
    lines = done.stdout.partition("\n\n")[0].splitlines()[2:]
    cells = [line.split("  ") for line in lines]
    filled = [[cell.strip() for cell in row if cell.strip()] for row in cells]
    return {(row[0], row[1]): row[2:] for row in filled}


def listings(server: StandIn) -> int:
    return sum("uploads" in request.query for request in server.requests)


def test_each_bucket_is_listed_once_and_no_parts_are_asked_for(server, estimate):
    done = estimate(target("prod", server.url, "media", "young", "empty"))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.requests) == listings(server) == 3 + 1 + 1
    said, head, *_ = done.stdout.splitlines()
    assert said.endswith("config.yaml: valid; targets: 1, buckets: 3")
    assert head.split("  ")[0] == "target"
    assert "cost" not in head
    found = rows(done)
    # 3 pages; 2500 uploads: in the first scan, then one in 288 in each of 8639 more
    assert found["prod", "media"] == ["2,500", "2,503", "11.7", "103,411", "21,625,920", "209"]
    assert found["prod", "young"][:2] == ["40", "41"]
    assert found["prod", "empty"] == ["0", "1", "1", "8,640", "8,640", "1"]
    assert found["prod", "(total)"][:2] == ["2,540", "2,545"]
    assert "idle since its initiation" in done.stdout
    assert "one that still grows costs a request per scan" in done.stdout


def test_lines_are_aligned(server, estimate):
    lines = estimate(target("prod", server.url, "media", "young")).stdout.splitlines()[1:5]
    assert len({len(line) for line in lines}) == 1


def test_money_is_shown_where_a_price_is_set(s3, server, estimate):
    s3.buckets["media"] = uploads(10_000, days=11)
    prices = {"price_per_1000_requests": 0.005}
    done = estimate(target("prod", server.url, "media", **prices), target("free", server.url, "empty"))
    assert done.stdout.splitlines()[1].endswith("cost  plain cost")
    found = rows(done)
    assert found["prod", "media"][0] == "10,000"
    assert found["prod", "media"][4:] == ["86,486,400", "218", "1.98", "432.43"]
    assert found["free", "empty"][-2:] == ["-", "-"]
    assert ("prod", "(total)") not in found


def test_settings_of_the_target_count(server, estimate):
    done = estimate(
        target("hourly", server.url, "young", scan={"interval": "1h", "parts": "always"}),
        target("counts", server.url, "young", scan={"parts": "never"}),
        target("capped", server.url, "young", scan={"parts": "always", "max_requests": 11}),
    )
    found = rows(done)
    assert found["hourly", "young"] == ["40", "41", "41", "29,520", "29,520", "1"]
    assert found["counts", "young"] == ["40", "1", "1", "8,640", "354,240", "41"]
    assert found["capped", "young"][1:4] == ["11", "11", "95,040"]


def test_a_bucket_found_in_another_region_costs_no_more_from_then_on(s3, server, estimate):
    s3.regions["young"] = "eu-central-1"
    found = rows(estimate(target("prod", server.url, "young")))
    assert listings(server) == 3
    assert found["prod", "young"][1] == "41"


def test_an_upload_without_a_date_counts_as_begun_now(s3, server, estimate):
    s3.buckets["odd"] = [Upload("a", "1", initiated=0.0)]
    s3.buckets["old"] = uploads(1, days=30)
    found = rows(estimate(target("prod", server.url, "odd", "old")))
    odd, old = (float(found["prod", name][3].replace(",", "")) for name in ("odd", "old"))
    assert found["prod", "odd"][0] == "1"
    assert 8640 + 80 < odd < 8640 + 120
    assert old == 8640 + 31


def test_what_fails_is_named_and_the_rest_is_told(s3, server, estimate):
    s3.buckets["broken"] = []
    login = Reply(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Please log in</title>")
    s3.faults.add(Fault(UPLOADS, reply=lambda reply: login if b">broken<" in reply.body else reply))
    port = free_port()
    wrong = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wrong"}
    done = estimate(
        target("down", f"http://127.0.0.1:{port}", "unreachable"),
        target("keys", server.url, "media", credentials=wrong),
        target("prod", server.url, "missing", "media", "broken"),
        target("fine", server.url, "young"),
    )
    assert (done.returncode, done.stderr) == (2, "")
    found = rows(done)
    assert found["down", "unreachable"][0].startswith("failed: connection: ")
    assert f"127.0.0.1:{port}" in found["down", "unreachable"][0]
    assert found["keys", "media"][0].startswith("failed: credentials: ")
    assert found["prod", "missing"][0].startswith("failed: not_found: ")
    assert "NoSuchBucket" in found["prod", "missing"][0]
    assert found["prod", "broken"][0].startswith("failed: bad_response: ")
    assert found["prod", "media"][0] == found["prod", "(total of 1 of 3)"][0] == "2,500"
    assert found["fine", "young"][0] == "40"


def test_where_everything_fails_there_is_still_a_table(estimate):
    done = estimate(target("down", f"http://127.0.0.1:{free_port()}", "one", "other"))
    assert done.returncode == 2
    assert list(rows(done)) == [("down", "one"), ("down", "other")]


def test_a_bucket_whose_emptiness_is_told_by_an_error_takes_its_request_too(s3, server, estimate):
    s3.faults.add(Fault(UPLOADS, reply=lambda _: error(404, "NoSuchUpload")))
    assert rows(estimate(target("prod", server.url, "empty")))["prod", "empty"][:4] == [
        "0",
        "1",
        "1",
        "8,640",
    ]


def test_a_listing_that_was_tried_again_counts_once(s3, server, estimate):
    s3.faults.add(Fault(UPLOADS, on={1}, reply=lambda _: Reply(503)))
    done = estimate(target("prod", server.url, "young", scan={"retries": 2}))
    assert listings(server) == 2
    assert rows(done)["prod", "young"][1] == "41"


def test_a_config_that_is_wrong_ends_with_1(server, estimate):
    done = estimate(target("prod", server.url, "media", surprise=1))
    assert (done.returncode, done.stdout) == (1, "")
    assert "surprise" in done.stderr


def test_without_the_flag_nothing_is_sent(server, estimate):
    done = estimate(target("prod", server.url, "media"), flags=())
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert server.requests == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_soon_and_not_as_if_all_were_fine(s3, server, tmp_path, number):
    s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, hang=True)))
    log = tmp_path / "log"
    with running(command(tmp_path, target("hangs", server.url, "media")), log) as process:
        wait_until("listing", lambda: listings(server) > 0, log=log)
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert time.monotonic() - started < 4
    assert log.read_text().endswith("valid; targets: 1, buckets: 1\n")
