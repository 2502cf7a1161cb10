"""What bytes cost, against a plain sum; and where that cannot be said."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.settings import StoreKind, TargetSettings
from exporter.config.target_sections import Prices
from exporter.model.cost import GIB, PriceList
from exporter.model.results import OTHER_CLASS
from exporter.stores.prices import price_list_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES = Prices("USD", default=None, by_class=(("STANDARD", 0.5), ("STANDARD_IA", 0.25), ("GLACIER", 0.125)))
STAGED = {"GLACIER": "STANDARD", "DEEP_ARCHIVE": "STANDARD"}
NONE = MappingProxyType({})
CLASSES = ["STANDARD", "STANDARD_IA", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", OTHER_CLASS]


def monthly(
    *sizes: tuple[str, int], prices: Prices = PRICES, billed_as: Mapping[str, str] = NONE
) -> float | None:
    return PriceList(prices, billed_as).monthly(sizes)


def test_each_class_has_its_price():
    assert monthly(("STANDARD", 2 * GIB), ("STANDARD_IA", 4 * GIB)) == 2.0


def test_nothing_costs_nothing():
    assert monthly() == 0.0
    assert monthly(("GLACIER_IR", 0)) == 0.0


def test_bytes_without_a_price_make_the_whole_unknown():
    assert monthly(("STANDARD", GIB), ("GLACIER_IR", 1)) is None


def test_the_default_is_for_classes_without_a_price_of_their_own():
    prices = Prices("USD", default=1.0, by_class=(("STANDARD", 0.0),))
    assert monthly(("STANDARD", GIB), ("GLACIER_IR", GIB), prices=prices) == 1.0


def test_classes_that_were_put_together_have_no_price():
    assert monthly((OTHER_CLASS, 1), prices=Prices("USD", default=1.0)) is None


def test_amazon_bills_archive_classes_as_standard_until_they_are_completed():
    sizes = ("GLACIER", GIB), ("DEEP_ARCHIVE", GIB)
    assert monthly(*sizes, billed_as=STAGED) == 1.0
    assert monthly(*sizes) is None
    assert monthly(sizes[0]) == 0.125
    assert monthly(("GLACIER_IR", GIB), billed_as=STAGED) is None


@pytest.mark.parametrize(
    ("store", "endpoint_url", "staged"),
    [
        (StoreKind.S3, None, True),
        (StoreKind.S3, "https://s3.dualstack.eu-west-1.amazonaws.com", True),
        (StoreKind.S3, "https://bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com", True),
        (StoreKind.S3, "https://s3.cn-north-1.amazonaws.com.cn", True),
        (StoreKind.S3, "https://s3.dualstack.eu-west-1.api.aws", True),
        (StoreKind.S3, "https://s3.example.com", False),
        (StoreKind.S3, "https://notamazonaws.com", False),
        (StoreKind.OBS, "https://obs.example.com", False),
        (StoreKind.GLACIER, None, False),
    ],
)
def test_other_stores_bill_a_class_as_it_is_called(store: StoreKind, endpoint_url: str | None, staged: bool):  # noqa: FBT001
    target = TargetSettings("t", store, (), endpoint_url=endpoint_url, price_per_gib_month=PRICES)
    assert price_list_of(target) == PriceList(PRICES, STAGED if staged else NONE)


def test_nodes_of_a_cluster_are_not_amazon_s():
    nodes = ("https://a.example.com", "https://b.example.com")
    target = TargetSettings("t", StoreKind.S3, (), endpoint_urls=nodes, price_per_gib_month=PRICES)
    assert price_list_of(target) == PriceList(PRICES, NONE)


def test_without_prices_there_is_no_price_list():
    assert price_list_of(TargetSettings("t", StoreKind.S3, ())) is None


_prices = st.none() | st.integers(0, 1000).map(lambda eighths: eighths / 8)
_sizes = st.dictionaries(st.sampled_from(CLASSES), st.integers(0, 2**50))


@given(_sizes, st.dictionaries(st.sampled_from(CLASSES[:-1]), _prices.filter(bool)), _prices, st.booleans())
def test_the_cost_is_what_a_plain_sum_says(sizes: dict, by_class: dict, default: float | None, staged: bool):  # noqa: FBT001
    found = monthly(
        *sorted(sizes.items()),
        prices=Prices("USD", default, tuple(by_class.items())),
        billed_as=STAGED if staged else NONE,
    )
    total: float | None = 0.0
    for name, size in sizes.items():
        billed = "STANDARD" if staged and name in {"GLACIER", "DEEP_ARCHIVE"} else name
        price = None if name == OTHER_CLASS else by_class.get(billed, default)
        if size and price is None:
            total = None
        elif total is not None:
            total += size * (price or 0.0) / GIB
    assert found == (None if total is None else pytest.approx(total))
