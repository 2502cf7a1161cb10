"""What an answer has to have, call by call, before it is believed: also that it lists nothing.

Elements that are not known are passed over: vendors add some. Two kinds are not: one that has the fields of
an item, wherever it is, and on a page without items one that has others in it, as there the items may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.stores.base import (
    BLOBS_OPERATION,
    BLOCKS_OPERATION,
    BUCKETS_OPERATION,
    CONTAINERS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
    VAULT_TAGS_OPERATION,
    VAULTS_OPERATION,
)
from exporter.stores.errors import bad_response, error_in_success, log_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.stores.parsing.document import Document


class Required(NamedTuple):
    """What an answer in XML needs.

    `of_item` has to be in each item, which are at `path` below the root; nothing else may have all `marks` in
    it, but what is at `other_path`. Without items, one of `any_of` has to be below the root (() for none), no
    elements but `outer` may have others in them, and those in `lists` may have none.
    """

    path: tuple[str, ...]
    of_item: tuple[str, ...]
    marks: tuple[str, ...]
    any_of: tuple[str, ...]
    outer: frozenset[str]
    lists: tuple[str, ...] = ()
    other_path: tuple[str, ...] = ()


UPLOAD_MARKS = ("UploadId", "Key")
PART_MARKS = ("PartNumber", "Size")
BLOB_MARKS = ("Properties", "Name")
BLOCK_MARKS = ("Size", "Name")
REQUIRED = {
    # Seen to be absent: IsTruncated where it is false (rclone); KeyMarker and UploadIdMarker where they are
    # empty (Ceph); NextKeyMarker beside a NextUploadIdMarker (SeaweedFS); Initiated (SeaweedFS of before
    # September 2026); Prefix where none was asked for (moto, MiniStack). Bucket, on none: it may be where
    # IsTruncated proves the page.
    UPLOADS_OPERATION: Required(
        ("Upload",),
        ("Key", "UploadId"),
        UPLOAD_MARKS,
        ("Bucket", "IsTruncated"),
        frozenset({"Upload", "CommonPrefixes", "Owner", "Initiator"}),
    ),
    # Seen to be absent: MaxParts (Ceph); NextPartNumberMarker where there are no parts (MiniStack). A part
    # without PartNumber or Size leaves its upload unsized, one without LastModified its activity unknown.
    PARTS_OPERATION: Required(
        ("Part",),
        (),
        PART_MARKS,
        ("Bucket", "Key", "UploadId", "IsTruncated"),
        frozenset({"Part", "Owner", "Initiator"}),
    ),
    # Seen to be absent: IsTruncated and markers (moto, MiniStack).
    BUCKETS_OPERATION: Required(
        ("Buckets", "Bucket"),
        ("Name",),
        ("CreationDate", "Name"),
        ("Buckets",),
        frozenset({"Owner", "Buckets"}),
        ("Buckets",),
    ),
    TAGS_OPERATION: Required(
        ("TagSet", "Tag"), ("Key",), ("Value", "Key"), ("TagSet",), frozenset({"TagSet"}), ("TagSet",)
    ),
    # A rule that aborts uploads needs days and a Status, which Google's have not; see `abort_rule`. It looks
    # for one in every element that is not known.
    LIFECYCLE_OPERATION: Required(("Rule",), (), (), (), frozenset({"Rule"})),
    # Azure's and the emulator's have nothing but the lists, the markers and what was asked for.
    BLOBS_OPERATION: Required(
        ("Blobs", "Blob"), ("Name",), BLOB_MARKS, ("Blobs",), frozenset({"Blobs"}), ("Blobs",)
    ),
    CONTAINERS_OPERATION: Required(
        *(("Containers", "Container"), ("Name",), BLOB_MARKS, ("Containers",)),
        *(frozenset({"Containers"}), ("Containers",)),
    ),
    BLOCKS_OPERATION: Required(
        *(("UncommittedBlocks", "Block"), ("Name",), BLOCK_MARKS),
        *(("UncommittedBlocks", "CommittedBlocks"), frozenset({"UncommittedBlocks", "CommittedBlocks"})),
        lists=("UncommittedBlocks",),
        other_path=("CommittedBlocks", "Block"),
    ),
}
"""By call, in the XML of S3, OBS and Azure."""


class RequiredJson(NamedTuple):
    """What an answer in JSON, an object, needs: a list of objects `name`, each with a text in all `of_item`.

    Where it is no list (`is_list`) but an object, all of its values are texts.
    """

    name: str
    of_item: tuple[str, ...] = ()
    is_list: bool = True

    @property
    def what(self) -> str:
        """What it is, for people."""
        return f"list {self.name}" if self.is_list else self.name

    def is_in(self, answer: dict[str, Any]) -> bool:
        """Whether an answer has it, whatever the items have."""
        found = answer.get(self.name)
        if self.is_list:
            return isinstance(found, list) and all(isinstance(each, dict) for each in found)
        return isinstance(found, dict) and all(isinstance(each, str) for each in found.values())


REQUIRED_JSON = {
    # No server but Amazon's is known to have these calls, and on it nothing was seen to be absent: Marker is
    # null at the end, ArchiveDescription where none was given. An upload without CreationDate has no age, a
    # part without RangeInBytes leaves its upload unsized. VaultARN and, in a list of parts, MultipartUploadId
    # are compared where they are there.
    UPLOADS_OPERATION: RequiredJson("UploadsList", ("MultipartUploadId",)),
    PARTS_OPERATION: RequiredJson("Parts"),
    VAULTS_OPERATION: RequiredJson("VaultList", ("VaultName",)),
    VAULT_TAGS_OPERATION: RequiredJson("Tags", is_list=False),
}
"""By call, in the JSON of Glacier."""


def prove_known(document: Document, operation: str) -> None:
    """Raise StoreError (bad_response) where something has the fields of an item that would not be read."""
    required = REQUIRED[operation]
    paths = [path for path in (required.path, required.other_path) if path]
    name = document.stray(paths, required.marks) if required.marks else ""
    if name:
        what = f"an element that is not known ({log_safe(name)}) has the fields of one that is listed"
        raise bad_response(operation, f"{what}, {' and '.join(sorted(required.marks))}")


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
