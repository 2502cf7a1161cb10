"""`mpu-exporter check --probe` as a process, on stand-in S3 servers: what it asks and says to grant."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from servers import free_port
from servers.commands import run
from servers.exporter import target
from servers.s3 import LIFECYCLE, PARTS, S3, UPLOADS, Fault, Part, Upload, error
from servers.standin import StandIn

LISTING_GRANT = "s3:ListBucketMultipartUploads on arn:aws:s3:::"


@pytest.fixture
def s3() -> S3:
    s3 = S3()
    for name in ("one", "two", "three", "four", "five"):
        s3.buckets[name] = [Upload(f"{n:04}", f"id-{n}", parts=[Part(1, 5)]) for n in range(1500)]
    s3.buckets["empty"] = []
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server
    assert s3.refused == []


def rows(text: str) -> list[str]:
    """Return the table's rows, their cells one space apart."""
    return [" ".join(line.split()) for line in text.partition("\n\n")[0].splitlines()[2:]]


def test_what_is_allowed_takes_one_page_of_each_kind(server, tmp_path):
    done = run("check", tmp_path, target("prod", server.url, "one"), flags=("--probe",))
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(done.stdout) == ["prod one ListMultipartUploads allowed", "prod one ListParts allowed"]
    assert len(server.requests) == 2
    assert "Missing" not in done.stdout


def test_what_is_refused_is_named_with_what_to_grant(s3, server, tmp_path):
    s3.faults.add(
        Fault(UPLOADS, reply=lambda reply: error(403, "AccessDenied") if b">two<" in reply.body else reply)
    )
    s3.faults.add(Fault(PARTS, reply=lambda _: error(403, "AccessDenied")))
    done = run("check", tmp_path, target("prod", server.url, "one", "two"), flags=("--probe",))
    assert done.returncode == 2
    parts = "s3:ListMultipartUploadParts on arn:aws:s3:::one/*"
    assert rows(done.stdout) == [
        "prod one ListMultipartUploads allowed",
        f"prod one ListParts access_denied {parts}",
        f"prod two ListMultipartUploads access_denied {LISTING_GRANT}two",
        "prod two ListParts not tried: the uploads cannot be listed",
    ]
    missing = done.stdout.partition("Missing, to be granted:\n")[2].splitlines()
    assert missing == [f"  {LISTING_GRANT}two", f"  {parts}"]
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == ["prod/one", "prod/two"]
    assert "AccessDenied" in done.stderr


def test_where_no_grant_helps_none_is_asked_for(server, tmp_path):
    wrong = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wrong"}
    done = run(
        "check",
        tmp_path,
        target("down", f"http://127.0.0.1:{free_port()}", "x"),
        target("keys", server.url, "one", credentials=wrong),
        target("prod", server.url, "missing"),
        flags=("--probe",),
    )
    assert done.returncode == 2
    assert [row for row in rows(done.stdout) if "not tried" not in row] == [
        "down x ListMultipartUploads connection -",
        "keys one ListMultipartUploads credentials -",
        "prod missing ListMultipartUploads not_found -",
    ]
    assert "Missing" not in done.stdout


def test_without_uploads_and_without_parts(server, tmp_path):
    counts = target("counts", server.url, "one", scan={"parts": "never"})
    done = run("check", tmp_path, target("prod", server.url, "empty"), counts, flags=("--probe",))
    assert done.returncode == 0
    assert rows(done.stdout) == [
        "prod empty ListMultipartUploads allowed",
        "prod empty ListParts not tried: no upload is there to ask about",
        "counts one ListMultipartUploads allowed",
    ]


def test_the_lifecycle_rules_are_asked_for_where_they_are_wanted(s3, server, tmp_path):
    both = [target(name, server.url, name, lifecycle=True) for name in ("one", "two")]
    s3.faults.add(Fault(LIFECYCLE, on={2}, reply=lambda _: error(403, "AccessDenied")))
    done = run("check", tmp_path, *both, flags=("--probe",))
    assert done.returncode == 2
    outcomes = [
        row.split(maxsplit=3) for row in rows(done.stdout) if "GetBucketLifecycleConfiguration" in row
    ]
    allowed, refused = sorted(outcomes, key=lambda row: row[3] != "allowed")
    assert allowed[3] == "allowed"
    grant = f"s3:GetLifecycleConfiguration on arn:aws:s3:::{refused[0]}"
    assert refused[3] == f"access_denied {grant}"


@pytest.mark.parametrize(
    ("name", "noted"),
    [
        (
            "MinIO",
            {"two": "removes unfinished uploads 1d 0h after their initiation: with stale_after of 1d 1h"},
        ),
        ("VERSITYGW", dict.fromkeys(("one", "two"), "moves the initiation of an upload with each part")),
        ("nginx", {}),
    ],
)
def test_what_is_particular_to_a_server_is_noted_and_no_failure(s3, server, tmp_path, name, noted):
    both = [
        target("prod", server.url, bucket, stale_after=age) for bucket, age in (("one", "1d"), ("two", "25h"))
    ]
    both[1]["name"] = "other"
    named = {"Server": name}
    s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, headers={**reply.headers, **named})))
    done = run("check", tmp_path, *both, flags=("--probe",))
    assert (done.returncode, done.stderr, len(server.requests)) == (0, "", 4)
    notes = [note.split(": ", 1) for note in done.stdout.partition("\n\nNotes:\n")[2].splitlines()]
    assert {where.partition("/")[2] for where, _ in notes} == noted.keys()
    assert all(noted[where.partition("/")[2]] in text for where, text in notes)


def test_an_upload_that_ends_meanwhile_is_nothing_that_is_refused(s3, server, tmp_path):
    s3.faults.add(Fault(PARTS, on={1}, reply=lambda _: error(404, "NoSuchUpload")))
    done = run("check", tmp_path, target("prod", server.url, "one"), flags=("--probe",))
    assert done.returncode == 0
    assert rows(done.stdout)[1] == "prod one ListParts allowed"


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        ([], {"one", "two", "three"}),
        (["--all-buckets"], {"one", "two", "three", "four", "five"}),
        (["--bucket=four", "--bucket=five"], {"four", "five"}),
    ],
)
def test_of_many_buckets_a_few_are_asked_unless_told_otherwise(server, tmp_path, flags, asked):
    buckets = target("prod", server.url, "one", "two", "three", "four", "five")
    done = run("check", tmp_path, buckets, flags=("--probe", *flags))
    assert {request.path.split("/")[1] for request in server.requests} == asked
    last = "prod ... - not tried: 2 more buckets: name them with --bucket, or ask --all-buckets"
    assert (rows(done.stdout)[-1] == last) == (not flags)
    assert done.returncode == 0
