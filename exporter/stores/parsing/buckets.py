"""The list of an account's buckets: a response in, a checked page out.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.stores.base import BUCKETS_OPERATION, FoundBucket, Page
from exporter.stores.parsing.pages import parse_answer, read_truncated, refuse_torn
from exporter.stores.parsing.required import prove_empty, prove_items

if TYPE_CHECKING:
    from exporter.stores.parsing.document import Element
    from exporter.stores.transport.response import Response

_REGION = re.compile("[A-Za-z0-9._-]{1,100}")


def read_buckets(response: Response) -> Page[FoundBucket]:
    """Return the page of an account's buckets: S3 says where it goes on by a token, OBS by a name.

    Raises StoreError (bad_response).
    """
    document = parse_answer(response, "ListAllMyBucketsResult", BUCKETS_OPERATION)
    lists = document.children("Buckets")
    found = [_found_bucket(bucket) for each in lists for bucket in each.children("Bucket")]
    prove_items(BUCKETS_OPERATION, [bucket.name for bucket in found], garbled=document.is_repaired)
    if not found:
        prove_empty(document, BUCKETS_OPERATION)
    truncated = read_truncated(document, BUCKETS_OPERATION)
    refuse_torn(document, BUCKETS_OPERATION)
    marker = document.text("ContinuationToken") or document.text("NextMarker")
    return Page(
        items=found,
        truncated=bool(marker) if truncated is None else truncated,
        next_marker=(marker,) if marker else None,
        last_marker=(found[-1].name,) if found else None,
    )


def _found_bucket(bucket: Element) -> FoundBucket:
    """Return a bucket; what cannot be the name of a region is none."""
    region = bucket.text("BucketRegion").strip() or bucket.text("Location").strip()
    return FoundBucket(bucket.text("Name").strip(), region if _REGION.fullmatch(region) else None)
