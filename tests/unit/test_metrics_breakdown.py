"""What is spent, who is to blame, who will clean up: each family shows what is known, or nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from unit.example_board import PRICE_LIST, SUMMARY

from exporter.config.target_sections import Prices
from exporter.metrics.buckets import BoardCollector
from exporter.model.cost import PriceList
from exporter.model.results import AbortRules, Group, ScanResult
from exporter.state.board import Board, Entry

if TYPE_CHECKING:
    from exporter.model.results import Summary


def samples(
    summary: Summary = SUMMARY,
    *,
    store: str = "s3",
    price_list: PriceList | None = PRICE_LIST,
    cleanup_after: float | None = None,
) -> dict[str, dict[str, float]]:
    """Return by family, and by the value of its own label, what is shown of a bucket."""
    board = Board()
    entry = Entry("prod", "media", store, 60.0, (3600.0, 86400.0), price_list=price_list)
    board.declare([replace(entry, cleanup_after=cleanup_after)])
    board.publish(("prod", "media"), ScanResult(summary, finished=1.0, duration=1.0))
    return {
        family.name: {
            "|".join(value for name, value in each.labels.items() if name not in _OF_BUCKETS): each.value
            for each in family.samples
        }
        for family in BoardCollector(board).collect()
    }


_OF_BUCKETS = {"target", "store", "bucket"}


@pytest.mark.parametrize("store", ["obs", "glacier"])
def test_only_s3_says_when_it_will_abort(store: str):
    shown = samples()
    assert (shown["mpu_abort_scheduled_uploads"], shown["mpu_abort_overdue_uploads"]) == ({"": 3}, {"": 1})
    assert not {"mpu_abort_scheduled_uploads", "mpu_abort_overdue_uploads"} & samples(store=store).keys()


def test_an_abort_that_is_not_known_has_no_sample():
    unknown = samples(replace(SUMMARY, abort_scheduled=None, abort_overdue=None))
    assert not {"mpu_abort_scheduled_uploads", "mpu_abort_overdue_uploads"} & unknown.keys()


def test_rules_that_are_there_have_seconds_and_others_are_zero():
    shown = samples(replace(SUMMARY, abort_rules=AbortRules(prefix=86400.0)))
    assert shown["mpu_abort_rule_present"] == {"bucket": 0, "prefix": 1}
    assert shown["mpu_abort_rule_seconds"] == {"prefix": 86400}


def test_rules_that_are_not_known_have_no_sample():
    unknown = samples(replace(SUMMARY, abort_rules=None))
    assert not {"mpu_abort_rule_present", "mpu_abort_rule_seconds"} & unknown.keys()


@pytest.mark.parametrize("store", ["s3", "glacier", "azure"])
def test_a_store_that_cleans_up_by_itself_counts_as_a_rule_of_its_own(store: str):
    shown = samples(replace(SUMMARY, abort_rules=None), store=store, cleanup_after=86400.0)
    assert shown["mpu_abort_rule_present"] == {"store": 1}
    assert shown["mpu_abort_rule_seconds"] == {"store": 86400}


def test_rules_of_the_bucket_are_shown_beside_what_the_store_does():
    shown = samples(replace(SUMMARY, abort_rules=AbortRules(bucket=604800.0)), cleanup_after=86400.0)
    assert shown["mpu_abort_rule_present"] == {"bucket": 1, "prefix": 0, "store": 1}
    assert shown["mpu_abort_rule_seconds"] == {"bucket": 604800, "store": 86400}


def test_groups_are_shown_under_their_names():
    groups = Group("a/", 3, 30), Group("b/", 2, None), Group("", 1, 5)
    shown = samples(replace(SUMMARY, prefixes=groups, initiators=None))
    assert shown["mpu_prefix_uploads"] == {"a/": 3, "b/": 2, "": 1}
    assert shown["mpu_prefix_bytes"] == {"a/": 30, "": 5}
    assert not {"mpu_initiator_uploads", "mpu_initiator_bytes"} & shown.keys()


def test_the_cost_is_of_the_bytes_by_class_at_the_target_s_prices():
    summary = replace(SUMMARY, bytes_by_class=(("STANDARD", 2**30), ("STANDARD_IA", 2**31)))
    price_list = PriceList(Prices("CHF", default=None, by_class=(("STANDARD", 1.0), ("STANDARD_IA", 0.25))))
    assert samples(summary, price_list=price_list)["mpu_estimated_monthly_cost"] == {"CHF": 1.5}


def test_a_cost_that_is_not_known_has_no_sample():
    other = PriceList(Prices("CHF", default=None, by_class=(("COLD", 1.0),)))
    for shown in (
        samples(price_list=None),
        samples(price_list=other),
        samples(replace(SUMMARY, bytes=None, bytes_by_class=())),
    ):
        assert "mpu_estimated_monthly_cost" not in shown


def test_an_empty_bucket_costs_nothing():
    empty = replace(SUMMARY, uploads=0, bytes=0, bytes_by_class=())
    assert samples(empty)["mpu_estimated_monthly_cost"] == {"EUR": 0.0}
