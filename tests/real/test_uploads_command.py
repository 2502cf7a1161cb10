"""`mpu-exporter uploads` as a process: which uploads, in which order and form, whatever their keys are."""

import csv
import io
import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from docs.documents import ROOT, code, table
from hostile import MALICIOUS_KEYS, listable
from servers import free_port
from servers.commands import run
from servers.exporter import target
from servers.glacier import Glacier
from servers.glacier import Upload as Archive
from servers.s3 import PARTS, S3, UPLOADS, Fault, Listing, Part, Upload, error, iso
from servers.standin import StandIn

HOUR, DAY = 3600.0, 86400.0
KEYS = [key for key in MALICIOUS_KEYS if listable(key)]


def upload(key: str, age: float | None, idle: float, size: int) -> Upload:
    now = time.time()
    initiated = 0.0 if age is None else now - age
    return Upload(key, f"id-{key}", initiated, parts=[Part(1, size, now - idle)])


@pytest.fixture
def s3() -> S3:
    s3 = S3()
    s3.buckets["media"] = [
        upload("old", 30 * DAY, 10 * DAY, 10),
        upload("fat", 9 * DAY, HOUR, 3 * 2**30),
        upload("young", HOUR, 60.0, 500),
    ]
    s3.buckets["other"] = [upload("idle", 20 * DAY, 15 * DAY, 2**30)]
    s3.buckets["odd"] = [upload("undated", None, HOUR, 7)]
    s3.buckets["hostile"] = [
        Upload(key, f"h-{number}", time.time() - DAY, parts=[Part(1, 5)]) for number, key in enumerate(KEYS)
    ]
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server
    assert s3.refused == []


def documented(head: str) -> set[str]:
    """Return the fields that a table of docs/http-api.md names."""
    text = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    return {name for cell, *_ in table(text, head, "type", "meaning") for name in code(cell)}


def keys(
    folder: Path, server: StandIn, *flags: str, buckets: tuple[str, ...] = ("media", "other")
) -> list[str]:
    done = run("uploads", folder, target("prod", server.url, *buckets), flags=("--format=json", *flags))
    assert done.returncode == 0
    return [entry["key"] for entry in json.loads(done.stdout)["uploads"]]


class TestGhost:
    """An upload that the bucket's listing shows, and that the store denies when asked by name."""

    @pytest.fixture(autouse=True)
    def ghost(self, s3: S3) -> None:
        ghost = {"Key": "ghost", "UploadId": "9", "Initiated": iso(time.time() - 99 * DAY)}

        def listed(page: Listing) -> Listing:
            return page if page.fields["Prefix"] else replace(page, items=[*page.items, dict(ghost)])

        s3.faults.add(Fault(UPLOADS, page=listed))

    def test_it_comes_last_flagged_and_without_a_command(self, server: StandIn, tmp_path: Path):
        prod = target("prod", server.url, "media")
        done = run("uploads", tmp_path, prod, flags=("--format=json",))
        document = json.loads(done.stdout)
        assert [(each["key"], each["denied"]) for each in document["uploads"]] == [
            *(("old", False), ("fat", False), ("young", False), ("ghost", True)),
        ]
        assert document["uploads"][-1]["abort_command"] is None
        assert (document["matched"], document["denied"]) == (3, 1)
        assert done.stderr == "prod/media: the store lists uploads that it denies having: 1, not counted\n"
        done = run("uploads", tmp_path, prod, flags=("--all", "--format=commands"))
        assert ("ghost" in done.stdout, done.stdout.count("\nabort ")) == (False, 3)

    def test_a_scan_counts_it_apart(self, server: StandIn, tmp_path: Path):
        done = run("scan", tmp_path, target("prod", server.url, "media"), flags=("--format=json",))
        [bucket] = json.loads(done.stdout)["buckets"]
        names = ("uploads", "denied_uploads", "unsized_uploads", "stale_uploads")
        assert [bucket["values"][name] for name in names] == [3, 1, 0, 1]


class TestChoice:
    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            ([], ["old", "idle", "fat", "young"]),
            (["--sort=idle"], ["idle", "old", "fat", "young"]),
            (["--sort=bytes"], ["fat", "idle", "young", "old"]),
            (["--older-than=10d"], ["old", "idle"]),
            (["--idle-for=12d"], ["idle"]),
            (["--min-bytes=1GiB"], ["idle", "fat"]),
            (["--min-bytes=2GB"], ["fat"]),
            (["--min-bytes=500"], ["idle", "fat", "young"]),
            (["--idle-for=2h", "--min-bytes=1k", "--sort=bytes"], ["idle"]),
            (["--limit=2"], ["old", "idle"]),
            (["--limit=0", "--bucket=media"], ["old", "fat", "young"]),
        ],
    )
    def test_flags(self, server, tmp_path, flags, expected):
        assert keys(tmp_path, server, *flags) == expected

    def test_stale_is_judged_as_a_scan_judges_it_by_each_bucket_s_own_setting(self, server, tmp_path):
        media = {"name": "media", "stale_after": "1m"}
        prod = target("prod", server.url, media, "other", "odd", stale_after="20d")
        scanned = json.loads(run("scan", tmp_path, prod, flags=("--format=json",)).stdout)["buckets"]
        done = run("uploads", tmp_path, prod, flags=("--stale", "--format=json"))
        found = Counter(entry["bucket"] for entry in json.loads(done.stdout)["uploads"])
        assert found == {"media": 3}
        assert [bucket["values"]["stale_uploads"] for bucket in scanned] == [3, 0, 0]

    def test_the_script_leaves_out_what_may_be_running_for_all_that_is_known(self, server, tmp_path):
        prod = target("prod", server.url, "media", stale_after="1d", scan={"parts": "never"})
        for flag in ("--stale", "--idle-for=7d"):
            done = run("uploads", tmp_path, prod, flags=(flag, "--format=commands"))
            assert "abort-multipart-upload" not in done.stdout
            assert (
                "\n# Not in it, as their parts are not known and they may still be running: 2.\n"
                in done.stdout
            )
            assert "2 uploads are left out, as they may still be running" in done.stderr
        done = run("uploads", tmp_path, prod, flags=("--older-than=7d", "--format=commands"))
        assert done.stdout.count("size not known, 30d 0h old, idle time not known") == 1
        assert done.stdout.count("abort-multipart-upload") == 2

    def test_that_glacier_tells_no_times_of_parts_is_said_where_uploads_are_chosen_by_them(self, tmp_path):
        glacier = Glacier()
        glacier.vaults["tapes"] = {"1": Archive("1", initiated=time.time() - 9 * DAY)}
        with StandIn(glacier) as standin:
            keys = {"access_key_id": glacier.key.access_key_id, "secret_access_key": glacier.key.secret}
            vault = {"name": "cold", "store": "glacier", "region": "eu-west-1", "vaults": ["tapes"]}
            cold = {**vault, "endpoint_url": standin.url, "credentials": keys}
            done = run("uploads", tmp_path, cold, flags=("--stale",))
        assert done.stderr.startswith(
            "cold/tapes: judged by their initiation, as the store tells no times of"
        )
        assert len(done.stdout.splitlines()) == 2

    def test_what_is_not_known_comes_last_and_is_left_out_by_a_filter_that_says_so(self, server, tmp_path):
        assert keys(tmp_path, server, buckets=("odd", "media"))[-1] == "undated"
        flags = ("--older-than=1s",)
        done = run("uploads", tmp_path, target("prod", server.url, "odd", "other"), flags=flags)
        assert done.stderr == "1 uploads are left out: how old or idle they are is not known\n"
        assert "undated" not in done.stdout

    def test_so_is_an_upload_whose_bytes_are_not_known(self, s3, server, tmp_path):
        s3.faults.add(Fault(PARTS, reply=lambda _: error(403, "AccessDenied")))
        done = run("uploads", tmp_path, target("prod", server.url, "media"), flags=("--min-bytes=1",))
        assert done.returncode == 0
        assert done.stderr == "3 uploads are left out: how many bytes they hold is not known\n"
        assert len(done.stdout.splitlines()) == 1

    def test_how_many_are_not_shown_is_told(self, server, tmp_path):
        done = run("uploads", tmp_path, target("prod", server.url, "media"), flags=("--limit=1",))
        assert done.stderr == "1 of 3 uploads are shown; --limit=0 shows all\n"
        assert len(done.stdout.splitlines()) == 2

    @pytest.mark.parametrize(
        "flag", ["--older-than=7", "--idle-for=long", "--min-bytes=lots", "--limit=-1", "--sort=name"]
    )
    def test_what_cannot_be_read_ends_with_1(self, server, tmp_path, flag):
        done = run("uploads", tmp_path, target("prod", server.url, "media"), flags=(flag,))
        assert (done.returncode, done.stdout) == (1, "")
        assert f"argument {flag.partition('=')[0]}: " in done.stderr

    def test_commands_for_uploads_that_may_still_run_are_refused_unless_asked_for(self, server, tmp_path):
        media = target("prod", server.url, "media")
        for flags in ((), ("--min-bytes=1", "--bucket=media")):
            done = run("uploads", tmp_path, media, flags=("--format=commands", *flags))
            assert (done.returncode, done.stdout) == (1, "")
            assert "would abort uploads that are still running: choose by --stale, " in done.stderr
        done = run("uploads", tmp_path, media, flags=("--all", "--stale"))
        assert (done.returncode, "--all: is for uploads of any age" in done.stderr) == (1, True)

    @pytest.mark.parametrize(("flag", "number"), [("--stale", 1), ("--all", 3)])
    def test_commands_are_for_all_that_were_chosen(self, server, tmp_path, flag, number):
        flags = ("--format=commands", flag)
        done = run("uploads", tmp_path, target("prod", server.url, "media"), flags=flags)
        assert (done.returncode, done.stdout.count("\nabort ")) == (0, number)

    def test_what_fails_ends_with_2_and_the_rest_is_shown(self, server, tmp_path):
        down = target("down", f"http://127.0.0.1:{free_port()}", "unreachable")
        targets = (down, target("prod", server.url, "other"))
        done = run("uploads", tmp_path, *targets, flags=("--format=json",))
        assert done.returncode == 2
        document = json.loads(done.stdout)
        assert [entry["key"] for entry in document["uploads"]] == ["idle"]
        [failure] = document["failures"]
        assert (failure["target"], failure["bucket"], failure["reason"]) == (
            "down",
            "unreachable",
            "connection",
        )
        assert done.stderr.startswith("down/unreachable: connection: ")


class TestFormats:
    def test_json_is_exact(self, server, tmp_path):
        flags = ("--format=json",)
        done = run("uploads", tmp_path, target("prod", server.url, "other"), flags=flags)
        document = json.loads(done.stdout)
        [entry] = document["uploads"]
        assert document["matched"] == 1
        assert document.keys() == documented("field of `uploads`")
        assert entry.keys() == documented("field of an upload")
        assert document["left_out"] == {"undated": 0, "unsized": 0}
        assert document["failures"] == []
        assert abs(entry.pop("age_seconds") - 20 * DAY) < 120
        assert abs(entry.pop("idle_seconds") - 15 * DAY) < 120
        assert abs(document["time"] - entry.pop("initiated") - 20 * DAY) < 120
        assert abs(document["time"] - entry.pop("last_activity") - 15 * DAY) < 120
        assert entry.pop("initiator") in {None, "8a6925ce4adf588a4c", "arn:aws:iam::123456789012:user/backup"}
        assert entry == {
            "target": "prod",
            "store": "s3",
            "bucket": "other",
            "key": "idle",
            "upload_id": "id-idle",
            "parts": 1,
            "bytes": 2**30,
            "storage_class": "STANDARD",
            "abort_at": None,
            "first_sight": False,
            "unlisted": False,
            "denied": False,
            "stale": True,
            "abort_command": "aws s3api abort-multipart-upload --bucket=other --key=idle --upload-id=id-idle "
            f"--endpoint-url={server.url} --region=eu-west-1",
        }

    def test_a_table_for_people(self, server, tmp_path):
        done = run("uploads", tmp_path, target("prod", server.url, "other"))
        head, row = done.stdout.splitlines()
        assert head.split() == [
            "target",
            "bucket",
            "key",
            "age",
            "idle",
            "bytes",
            "parts",
            "class",
            "upload",
            "id",
        ]
        assert row.split() == [
            "prod",
            "other",
            "idle",
            "20d",
            "0h",
            "15d",
            "0h",
            "1.0",
            "GiB",
            "1",
            "STANDARD",
            "id-idle",
        ]

    def test_a_file(self, server, tmp_path):
        flags = ("--format=csv", "--output=uploads.csv")
        done = run("uploads", tmp_path, target("prod", server.url, "other"), flags=flags)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        [row] = csv.DictReader((tmp_path / "uploads.csv").read_text().splitlines())
        assert (row["key"], row["bytes"], row["parts"]) == ("idle", str(2**30), "1")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["initiated"])


class TestHostileKeys:
    """What whoever uploads may choose, in each form that people and programs read."""

    def shown(self, folder: Path, server: StandIn, form: str) -> str:
        flags = ("--limit=0", *(["--all"] if form == "commands" else []), "--sort=bytes", f"--format={form}")
        done = run("uploads", folder, target("prod", server.url, "hostile"), flags=flags)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def test_json_has_them_as_they_are(self, server, tmp_path):
        uploads = json.loads(self.shown(tmp_path, server, "json"))["uploads"]
        assert sorted(entry["key"] for entry in uploads) == sorted(KEYS)
        assert self.shown(tmp_path, server, "json").isascii()

    def test_a_table_has_a_line_for_each_and_no_order_for_the_terminal(self, server, tmp_path):
        lines = self.shown(tmp_path, server, "table").removesuffix("\n").split("\n")
        assert len(lines) == 1 + len(KEYS)
        assert all(line.isprintable() for line in lines)

    def test_csv_has_a_row_for_each_and_no_formula(self, server, tmp_path):
        rows = list(csv.DictReader(io.StringIO(self.shown(tmp_path, server, "csv"), newline=""), strict=True))
        assert sorted(row["upload_id"] for row in rows) == sorted(f"h-{n}" for n in range(len(KEYS)))
        cells = [cell for row in rows for cell in row.values()]
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
        assert all(cell.isprintable() for cell in cells)

    @pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "busybox sh"])
    def test_commands_run_by_a_shell_abort_exactly_these_uploads_and_do_nothing_else(
        self, server, tmp_path, shell
    ):
        program, *words = shell.split()
        if shutil.which(program) is None:
            pytest.fail(f"{shell} is missing: tests/servers/packages.sh installs it")
        tools, told, home = tmp_path / "bin", tmp_path / "told", tmp_path / "home"
        tools.mkdir()
        home.mkdir()
        record = f'printf "%s\\0" "$@" >>{told}\nprintf "\\0" >>{told}\n'
        (tools / "aws").write_text(f"#!/bin/sh\ncase $2 in list-*) exit 1 ;; esac\n{record}")
        for name in ("reboot", "rm"):
            own = 'case $2 in /tmp/tmp.*) exec /bin/rm "$@" ;; esac\n' if name == "rm" else ""
            (tools / name).write_text(f"#!/bin/sh\n{own}echo {name} >>{tmp_path}/harm\n")
        for tool in tools.iterdir():
            tool.chmod(0o755)
        script = self.shown(tmp_path, server, "commands")
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [program, *words],
            input=script.encode(),
            env=environment,
            cwd=home,
            capture_output=True,
            timeout=60,
            check=True,
        )
        told_lines = done.stdout.decode().removesuffix("\n").split("\n")
        assert (len(told_lines), done.stderr) == (len(KEYS) + 4, b"")
        assert all(line.isprintable() for line in told_lines)
        assert told_lines[-1] == f"Freed: {5 * len(KEYS)} bytes."
        calls = [call.split("\0") for call in told.read_bytes().decode().split("\0\0")[:-1]]
        assert sorted(key_of(call) for call in calls) == sorted(KEYS)
        assert not (tmp_path / "harm").exists()
        assert list(home.iterdir()) == []

    def test_lines_of_commands_are_printable_and_comments_hold_no_keys(self, server, tmp_path):
        lines = self.shown(tmp_path, server, "commands").removesuffix("\n").split("\n")
        assert all(line.isprintable() for line in lines)
        assert len([line for line in lines if line.startswith("#")]) == 5


def key_of(call: list[str]) -> str:
    """Return the key that a call of the AWS CLI names."""
    assert call[:2] == ["s3api", "abort-multipart-upload"]
    if call[2] == "--cli-input-json":
        return json.loads(call[3])["Key"]
    assert call[2] == "--bucket=hostile"
    return call[3].removeprefix("--key=")
