"""Which engine reads a bucket: `auto` takes boto3 where plain SigV4 is not enough, and says so once."""

import logging
from pathlib import Path

import pytest
from contract.rigs import Opener, Rig, failure
from contract.scans import bytes_of, received, scan, sized_uploads, summary_of

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.stores.s3 import store as s3_store
from exporter.stores.s3.boto import BotoStore

HELD = sized_uploads(20)
DIRECTORIES = ("logs--use1-az4--x-s3", "more--use1-az4--x-s3")
MULTI_REGION = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"
ARNS = {
    "an access point": "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports",
    "an object lambda": "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/reports",
    "multi-region": MULTI_REGION,
    "of another service": "arn:aws:sns:eu-west-1:123456789012:topic",
    "broken": "arn:aws:s3:eu-west-1",
}


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """Return the fields of what the stores logged about their engine."""
    records = [record for record in caplog.records if record.name == "exporter.stores.s3.store"]
    return [record.fields for record in records]


class TestAuto:
    def test_a_directory_bucket_is_read_through_boto3_and_logged_once_not_per_scan(
        self, open_wire: Opener, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.INFO)
        rig = open_wire(bucket=BucketSettings(DIRECTORIES[0]), engine="auto")
        rig.server.buckets |= dict.fromkeys(DIRECTORIES, HELD)
        for name in (*DIRECTORIES, *DIRECTORIES):
            rig.bucket = BucketSettings(name)
            assert summary_of(rig).bytes == bytes_of(HELD)
        assert said(caplog) == [{"target": "test", "bucket": name, "engine": "boto3"} for name in DIRECTORIES]

    def test_any_other_bucket_is_read_by_wire_without_a_word(
        self, open_wire: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.delattr(BotoStore, "list_uploads")
        monkeypatch.delattr(BotoStore, "list_parts")
        caplog.set_level(logging.INFO)
        rig = open_wire(engine="auto")
        rig.fill(HELD)
        assert summary_of(rig).bytes == bytes_of(HELD)
        assert said(caplog) == []

    def test_buckets_of_both_kinds_stand_side_by_side(self, open_wire: Opener):
        rig = open_wire(engine="auto")
        rig.server.buckets |= {"media": HELD, DIRECTORIES[0]: HELD[:5]}
        found = []
        for name in ("media", DIRECTORIES[0], "media"):
            rig.bucket = BucketSettings(name)
            found.append(summary_of(rig).uploads)
        assert found == [20, 5, 20]

    def test_boto3_reads_all_where_it_is_told_to(
        self, open_wire: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(s3_store, "WireSession", None)
        caplog.set_level(logging.INFO)
        rig = open_wire(engine="boto3")
        rig.fill(HELD)
        assert summary_of(rig).bytes == bytes_of(HELD)
        assert said(caplog) == []


class TestWireAlone:
    def test_a_directory_bucket_is_unsupported_and_nothing_is_sent(self, open_wire: Opener):
        rig = open_wire(bucket=BucketSettings(DIRECTORIES[0]))
        rig.fill(HELD)
        error = failure(scan, rig)
        assert (error.reason, error.retryable) == (Reason.UNSUPPORTED, False)
        assert "engine" in str(error)
        assert (rig.standin.requests, rig.traffic.seen) == ([], [])


class TestArns:
    @pytest.mark.parametrize("kind", ARNS)
    @pytest.mark.parametrize("style", ["auto", "virtual"])
    def test_every_engine_comes_to_the_same(self, open_wire: Opener, kind: str, style: str):
        found = []
        for engine in ("boto3", "auto", "wire"):
            rig = open_wire(bucket=BucketSettings(ARNS[kind]), engine=engine, addressing_style=style)
            rig.server.aliases["reports-123456789012"] = "media"
            rig.server.buckets["media"] = HELD
            found.append((outcome(rig), received(rig)))
        assert found[0] == found[1] == found[2]

    def test_a_multi_region_access_point_is_unsupported(self, open_wire: Opener):
        rig = open_wire(bucket=BucketSettings(MULTI_REGION), engine="auto", addressing_style="auto")
        assert outcome(rig) == Reason.UNSUPPORTED
        assert rig.standin.requests == []


def outcome(rig: Rig) -> object:
    try:
        return scan(rig).summary
    except StoreError as error:
        return error.reason


SPOKEN = {
    "accelerated": "use_accelerate_endpoint = true",
    "virtual": "addressing_style = virtual",
    "payloads signed": "payload_signing_enabled = true",
    "another signature": "signature_version = s3",
}


class TestTheSdksOwnConfig:
    @pytest.mark.parametrize("what", SPOKEN)
    def test_means_the_same_to_every_engine(
        self, open_wire: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
    ):
        (tmp_path / "config").write_text(f"[default]\ns3 =\n  {SPOKEN[what]}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        found = []
        for engine in ("boto3", "auto", "wire"):
            rig = open_wire(engine=engine)
            rig.fill(HELD)
            found.append((outcome(rig), received(rig), sorted(each.target for each in rig.standin.requests)))
        assert found[0] == found[1] == found[2]


class TestNames:
    @pytest.mark.parametrize(
        "name", ["", "..", "a/b", "x" * 300, "a b", "ä", "a\nb", "%2e", "-", "A_b.c", "t:b"]
    )
    def test_every_engine_comes_to_the_same(self, open_wire: Opener, name: str):
        found = []
        for engine in ("boto3", "auto", "wire"):
            rig = open_wire(bucket=BucketSettings(name), engine=engine, addressing_style="auto")
            rig.server.buckets = {"A_b.c": HELD}
            found.append(
                (outcome(rig), received(rig), [request.target for request in rig.standin.requests][:1])
            )
            rig.server.refused.clear()
        assert found[0] == found[1] == found[2]
