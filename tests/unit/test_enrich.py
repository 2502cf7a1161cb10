"""What scans find beyond sums: lifecycle rules, asked for once an hour, and groups where there are few."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import pytest
from fakes import BUCKET, REFUSED, Clock, FakeStore, error, upload

from exporter.config.settings import ScanSettings, StoreKind, TargetSettings
from exporter.config.target_sections import TopSettings
from exporter.model.errors import Reason, StoppingError
from exporter.model.results import AbortRules, Group
from exporter.scan import groups
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import Summary

RULES = AbortRules(bucket=7 * 86400.0)
ASKED = "rules of media"
BUSY = error(Reason.THROTTLED, 503, "SlowDown", retryable=True)


@dataclass
class BucketScanner:
    """Scans of one bucket, as a target with these settings makes them."""

    store: FakeStore = field(default_factory=FakeStore)
    lifecycle: bool = True
    tags: tuple[str, ...] = ()
    top: TopSettings | None = None
    scan: ScanSettings = field(default_factory=lambda: ScanSettings(retries=2))

    jitter: Callable[[float, float], float] = lambda _low, _high: 0.0

    def __post_init__(self) -> None:
        self.clock = Clock()
        target = TargetSettings(
            "prod", StoreKind.S3, (BUCKET,), scan=self.scan, lifecycle=self.lifecycle, top=self.top
        )
        target = replace(target, tags=self.tags)
        clocks = replace(self.clock.clocks(), jitter=self.jitter)
        client = StoreClient(self.store, self.scan, self.clock, clocks)
        self.scanner = Scanner(client, (), enrichment=Enrichment(target, client))

    def summary(self) -> Summary:
        return self.scanner.scan(BUCKET, Ledger()).summary

    def rules(self) -> AbortRules | None:
        return self.summary().abort_rules


class TestLifecycle:
    def test_rules_come_with_the_scan(self):
        assert BucketScanner(FakeStore(rules=[RULES])).rules() == RULES

    def test_nothing_is_asked_where_nobody_wants_to_know(self):
        scans = BucketScanner(lifecycle=False)
        assert scans.rules() is None
        assert scans.store.asked[ASKED] == 0

    def test_they_are_asked_for_once_an_hour(self):
        scans = BucketScanner(FakeStore(rules=[RULES, AbortRules()]))
        assert [scans.rules(), scans.rules()] == [RULES, RULES]
        scans.clock.now += 3599
        assert scans.rules() == RULES
        scans.clock.now += 1
        assert scans.rules() == AbortRules()
        assert scans.store.asked[ASKED] == 2

    def test_a_refusal_fails_nothing_and_is_told_once(self, caplog: pytest.LogCaptureFixture):
        scans = BucketScanner(FakeStore([upload(1)], rules=[REFUSED]))
        for _ in range(3):
            assert (scans.rules(), scans.summary().uploads) == (None, 1)
            scans.clock.now += 3600
        assert scans.store.asked[ASKED] == 3
        [record] = caplog.records
        assert record.fields == {  # type: ignore[attr-defined]
            "target": "prod",
            "bucket": "media",
            "reason": "access_denied",
            "error": str(REFUSED),
        }

    def test_another_reason_is_told_too_and_the_same_again_after_a_success(self, caplog):
        answers = [REFUSED, error(Reason.UNSUPPORTED, 501), REFUSED, RULES, REFUSED]
        scans = BucketScanner(FakeStore(rules=list(answers)))
        for _ in answers:
            scans.rules()
            scans.clock.now += 3600
        reasons = [record.fields["reason"] for record in caplog.records]
        assert reasons == ["access_denied", "unsupported", "access_denied"]

    def test_what_may_pass_is_tried_again_at_once_and_with_the_next_scan(self):
        scans = BucketScanner(FakeStore(rules=[BUSY, BUSY, BUSY, BUSY, RULES]))
        assert scans.rules() is None
        assert scans.store.asked[ASKED] == 3
        assert scans.rules() == RULES

    def test_what_was_known_is_not_shown_once_it_cannot_be_had(self):
        scans = BucketScanner(FakeStore(rules=[RULES, BUSY]))
        assert scans.rules() == RULES
        scans.clock.now += 3600
        assert scans.rules() is None

    @pytest.mark.parametrize("limit", ["timeout", "request_timeout"])
    def test_no_try_outlasts_the_scan_or_the_time_of_one_call(self, limit: str):
        scan = replace(ScanSettings(retries=9), **{limit: 10.0})
        scans = BucketScanner(FakeStore(rules=[BUSY]), scan=scan, jitter=lambda _low, high: high)
        assert scans.rules() is None
        assert 0.0 < scans.clock.now < 10.0

    def test_a_stop_ends_it(self):
        scans = BucketScanner(FakeStore(rules=[StoppingError()]))
        with pytest.raises(StoppingError):
            scans.rules()


def tagged(*answers: dict[str, str] | Exception) -> BucketScanner:
    """Return scans of a target that wants to know of two tags."""
    store = FakeStore([upload(1)], tags=list(answers))
    return BucketScanner(store, lifecycle=False, tags=("owner", "team"))


class TestTags:
    ANSWER: ClassVar = {"owner": "storage", "cost": "42"}
    KNOWN = (("owner", "storage"), ("team", ""))

    def test_those_that_the_config_names_come_with_the_scan_and_one_that_is_lacking_is_empty(self):
        assert tagged(self.ANSWER).summary().tags == self.KNOWN

    def test_nothing_is_asked_where_nobody_wants_to_know(self):
        scans = BucketScanner(FakeStore(tags=[self.ANSWER]))
        assert scans.summary().tags is None
        assert scans.store.asked["tags of media"] == 0

    def test_they_are_asked_for_once_an_hour(self):
        scans = tagged(self.ANSWER, {"team": "b"})
        assert [scans.summary().tags, scans.summary().tags] == [self.KNOWN] * 2
        scans.clock.now += 3599
        assert scans.summary().tags == self.KNOWN
        scans.clock.now += 1
        assert scans.summary().tags == (("owner", ""), ("team", "b"))
        assert scans.store.asked["tags of media"] == 2

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            ({}, "the bucket has no tags: it is not in mpu_bucket_info"),
            (REFUSED, "the bucket's tags are not known"),
            (error(Reason.UNSUPPORTED, 501), "the bucket's tags are not known"),
        ],
    )
    def test_without_any_the_scan_is_good_and_that_is_told_once_and_not_every_hour(
        self, caplog: pytest.LogCaptureFixture, answer: dict[str, str] | Exception, told: str
    ):
        scans = tagged(answer)
        with caplog.at_level(logging.INFO):
            for _ in range(3):
                assert (scans.summary().tags, scans.summary().uploads) == (None, 1)
                scans.clock.now += 3600
        assert scans.store.asked["tags of media"] == 3
        assert [record.message for record in caplog.records] == [told]

    def test_a_failure_that_may_pass_leaves_them_as_they_were_until_keep_for_is_over(self):
        scans = tagged(self.ANSWER, BUSY)
        assert scans.summary().tags == self.KNOWN
        scans.clock.now += scans.scan.keep_for - 1
        assert scans.summary().tags == self.KNOWN
        scans.clock.now += 1
        assert scans.summary().tags is None

    def test_they_wait_for_their_turn_where_requests_per_second_are_limited(self):
        scan = ScanSettings(requests_per_second=0.5)
        for named, seconds in (((), 2.0), (("owner",), 4.0)):  # after the listing, and after ListParts
            scans = BucketScanner(FakeStore([upload(1)]), lifecycle=False, tags=named, scan=scan)
            scans.summary()
            assert scans.clock.now == pytest.approx(seconds)

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("a\nb\x1b\u202e", r"a\nb\u001b\u202e"),
            (r"a\nb", r"a\\nb"),
            ("é" * 256, "é" * 256),
        ],
    )
    def test_values_are_printable_and_those_that_s3_allows_are_whole(self, value: str, shown: str):
        assert tagged({"owner": value}).summary().tags == (("owner", shown), ("team", ""))

    def test_two_values_never_share_a_label_however_long_they_are(self):
        values = ["x" * 1000, "x" * 1001, "x" * 256, "x" * 255 + "…"]
        found = [tagged({"owner": value}).summary().tags for value in values]
        assert len({str(tags) for tags in found}) == len(values)
        assert max(len(tags[0][1]) for tags in found if tags) <= 280


class TestGroups:
    def few(self) -> FakeStore:
        return FakeStore(
            [upload(number)._replace(key=f"{number % 3}/k", initiator="me") for number in range(7)]
        )

    def test_they_come_with_the_scan(self):
        found = BucketScanner(
            self.few(), lifecycle=False, top=TopSettings(("prefix", "initiator"), 1, 2)
        ).summary()
        assert found.prefixes == (Group("0/", 3, 30), Group("1/", 2, 20), Group("", 2, 20))
        assert found.initiators == (Group("me", 7, 70), Group("", 0, 0))

    def test_only_those_asked_for(self):
        found = BucketScanner(self.few(), top=TopSettings(("initiator",))).summary()
        assert found.prefixes is None
        assert found.initiators is not None
        assert BucketScanner(self.few()).summary().initiators is None

    def test_without_parts_bytes_are_not_known(self):
        found = BucketScanner(
            self.few(), top=TopSettings(("prefix",)), scan=ScanSettings(parts="never")
        ).summary()
        assert {group.bytes for group in found.prefixes or ()} == {None}
        assert [group.uploads for group in found.prefixes or ()] == [3, 2, 2, 0]

    def test_too_many_are_told_once_and_again_after_there_were_fewer(self, monkeypatch, caplog):
        monkeypatch.setattr(groups, "MAX_GROUPS", 2)
        scans = BucketScanner(self.few(), lifecycle=False, top=TopSettings())
        with caplog.at_level(logging.WARNING):
            assert scans.summary().prefixes is None
            assert scans.summary().initiators is not None
            all_of_them = scans.store.uploads
            scans.store.uploads = all_of_them[:2]
            assert scans.summary().prefixes is not None
            scans.store.uploads = all_of_them
            assert scans.summary().prefixes is None
        assert [record.fields for record in caplog.records] == [
            {"target": "prod", "bucket": "media", "by": "prefix"}
        ] * 2

    def test_all_of_it_outlives_the_process(self):
        store = self.few()
        store.rules, store.tags = [RULES], [{"owner": "storage"}]
        scans, ledger = BucketScanner(store, top=TopSettings(), tags=("owner",)), Ledger()
        found = scans.scanner.scan(BUCKET, ledger).summary
        again = Ledger(ledger.rows).result
        assert again
        assert again.summary == found
