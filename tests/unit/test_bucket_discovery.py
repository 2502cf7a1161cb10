"""Lists of buckets of any order and length."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import chain

import pytest
from contract.rigs import failure
from fakes import Clock

from exporter.config.settings import ScanSettings, StoreKind, TargetSettings
from exporter.config.sharding import UNSHARDED, Shard
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Reason
from exporter.model.targets import DroppedBucket, Selection
from exporter.scheduler import discovery
from exporter.scheduler.discovery import BucketDiscovery
from exporter.stores.base import FoundBucket, Page
from exporter.stores.engine.store_client import StoreClient

TARGET = TargetSettings("prod", StoreKind.S3, (), discover=DiscoverSettings())
MANY = [f"bucket-{number:02}" for number in range(30)]


class Account:
    """A store that lists these buckets, two on a page."""

    def __init__(self, *names: str):
        self.names = names

    def list_buckets(self, marker, deadline):
        first = int(marker[0]) if marker else 0
        rest = self.names[first:]
        more = len(rest) > 2
        items = [FoundBucket(name) for name in rest[:2]]
        return Page(items, truncated=more, next_marker=(str(first + 2),) if more else None)


def discovery_of(
    account: Account, target: TargetSettings = TARGET, shard: Shard = UNSHARDED
) -> BucketDiscovery:
    return BucketDiscovery(target, StoreClient(account, target.scan, threading.Event()), shard=shard)


def finder(*names: str) -> BucketDiscovery:
    return discovery_of(Account(*names))


def found_by(shard: Shard) -> list[str]:
    found = discovery_of(Account(*MANY), shard=shard).find().buckets
    return [bucket.name for bucket in found]


def test_buckets_come_in_the_order_of_their_names_each_once():
    found = finder("c", "a", "b", "c", "a").find().buckets
    assert [bucket.name for bucket in found] == ["a", "b", "c"]


def test_each_shard_finds_its_own_and_together_they_find_all():
    parts = [found_by(Shard(3, ordinal)) for ordinal in range(3)]
    assert sorted(chain.from_iterable(parts)) == MANY
    assert [[name for name in MANY if Shard(3, n).owns("prod", name)] for n in range(3)] == parts


def test_what_is_too_much_for_one_is_not_for_two_shards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discovery, "BUCKETS_LIMIT", 20)
    assert "or add shards" in str(failure(finder(*MANY).find))
    assert 10 <= len(found_by(Shard(2, 0))) <= 20


def test_a_list_without_end_is_not_followed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discovery, "BUCKETS_LIMIT", 4)
    assert len(finder(*"abcd").find().buckets) == 4
    error = failure(finder(*"abcdef").find)
    assert (error.reason, "narrow discover.include" in str(error)) == (Reason.UNSUPPORTED, True)


def test_it_says_which_key_drops_each_bucket_and_of_how_many_it_saw(monkeypatch: pytest.MonkeyPatch):
    target = replace(TARGET, discover=DiscoverSettings(include=("^prod-", "web"), exclude=("tmp$", "old")))
    account = Account("prod-a", "test", "web-tmp", "prod-old-tmp", "prod-b b", "web")
    buckets, selection = discovery_of(account, target).find()
    dropped = (
        ("test", "no pattern of discover.include finds it"),
        ("web-tmp", "discover.exclude: tmp$"),
        ("prod-old-tmp", "discover.exclude: tmp$"),
        ("prod-b b", "its name cannot be asked for"),
    )
    assert ([bucket.name for bucket in buckets], selection) == (["prod-a", "web"], Selection(6, 2, dropped))
    monkeypatch.setattr(discovery, "DROPPED_LIMIT", 3)
    assert discovery_of(account, target).find().selection == Selection(6, 2, dropped[:3])


def test_where_all_are_other_shards_no_discovery_is_at_fault():
    names = [name for name in MANY if Shard(3, 0).owns("prod", name)]
    buckets, selection = discovery_of(Account(*names), shard=Shard(3, 1)).find()
    assert (buckets, selection.problem) == ((), "")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "discover matches no bucket: there is none, or the credentials see none"),
        (["a\nb"], "discover matches no bucket, 1 seen: a\\nb (discover.exclude: .)"),
        (
            list("abcdefg"),
            "discover matches no bucket, 7 seen: a, b, c, d, e (discover.exclude: .) and 2 more",
        ),
    ],
)
def test_a_discovery_that_leaves_none_is_a_problem_in_one_sentence(names: list[str], problem: str):
    target = replace(TARGET, discover=DiscoverSettings(exclude=(".",)))
    assert discovery_of(Account(*names), target).find().selection.problem == problem


def test_what_the_same_key_drops_is_named_together():
    dropped = tuple(DroppedBucket(name, why) for name, why in (("a", "x"), ("b", "y"), ("c", "x")))
    assert Selection(4, 0, dropped).problem.partition(": ")[2] == "a, c (x), b (y) and 1 more"


def test_pages_wait_for_their_turn_where_requests_per_second_are_limited():
    target, clock = replace(TARGET, scan=ScanSettings(requests_per_second=0.5)), Clock()
    client = StoreClient(Account(*"abcdef"), target.scan, clock, clock.clocks())
    assert len(BucketDiscovery(target, client).find().buckets) == 6
    assert clock.now == pytest.approx(4.0)


def test_odd_names_are_told_where_the_patterns_want_them_and_not_without_end(
    caplog: pytest.LogCaptureFixture,
):
    odd = [f"odd {number}" for number in range(2 * discovery.LOGGED_NAMES_LIMIT)]
    target = replace(TARGET, discover=DiscoverSettings(exclude=("^not",)))
    account = Account("good", "not wanted", *odd)
    found = discovery_of(account, target).find().buckets
    assert [bucket.name for bucket in found] == ["good"]
    told = [record.fields["bucket"] for record in caplog.records]
    assert told == odd[: discovery.LOGGED_NAMES_LIMIT]


@pytest.mark.parametrize(
    "name",
    [
        "x" * 256,
        "x" * 70_000,
        'a"b',
        "a?b",
        "a%2Fb",
        "büro",
        "a{b}",
        "arn:aws:s3:::b/c",
        "arn:aws:s3:us-west-2:123456789012:accesspoint:evil",
        "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap",
        "169.254.169.254",
        ":",
        "::1",
        "tenant:",
        "-x",
        ".x",
        ".",
        "..",
        "a\ud800",
    ],
)
def test_a_name_that_no_store_gives_a_bucket_is_told_in_short_and_left_out(
    caplog: pytest.LogCaptureFixture, name: str
):
    valid = ("1.2.3.4.5", "A_b", "_a..b", "arn", "tenant:data", "x" * 255)
    buckets, selection = finder(*valid, name).find()
    assert [bucket.name for bucket in buckets] == list(valid)
    assert (selection.seen, selection.matched, len(selection.dropped[0].name) <= 256) == (7, 6, True)
    [told] = [record.fields["bucket"] for record in caplog.records]
    assert len(told) <= 256


def test_vaults_have_names_that_no_bucket_has():
    vaults = replace(TARGET, store=StoreKind.GLACIER)
    found = discovery_of(Account("-x", ".x", "1.2.3.4", "a:b", "arn:a", ".", ".."), vaults).find().buckets
    assert [bucket.name for bucket in found] == ["-x", ".x", "1.2.3.4"]


def test_containers_that_azure_itself_has_are_found_too():
    containers = replace(TARGET, store=StoreKind.AZURE)
    found = discovery_of(
        Account("$root", "$web", "media-1", "a$b", "$", "a/b", "..", "a:b"), containers
    ).find()
    assert [bucket.name for bucket in found.buckets] == ["$root", "$web", "media-1"]


def test_an_odd_name_leaves_each_shard_its_own():
    """A list in JSON may have half a character in it, which has no UTF-8."""
    account = Account("odd \ud800", *MANY)
    parts = [discovery_of(account, shard=Shard(2, n)).find().buckets for n in range(2)]
    assert sorted(bucket.name for part in parts for bucket in part) == MANY
