"""Asking many targets once: what fails is told where it failed, the rest goes on, the wait can be ended."""

import threading
from dataclasses import replace

import pytest
from fakes import FakeStore, error, upload

from exporter.cli.exit_codes import TARGET_FAILED
from exporter.cli.oneshot import LoggedFailure, NothingFound, OneShot, Outcome
from exporter.cli.report import exit_code, report_failures
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Failure, Reason
from exporter.state.ledger import Ledger
from exporter.stores.base import FoundBucket, Page

ONE = TargetSettings("one", StoreKind.S3, (BucketSettings("a"), BucketSettings("b")))
TWO = replace(ONE, name="two")


class Heard:
    def __init__(self) -> None:
        self.expected = self.finished = 0

    def expect(self, buckets: int) -> None:
        self.expected += buckets

    def finish(self) -> None:
        self.finished += 1


def lister(session):
    scanner = session.scanner()
    return lambda bucket: scanner.scan(bucket, Ledger()).summary.uploads


def made(stores: dict[str, FakeStore]):
    return lambda target, _: stores[target.name]


def test_every_bucket_of_every_target_in_the_config_s_order():
    stores = {"one": FakeStore([upload(1)]), "two": FakeStore([upload(1), upload(2)])}
    heard = Heard()
    outcomes = OneShot([TWO, ONE], listener=heard, new_store=made(stores)).for_each_bucket(lister)
    assert [(each.target.name, each.bucket, each.value) for each in outcomes] == [
        ("two", "a", 2),
        ("two", "b", 2),
        ("one", "a", 1),
        ("one", "b", 1),
    ]
    assert (heard.expected, heard.finished) == (4, 4)


def test_what_fails_says_why_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture):
    def ask(session):
        def one(bucket):
            if (session.target.name, bucket.name) == ("one", "a"):
                raise error(Reason.TLS)
            if (session.target.name, bucket.name) == ("two", "a"):
                raise KeyError("a bug")
            return bucket.name

        return one

    heard = Heard()
    one_shot = OneShot([ONE, TWO], listener=heard, new_store=lambda *_: FakeStore())
    assert [each.value for each in one_shot.for_each_bucket(ask)] == [
        Failure(Reason.TLS, "a tls of the test"),
        "b",
        LoggedFailure(Reason.INTERNAL, "unexpected KeyError; please report it"),
        "b",
    ]
    assert heard.finished == 4
    assert "KeyError: 'a bug'" in caplog.text


def test_a_bug_that_the_log_has_is_not_told_again(capsys: pytest.CaptureFixture[str]):
    outcomes = [
        Outcome(ONE, "a", LoggedFailure(Reason.INTERNAL, "unexpected KeyError; please report it")),
        Outcome(ONE, "b", Failure(Reason.TLS, "expired")),
    ]
    report_failures(outcomes)
    assert (capsys.readouterr().err, exit_code(outcomes[:1])) == ("one/b: tls: expired\n", TARGET_FAILED)


def test_only_the_named_buckets():
    one_shot = OneShot([ONE, TWO], new_store=lambda *_: FakeStore(), bucket_names=frozenset({"b"}))
    assert [each.bucket for each in one_shot.for_each_bucket(lambda _: lambda bucket: bucket.name)] == [
        "b",
        "b",
    ]


def test_stores_are_closed_and_what_is_under_way_given_up_where_the_wait_ends():
    closed, stopped = [], []

    class Store(FakeStore):
        def close(self) -> None:
            closed.append(self)

    begun = threading.Barrier(2)

    def work(session):
        begun.wait(20)
        if session.target.name == "one":
            raise KeyboardInterrupt
        stopped.append(session.client.stop.wait(20))

    with pytest.raises(KeyboardInterrupt):
        OneShot([ONE, TWO], new_store=lambda *_: Store()).for_each_target(work)
    assert (len(closed), stopped) == (2, [True])


def test_a_target_whose_buckets_cannot_be_found_is_one_failure():
    class Refusing(FakeStore):
        def list_buckets(self, marker, deadline):
            raise error(Reason.ACCESS_DENIED)

    finding = replace(ONE, buckets=(), discover=DiscoverSettings())
    outcomes = OneShot([finding, TWO], new_store=lambda *_: Refusing()).for_each_bucket(lister)
    assert [(each.target.name, each.bucket) for each in outcomes] == [("one", ""), ("two", "a"), ("two", "b")]
    assert outcomes[0].value == Failure(Reason.ACCESS_DENIED, "a access_denied of the test")


def test_found_buckets_are_asked_about_as_configured_ones_are():
    class Listing(FakeStore):
        def list_buckets(self, marker, deadline):
            return Page([FoundBucket("prod-a"), FoundBucket("prod-b"), FoundBucket("test")], truncated=False)

    finding = replace(ONE, buckets=(), discover=DiscoverSettings(include=("^prod-",)))
    one_shot = OneShot([finding], new_store=lambda *_: Listing(), bucket_names=frozenset({"prod-b", "test"}))
    assert [each.bucket for each in one_shot.for_each_bucket(lister)] == ["prod-b"]


def test_a_target_that_discovery_leaves_no_bucket_is_no_target_whose_discovery_failed():
    class Listing(FakeStore):
        def list_buckets(self, marker, deadline):
            return Page([FoundBucket("test")], truncated=False)

    finding = replace(ONE, buckets=(), discover=DiscoverSettings(include=("^prod-",)))
    [outcome] = OneShot([finding], new_store=lambda *_: Listing()).for_each_bucket(lister)
    assert (outcome.bucket, type(outcome.value)) == ("", NothingFound)
    assert outcome.value.message.startswith("discover matches no bucket, 1 seen: test")


def test_a_url_that_names_a_found_bucket_already_is_told(caplog: pytest.LogCaptureFixture):
    class Listing(FakeStore):
        def list_buckets(self, marker, deadline):
            return Page([FoundBucket("a"), FoundBucket("media")], truncated=False)

    finding = replace(ONE, buckets=(), discover=DiscoverSettings(), endpoint_url="http://h:8333/media")
    OneShot([finding], new_store=lambda *_: Listing()).for_each_bucket(lister)
    [record] = caplog.records
    assert record.fields["target"] == "one"
    assert record.fields["advice"].startswith("endpoint_url: has the name of the bucket media in its path")
