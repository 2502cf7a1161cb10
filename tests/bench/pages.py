"""Canned answers as files, as Amazon S3 gives them: a bucket's uploads page by page, and a page of parts.

The page of parts is one for all uploads of the bucket; the server puts key and id of the one asked about in.

A page is found by the marker that asks for it: the last key of page 122 holds `page-000122`, and the file of
the page after it is `uploads-000122.xml`. The first page is `uploads-.xml`. The answer to a question by name,
which the exporter asks of the last keys of pages only, is `named-000122-0999.xml`: place 999 of page 122.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

PAGE = 1000
PART_BYTES = 8 * 1024 * 1024
_BEGAN = datetime(2025, 1, 1)  # noqa: DTZ001 - written with a Z
S3, OBS = "http://s3.amazonaws.com/doc/2006-03-01/", "http://obs.myhwclouds.com/doc/2015-06-30/"
"""Namespaces of answers."""
KEY, UPLOAD_ID = "@key@", "@upload-id@"
"""What stands in a page of parts where the server has to put in what it was asked about."""
UPLOADS_ROOT = "ListMultipartUploadsResult"
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<{0} xmlns="{1}">{2}</{0}>'
_WHO = (
    "<Initiator><ID>arn:aws:iam::123456789012:user/backup</ID><DisplayName>backup</DisplayName></Initiator>"
    "<Owner><ID>8a6925ce4adf588a4c4b1b0bd3d2e1f2</ID><DisplayName>archive</DisplayName></Owner>"
    "<StorageClass>STANDARD</StorageClass>"
)
_PART = (
    "<Part><PartNumber>{}</PartNumber><LastModified>2025-02-01T00:01:00.000Z</LastModified>"
    "<ETag>&quot;7778aef83f66abc1fa1e8477f296d394&quot;</ETag><Size>{}</Size></Part>"
)


Names = tuple[str, str]
"""Key and upload id."""


@dataclass(frozen=True)
class Bucket:
    """What a bucket holds: so many uploads, each of so many parts; and how many uploads a page of it has."""

    name: str
    uploads: int
    parts: int = 0
    part_bytes: int = PART_BYTES
    page: int = PAGE
    namespace: str = S3

    @property
    def totals(self) -> tuple[int, int, int]:
        """The uploads, all their parts, and the bytes of these."""
        return self.uploads, self.uploads * self.parts, self.uploads * self.parts * self.part_bytes

    def write(self, folder: Path) -> None:
        """Write the pages into a folder of the bucket's name."""
        home = folder / self.name
        home.mkdir(parents=True)
        for number, (_, text) in enumerate(listing_pages(self)):
            after = f"{number - 1:06}" if number else ""
            (home / f"uploads-{after}.xml").write_text(text, encoding="utf-8")
        _write_named(home, self)
        (home / "parts.xml").write_text(parts_page(self), encoding="utf-8")


def names(uploads: int) -> Iterator[Names]:
    """Return key and upload id of so many uploads, in a store's order."""
    for number in range(uploads):
        page, place = divmod(number, PAGE)
        yield f"backups/page-{page:06}/{place:04}.tar.zst", f"{number:08}.VXBsb2FkSWRzQXJlTG9uZw{'x' * 64}"


def listing_pages(bucket: Bucket) -> Iterator[tuple[Names, str]]:
    """Yield each page of the listing, and the marker that asks for it: key and upload id."""
    uploads, marker = names(bucket.uploads), ("", "")
    for first in range(0, bucket.uploads, bucket.page):
        page = list(islice(uploads, bucket.page))
        yield marker, _listing(bucket, page, marker, first)
        marker = page[-1]


def _write_named(home: Path, bucket: Bucket) -> None:
    """Write an answer for the last upload of each page."""
    for number, (key, upload_id) in enumerate(names(bucket.uploads)):
        page, place = divmod(number, PAGE)
        if place == PAGE - 1 or number == bucket.uploads - 1:
            text = _named(bucket, (key, upload_id), number)
            (home / f"named-{page:06}-{place:04}.xml").write_text(text, encoding="utf-8")


def _listing(bucket: Bucket, page: list[Names], marker: Names, first: int) -> str:
    more = "true" if first + len(page) < bucket.uploads else "false"
    (key_marker, id_marker), (last_key, last_id) = marker, page[-1]
    head = (
        f"<Bucket>{bucket.name}</Bucket><KeyMarker>{key_marker}</KeyMarker>"
        f"<UploadIdMarker>{id_marker}</UploadIdMarker><NextKeyMarker>{last_key}</NextKeyMarker>"
        f"<NextUploadIdMarker>{last_id}</NextUploadIdMarker><MaxUploads>{PAGE}</MaxUploads>"
        f"<IsTruncated>{more}</IsTruncated>"
    )
    items = [upload_item(each, first + place) for place, each in enumerate(page)]
    return document(UPLOADS_ROOT, bucket.namespace, head + "".join(items))


def _named(bucket: Bucket, names: Names, number: int) -> str:
    head = (
        f"<Bucket>{bucket.name}</Bucket><Prefix>{names[0]}</Prefix><MaxUploads>{PAGE}</MaxUploads>"
        "<IsTruncated>false</IsTruncated>"
    )
    return document(UPLOADS_ROOT, bucket.namespace, head + upload_item(names, number))


def document(root: str, namespace: str, content: str) -> str:
    """Return an answer with this content."""
    return _XML.format(root, namespace, content)


def upload_item(names: Names, number: int) -> str:
    """Return an upload as a page lists it, given its number in the bucket."""
    began = (_BEGAN + timedelta(seconds=number)).isoformat()
    key, upload_id = names
    return (
        f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId>{_WHO}"
        f"<Initiated>{began}.000Z</Initiated></Upload>"
    )


def parts_page(bucket: Bucket) -> str:
    """Return the page of parts, with KEY and UPLOAD_ID where the server has to put these in."""
    head = (
        f"<Bucket>{bucket.name}</Bucket><Key>{KEY}</Key><UploadId>{UPLOAD_ID}</UploadId>{_WHO}"
        f"<PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>{bucket.parts}</NextPartNumberMarker>"
        f"<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>"
    )
    items = "".join(_PART.format(number, bucket.part_bytes) for number in range(1, bucket.parts + 1))
    return document("ListPartsResult", bucket.namespace, head + items)
