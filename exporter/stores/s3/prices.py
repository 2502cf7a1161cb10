"""How S3 bills the parts of unfinished uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.aws.partition import is_amazon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.settings import TargetSettings

_STAGED = {"GLACIER": "STANDARD", "DEEP_ARCHIVE": "STANDARD"}
"""Parts of these classes are staged until the upload is completed.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuploadpricing
"""


def billed_classes(target: TargetSettings) -> Mapping[str, str]:
    """Return the storage classes whose parts are billed as another, and as which."""
    urls = target.endpoint_urls or (target.endpoint_url,)
    return _STAGED if all(url is None or is_amazon(url) for url in urls) else {}
