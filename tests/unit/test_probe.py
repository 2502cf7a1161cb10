"""What a probe asks of a store, and what it says of the answers."""

from dataclasses import replace

import pytest
from fakes import FakeStore, error, upload

from exporter.cli import probe as probing
from exporter.cli.formats.probe import failures, probe_table
from exporter.cli.oneshot import OneShot
from exporter.cli.probe import ProbeResult, probe
from exporter.cli.probe_notes import noting_servers
from exporter.config.credentials import AssumeRole, Credentials
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Reason, StoreError
from exporter.stores.base import FoundBucket, Page

ROLE = "arn:aws:iam::111122223333:role/mpu"
TARGET = TargetSettings(
    "prod",
    StoreKind.S3,
    (BucketSettings("media"),),
    ScanSettings(retries=0),
    credentials=Credentials(assume_role=AssumeRole(ROLE)),
)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch):
    """Return a function that probes a target whose store is this one."""

    def probed(target: TargetSettings, store: FakeStore) -> list[ProbeResult]:
        monkeypatch.setattr(probing, "OneShot", lambda targets: OneShot(targets, new_store=lambda *_: store))
        return probe([target], frozenset(), every=False)

    return probed


def test_a_bug_of_ours_is_a_row(ask):
    class Surprising(FakeStore):
        def open(self, bucket, deadline):
            raise RuntimeError("a bug")

    rows = ask(TARGET, Surprising())
    assert [(row.operation, row.failure and row.failure.reason) for row in rows] == [
        ("ListMultipartUploads", Reason.INTERNAL),
        ("ListParts", None),
    ]


def test_found_vaults_are_called_what_the_store_calls_them(ask):
    class Vaults(FakeStore):
        def list_buckets(self, marker, deadline):
            return Page([FoundBucket("tapes")], truncated=False)

    target = replace(TARGET, store=StoreKind.GLACIER, buckets=(), discover=DiscoverSettings())
    rows = ask(target, Vaults([upload(1)]))
    assert [(row.bucket, row.operation, row.failure) for row in rows] == [
        ("", "ListVaults", None),
        ("tapes", "ListMultipartUploads", None),
        ("tapes", "ListParts", None),
    ]


@pytest.mark.parametrize(
    ("store", "operation", "grant"),
    [
        (StoreKind.S3, "GetBucketTagging", "s3:GetBucketTagging on arn:aws:s3:::media"),
        (
            StoreKind.GLACIER,
            "ListTagsForVault",
            "glacier:ListTagsForVault on arn:aws:glacier:*:*:vaults/media",
        ),
    ],
)
def test_tags_are_asked_for_where_the_config_names_some(ask, store: StoreKind, operation: str, grant: str):
    [*_, row] = ask(
        replace(TARGET, store=store, tags=("owner",)), FakeStore(tags=[error(Reason.ACCESS_DENIED)])
    )
    assert (row.bucket, row.operation, row.grant) == ("media", operation, grant)


def test_the_store_s_own_count_is_asked_for_where_the_config_says_so_and_the_whole_bucket_is_watched(ask):
    class Refusing(FakeStore):
        def reported_uploads(self, bucket, deadline):
            raise error(Reason.ACCESS_DENIED)

    buckets = (BucketSettings("media"), BucketSettings("part", prefix="db/"))
    rows = ask(replace(TARGET, buckets=buckets, ceph_admin=True), Refusing())
    grant = "caps buckets=read (radosgw-admin caps add --uid=USER --caps=buckets=read)"
    assert [(row.bucket, row.grant) for row in rows if row.operation == "GetBucketInfo"] == [("media", grant)]


def test_a_discovery_that_leaves_no_bucket_is_a_failure_that_says_what_drops_each(ask):
    class Buckets(FakeStore):
        def list_buckets(self, marker, deadline):
            return Page([FoundBucket("media"), FoundBucket("tmp")], truncated=False)

    discover = DiscoverSettings(include=("^prod",))
    rows = ask(replace(TARGET, buckets=(), discover=discover), Buckets())
    why = "no pattern of discover.include finds it"
    assert [(row.operation, row.failure and row.failure.reason) for row in rows] == [
        ("ListBuckets", None),
        ("discover", Reason.NOT_FOUND),
    ]
    assert failures(rows) == [f"prod: not_found: discover matches no bucket, 2 seen: media, tmp ({why})"]
    assert probe_table(rows).endswith(f"Notes:\n  prod/(all): media ({why})\n  prod/(all): tmp ({why})")


def test_where_the_list_is_refused_that_is_all(ask):
    class Refusing(FakeStore):
        def list_buckets(self, marker, deadline):
            raise error(Reason.ACCESS_DENIED)

    rows = ask(replace(TARGET, buckets=(), discover=DiscoverSettings()), Refusing())
    assert [(row.bucket, row.operation, row.grant) for row in rows] == [
        ("", "ListBuckets", "s3:ListAllMyBuckets on *")
    ]
    assert failures(rows) == ["prod: access_denied: a access_denied of the test"]
    assert probe_table(rows).endswith("\n\nMissing, to be granted:\n  s3:ListAllMyBuckets on *")


def test_the_url_of_a_bucket_that_was_found_is_noted_where_it_names_the_bucket_already(ask):
    class Buckets(FakeStore):
        def list_buckets(self, marker, deadline):
            return Page([FoundBucket("media"), FoundBucket("logs")], truncated=False)

    target = replace(TARGET, buckets=(), discover=DiscoverSettings(), endpoint_url="http://h:8333/media")
    rows = ask(target, Buckets([upload(1)]))
    [(bucket, [note])] = [(row.bucket, row.notes) for row in rows if row.notes]
    assert bucket == "media"
    assert note.startswith("endpoint_url: has the name of the bucket media in its path, which is added to it")
    assert probe_table(rows).endswith(f"\n\nNotes:\n  prod/media: {note}")


def test_a_note_about_many_buckets_stands_there_once():
    rows = [ProbeResult("prod", f"b-{number}", "ListParts", notes=("same",)) for number in range(5)]
    rows += [
        ProbeResult("prod", "c", "ListParts", notes=("other",)),
        ProbeResult("dev", "", "-", notes=("same",)),
    ]
    assert probe_table(rows).partition("\n\nNotes:\n")[2].splitlines() == [
        "  prod/b-0, b-1, b-2 and 2 more: same",
        "  prod/c: other",
        "  dev/(all): same",
    ]


def test_a_bucket_that_cannot_be_listed_has_no_notes(ask):
    class Refusing(FakeStore):
        def open(self, bucket, deadline):
            raise error(Reason.ACCESS_DENIED)

    assert [row.notes for row in ask(TARGET, Refusing())] == [(), ()]


def test_the_url_of_a_bucket_of_the_config_is_told_without_a_probe_and_not_again(ask):
    rows = ask(replace(TARGET, endpoint_url="http://h:8333/media"), FakeStore([upload(1)]))
    assert [row.notes for row in rows] == [(), ()]


def test_servers_are_noted_of_pages_that_came_after_a_failure_too():
    def listing():
        try:
            yield "first"
        except StoreError:
            page = yield "again"
            return page.items

    servers: set[str] = set()
    task = noting_servers(listing(), servers)
    assert next(task) == "first"
    assert task.throw(error(Reason.BAD_RESPONSE)) == "again"
    with pytest.raises(StopIteration) as ended:
        task.send(Page(["u"], truncated=False, server="MinIO"))
    assert (ended.value.value, servers) == (["u"], {"MinIO"})
