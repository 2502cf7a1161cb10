"""The permission that a failed call lacks: action and resource, as the store's own policies name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.errors import Reason
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings
    from exporter.model.errors import Failure


def missing_permission(target: TargetSettings, bucket: str, operation: str, failure: Failure) -> str:
    """Return what to grant so that the failed call is allowed; '' where no permission would help."""
    store = store_type(target.store)
    other = store.other_permission(target, failure)
    if other is not None:
        return other
    return store.permission(target, bucket, operation) if failure.reason is Reason.ACCESS_DENIED else ""
