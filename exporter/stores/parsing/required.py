"""What an answer has to have, call by call, before it is believed that it lists nothing.

Elements that are not known are passed over where a page has items. Without any, an element that has others in
it may be where the items are, and is not passed over. Glacier's answers, in JSON, are in `glacier.pages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
)
from exporter.stores.errors import bad_response, error_in_success, log_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.stores.parsing.document import Document


class Required(NamedTuple):
    """What an answer to a call needs.

    `of_item` has to be in each item. Without items, one of `any_of` has to be below the root (() for none),
    no elements but `outer` may have others in them, and those in `lists` may have none.
    """

    of_item: tuple[str, ...]
    any_of: tuple[str, ...]
    outer: frozenset[str]
    lists: tuple[str, ...] = ()


REQUIRED = {
    # Seen to be absent: IsTruncated where it is false (rclone); KeyMarker and UploadIdMarker where they are
    # empty (Ceph); NextKeyMarker beside a NextUploadIdMarker (SeaweedFS); Initiated (SeaweedFS of before
    # September 2026); Prefix where none was asked for (moto, MiniStack). Bucket, on none: it may be where
    # IsTruncated proves the page.
    UPLOADS_OPERATION: Required(
        ("Key", "UploadId"),
        ("Bucket", "IsTruncated"),
        frozenset({"Upload", "CommonPrefixes", "Owner", "Initiator"}),
    ),
    # Seen to be absent: MaxParts (Ceph); NextPartNumberMarker where there are no parts (MiniStack). A part
    # without PartNumber or Size leaves its upload unsized, one without LastModified its activity unknown.
    PARTS_OPERATION: Required(
        (), ("Bucket", "Key", "UploadId", "IsTruncated"), frozenset({"Part", "Owner", "Initiator"})
    ),
    # Seen to be absent: IsTruncated and markers (moto, MiniStack).
    BUCKETS_OPERATION: Required(("Name",), ("Buckets",), frozenset({"Owner", "Buckets"}), ("Buckets",)),
    TAGS_OPERATION: Required(("Key",), ("TagSet",), frozenset({"TagSet"}), ("TagSet",)),
    # A rule that aborts uploads needs days and a Status, which Google's have not; see `abort_rule`.
    LIFECYCLE_OPERATION: Required((), (), frozenset({"Rule"})),
}
"""By call, in the XML of S3 and OBS."""


def prove_items(operation: str, *columns: Sequence[str], garbled: bool = False) -> None:
    """Raise StoreError (bad_response) where an item lacks one of its fields, in the order of `of_item`."""
    for name, column in zip(REQUIRED[operation].of_item, columns, strict=True):
        if not all(column):
            raise bad_response(operation, f"an item without {name}", garbled=garbled)


def prove_empty(document: Document, operation: str) -> None:
    """Raise StoreError (bad_response) unless a document without items says that there are none."""
    required = REQUIRED[operation]
    if {"Code", "Message"} <= document.names():
        code, message = (document.children(name)[0].own_text.strip() for name in ("Code", "Message"))
        raise error_in_success(operation, code, message)
    unknown = document.outer_elements() - required.outer
    inside = {name for outer in required.lists for each in document.children(outer) for name in each.names()}
    if found := min(unknown | inside, default=""):
        what = f"the answer lists nothing, and has an element that is not known ({log_safe(found)})"
        raise bad_response(operation, what)
    if required.any_of and document.names().isdisjoint(required.any_of):
        raise bad_response(operation, f"the answer lists nothing, and has no {' or '.join(required.any_of)}")
