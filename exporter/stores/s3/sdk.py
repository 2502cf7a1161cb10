"""boto3's side of a target, which is loaded when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.sdk_imports import SDK_IMPORTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.stores.s3.boto import BotoStore
    from exporter.stores.transport.client import Transport


class Sdk:
    """The `BotoStore` of a target. Safe to use from many threads."""

    def __init__(self, target: TargetSettings, transport: Transport, clock: Callable[[], float]) -> None:
        """Load nothing yet; see `BotoStore` for the arguments."""
        self._arguments = target, transport, clock
        self._boto: BotoStore | None = None

    def boto(self) -> BotoStore:
        """Return the store that sends through boto3, made by the first call."""
        if self._boto is None:
            with SDK_IMPORTS:
                from exporter.stores.s3.boto import BotoStore  # noqa: PLC0415 - loads boto3

                self._boto = self._boto or BotoStore(*self._arguments)
        return self._boto
