"""What a bucket's unfinished uploads cost a month: bytes by storage class and prices in, money out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.config.settings import StoreKind
from exporter.model.results import OTHER_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.settings import Prices, TargetSettings

GIB = 2**30
STAGED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes whose parts Amazon S3 stages, and bills as STANDARD, until the upload is completed.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuploadpricing
"""
_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True, slots=True)
class PriceList:
    """A target's prices, and whether its store bills the parts of archive classes as STANDARD."""

    prices: Prices
    stages_archives: bool = False

    @property
    def currency(self) -> str:
        """What the cost is in."""
        return self.prices.currency

    def monthly(self, bytes_by_class: Iterable[tuple[str, int]]) -> float | None:
        """Return what so many bytes cost a month; None where some of them have no price."""
        by_class = dict(self.prices.by_class)
        total = 0.0
        for storage_class, size in bytes_by_class:
            price = by_class.get(self._billed_as(storage_class), self.prices.default)
            if size and (price is None or storage_class == OTHER_CLASS):
                return None
            total += size / GIB * (price or 0.0)
        return total

    def _billed_as(self, storage_class: str) -> str:
        return "STANDARD" if self.stages_archives and storage_class in STAGED else storage_class


def price_list_of(target: TargetSettings) -> PriceList | None:
    """Return a target's tariff, None where it has no prices."""
    if target.price_per_gib_month is None:
        return None
    return PriceList(target.price_per_gib_month, stages_archives=_is_amazon_s3(target))


def _is_amazon_s3(target: TargetSettings) -> bool:
    if target.store is not StoreKind.S3:
        return False
    host = urlsplit(target.endpoint_url or "").hostname or ""
    return not target.endpoint_urls and (not host or host.endswith(_AMAZON))
