"""What a bucket's unfinished uploads cost a month: bytes by storage class and prices in, money out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.model.results import OTHER_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.config.target_sections import Prices

GIB = 2**30


@dataclass(frozen=True, slots=True)
class PriceList:
    """A target's prices. `billed_as` has the storage classes whose parts its store bills as another class."""

    prices: Prices
    billed_as: Mapping[str, str] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        """The currency of the prices, and of the cost."""
        return self.prices.currency

    def monthly(self, bytes_by_class: Iterable[tuple[str, int]]) -> float | None:
        """Return what these bytes cost a month; None where a class that holds some has no price."""
        by_class = dict(self.prices.by_class)
        total = 0.0
        for storage_class, size in bytes_by_class:
            price = by_class.get(self.billed_as.get(storage_class, storage_class), self.prices.default)
            if size and (price is None or storage_class == OTHER_CLASS):
                return None
            total += size / GIB * (price or 0.0)
        return total
