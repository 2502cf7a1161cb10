"""What no listing of a kind of store shows, and so is in no number: for those who check a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_LISTED: Mapping[StoreKind, str] = {
    StoreKind.GCS: (
        "sessions of resumable uploads are listed by no call: what they hold is in no number; Google "
        "discards it after a week"
    ),
    StoreKind.AZURE: (
        "blocks sent to a blob that is committed already are in no number, as no listing marks them; ages "
        "count from when the exporter first saw an upload"
    ),
}
