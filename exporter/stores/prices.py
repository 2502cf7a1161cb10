"""What a target's store bills the parts of unfinished uploads at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.cost import PriceList
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings


def price_list_of(target: TargetSettings) -> PriceList | None:
    """Return a target's price list, None where its config has no prices."""
    if target.price_per_gib_month is None:
        return None
    return PriceList(target.price_per_gib_month, store_type(target.store).billed_classes(target))
