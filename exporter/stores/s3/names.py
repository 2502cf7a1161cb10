"""Names of buckets, and what they are compared with."""

from __future__ import annotations

_ALIAS_SUFFIXES = ("-s3alias", "--ol-s3", "--xa-s3")


def expected_bucket_name(bucket: str) -> str | None:
    """Return the name that a page has to carry, None where that of the underlying bucket is unknown.

    That is so for access points, which are addressed by ARN or alias.
    """
    if bucket.startswith("arn:") or bucket.endswith(_ALIAS_SUFFIXES):
        return None
    return bucket
