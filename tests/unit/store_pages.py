"""Pages of uploads and of parts as stores write them, and what may happen to one on its way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config.settings import BucketSettings
from exporter.model.errors import StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import Page, PageRequest
from exporter.stores.parsing.pages import PART_SHAPES, UPLOAD_SHAPES, read_parts, read_uploads
from exporter.stores.parsing.shape_learning import Shapes
from exporter.stores.transport.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

NOW = 1.8e9
KEY, UPLOAD_ID = "dir/key & co", "id-1"
_AMAZON = "http://s3.amazonaws.com/doc/2006-03-01/"
_DECLARED = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass(frozen=True)
class Store:
    """How a store writes: what comes before the root, the namespace, gaps, fields and quotation mark.

    A field is `Name`, or `Outer/Name,Name`; one that ends in `?` is not on each page or in each item, and one
    with `!` is `<Name/>` where it is empty.
    """

    name: str
    before: str
    namespace: str
    gaps: tuple[str, str]
    """Before a field and an item, and before what an item has."""
    uploads: tuple[str, str, str]
    """The fields before the items, of an item, and behind the items."""
    parts: tuple[str, str, str]
    quote: str = "&quot;"


_NEXT = "NextKeyMarker? NextUploadIdMarker?"
_ECHOES = f"Bucket KeyMarker! UploadIdMarker! {_NEXT} MaxUploads"
_WHO = "Initiator/ID,DisplayName Owner/ID,DisplayName"
_LISTED = "Bucket Key UploadId Initiator/ID,DisplayName? Owner/ID,DisplayName? StorageClass? PartNumberMarker"
_PART = "PartNumber LastModified ETag Size"
STORES = (
    Store(
        "Amazon S3",
        f"{_DECLARED}\n",
        _AMAZON,
        ("", ""),
        (
            f"{_ECHOES} Prefix? EncodingType? IsTruncated",
            f"Key UploadId {_WHO} StorageClass Initiated ChecksumAlgorithm? ChecksumType?",
            "",
        ),
        (f"{_LISTED} NextPartNumberMarker MaxParts IsTruncated", f"{_PART} ChecksumCRC32?", "ChecksumType?"),
    ),
    Store(
        "Ceph",
        _DECLARED,
        _AMAZON,
        ("", ""),
        (
            f"Bucket ListMultipartUploadsResult.Prefix? KeyMarker? {_NEXT} MaxUploads Delimiter? IsTruncated",
            f"Key UploadId {_WHO} StorageClass Initiated",
            "",
        ),
        (
            "Bucket Key UploadId StorageClass PartNumberMarker NextPartNumberMarker IsTruncated Owner/ID",
            "LastModified PartNumber ETag Size",
            "",
        ),
    ),
    Store(
        "MinIO",
        f"{_DECLARED}\n",
        _AMAZON,
        ("", ""),
        (f"{_ECHOES} IsTruncated", f"Key UploadId {_WHO} StorageClass Initiated", "Prefix Delimiter"),
        (f"{_LISTED} NextPartNumberMarker MaxParts IsTruncated", _PART, ""),
        "&#34;",
    ),
    Store(
        "MiniStack",
        "<?xml version='1.0' encoding='utf-8'?>\n",
        _AMAZON,
        ("", ""),
        (
            "Bucket KeyMarker! UploadIdMarker! MaxUploads Prefix? IsTruncated",
            "Key UploadId Initiated",
            _NEXT,
        ),
        ("Bucket Key UploadId IsTruncated MaxParts", _PART, "NextPartNumberMarker?"),
        '"',
    ),
    Store(
        "with indents",
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n',
        "http://obs.myhwclouds.com/doc/2015-06-30/",
        ("\n  ", "\n    "),
        (f"{_ECHOES} IsTruncated", "Key UploadId Owner/ID? Initiator/ID Initiated StorageClass?", ""),
        (f"{_LISTED} NextPartNumberMarker! MaxParts IsTruncated", "Size PartNumber ETag LastModified", ""),
    ),
    Store(
        "without namespace and declaration",
        "",
        "",
        ("", ""),
        ("", "Initiated Key UploadId", "IsTruncated"),
        ("", "PartNumber Size", "IsTruncated? StorageClass?"),
        '"',
    ),
)


@dataclass(frozen=True)
class Listing:
    """A kind of page: what asks for it and reads it."""

    name: str
    request: PageRequest
    read: Callable[..., Page]
    known: Shapes
    root: str
    item: str

    def shapes(self, limit: int = 8) -> Shapes:
        """Return shapes of its own; with a limit of 0 the parser reads every page."""
        return Shapes(self.known.kind, limit)

    def body(self, store: Store, chance: Random, items: int | None = None) -> bytes:
        """Draw a page of a store."""
        before, item, after = store.uploads if self.item == "Upload" else store.parts
        outer, inner = store.gaps
        count = chance.choice((0, 1, 1, 2, 2, 3, 3, 3, 3, 30)) if items is None else items
        each = [
            f"{outer}<{self.item}>{_fields(item, inner, chance, number, store)}{outer}</{self.item}>"
            for number in range(1, count + 1)
        ]
        head, tail = (_fields(names, outer, chance, count, store) for names in (before, after))
        namespace = f' xmlns="{store.namespace}"' if store.namespace else ""
        end = "\n" if outer else ""
        return (
            f"{store.before}<{self.root}{namespace}>{head}{''.join(each)}{tail}{end}</{self.root}>".encode()
        )

    def outcome(self, body: bytes, shapes: Shapes) -> object:
        """Return the page, or what the error says."""
        try:
            page = self.read(self.request, Response(200, {}, body), "media", NOW, shapes)
        except StoreError as error:
            return type(error), error.reason, str(error), error.code, error.retryable, error.garbled
        return page._replace(items=list(page.items))


_BUCKET = BucketSettings("media")
UPLOADS = Listing(
    *("uploads", PageRequest(_BUCKET, None, None), read_uploads, UPLOAD_SHAPES),
    *("ListMultipartUploadsResult", "Upload"),
)
ENCODED = Listing(
    *("encoded uploads", UPLOADS.request._replace(encoded=True), read_uploads, UPLOAD_SHAPES),
    *("ListMultipartUploadsResult", "Upload"),
)
PARTS = Listing(
    *("parts", PageRequest(_BUCKET, Upload(KEY, UPLOAD_ID), None), read_parts, PART_SHAPES),
    *("ListPartsResult", "Part"),
)
LISTINGS = (UPLOADS, ENCODED, PARTS)

_TEXTS = {
    "Bucket": ("media",),
    "Key": ("dir/key &amp; co",),
    "UploadId": (UPLOAD_ID,),
    "KeyMarker": ("",),
    "UploadIdMarker": ("",),
    "Prefix": ("",),
    "ListMultipartUploadsResult.Prefix": ("",),
    "NextKeyMarker": ("dir/key", "\u00e9&lt;"),
    "NextUploadIdMarker": ("id-9",),
    "MaxUploads": ("1000",),
    "MaxParts": ("1000", "3"),
    "IsTruncated": ("false", "true"),
    "EncodingType": ("url",),
    "StorageClass": ("STANDARD", "GLACIER"),
    "PartNumberMarker": ("0",),
    "NextPartNumberMarker": ("3", "0"),
    "Size": ("8388608", "5"),
    "LastModified": ("2026-01-01T00:01:00.000Z", "2025-12-31T23:59:59.123Z", "2026-01-01T00:01:00Z"),
    "Initiated": ("2026-01-01T00:01:00.000Z", "2025-12-31T23:59:59.123Z"),
}


def _fields(names: str, gap: str, chance: Random, number: int, store: Store) -> str:
    return "".join(_field(name, gap, chance, number, store) for name in names.split())


def _field(written: str, gap: str, chance: Random, number: int, store: Store) -> str:
    name, _, inner = written.rstrip("?!").partition("/")
    if written.endswith("?") and chance.random() < 0.3:
        return ""
    if inner:
        text = _fields(inner.replace(",", " "), f"{gap} " if gap else "", chance, number, store) + gap
    elif name == "ETag":
        text = f"{store.quote}7778aef83f66abc1fa1e8477f296d394{store.quote}"
    elif name == "PartNumber":
        text = str(number)
    else:
        text = chance.choice(_TEXTS.get(name, (f"{name}-{number}", "")))
    return f"{gap}<{name}/>" if written.endswith("!") and not text else f"{gap}<{name}>{text}</{name}>"


PLAIN_TEXTS = (
    *(
        "",
        "x",
        "7",
        "media",
        "dir/key",
        "a b",
        "\u00e9",
        "\U0001f4a9",
        "a>b",
        "a]b",
        "&amp;",
        "&quot;7&quot;",
        "&lt;",
    ),
    *("true", "false", "2026-01-01T00:01:00.000Z", "2025-12-31T23:59:59.123Z", "100000", "dir/key &amp; co"),
)
ODD_TEXTS = (
    *(
        "",
        " ",
        "x",
        " 7\n",
        "9" * 19,
        "9" * 20,
        "-1",
        "1_0",
        "\u0661",
        "\u00e9",
        "\U0001f4a9",
        "a\tb",
        "a>b",
        "]",
    ),
    *(
        "]]",
        "]]&gt;",
        "]]>",
        "a]]>b",
        "&",
        "&amp",
        "&amp;",
        "&amp;lt;",
        "&amp;#34;",
        "&lt;b&gt;",
        "&quot;",
        "&#34;",
    ),
    *("&#39;", "&apos;", "&#x22;", "&#38;", "&#0;", "&#1;", "&#xA;", "&#13;", "&bogus;", "&amp;amp;quot;"),
    *(
        "<![CDATA[x]]>",
        "<![CDATA[</Key>]]>",
        "<!-- c -->",
        "x<!-- c -->y",
        "<?p i?>",
        "<b/>",
        "<b>x</b>",
        "a<b/>",
    ),
    *(
        "\r",
        "a\rb",
        "\r\n",
        "\x00",
        "\x01",
        "\x0b",
        "\x1f",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ufffd",
        "\ufffe",
    ),
    *(
        "\uffff",
        "\ue000000041",
        "true",
        "TRUE",
        "false ",
        "1",
        "0",
        "url",
        "null",
        "dir%2Fkey",
        "a+b",
        "media",
    ),
    *(
        "2999-01-01T00:00:00.000Z",
        "2026-01-01 00:00:00",
        "2026-W01-1T00:00:00.000Z",
        "media2",
        "dir/key &amp; co",
    ),
)
ODD_ELEMENTS = (
    *(
        "<Foreign>x</Foreign>",
        "<Foreign/>",
        "<Error><Code>SlowDown</Code></Error>",
        "<Error/>",
        "text",
        " ",
        "\n",
    ),
    *(
        "<f:Key xmlns:f='urn:f'>x</f:Key>",
        "<Key xmlns='urn:f'>x</Key>",
        "<Key>x</Key>",
        "<Part/>",
        "<Upload/>",
    ),
    *(
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated/>",
        "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>",
    ),
    *(
        "<CommonPrefixes/>",
        "<!-- c -->",
        "<?p i?>",
        "<![CDATA[ ]]>",
        "\r\n",
        "&amp;",
        "<Part><Size>1</Size></Part>",
    ),
    *("<Upload><Key>k</Key><UploadId>u</UploadId></Upload>", "<x><Part><Size>1</Size></Part></x>", "<"),
)
BEFORE = (
    *(
        "\ufeff",
        "\n",
        " \n",
        "<!-- c -->",
        "<!DOCTYPE a>",
        "<!DOCTYPE a [<!ENTITY bogus 'x'>]>",
        "x",
        _DECLARED,
    ),
    *(
        "<?xml version='1.0'?>",
        '<?xml version="1.0" encoding="iso-8859-1"?>',
        '<?xml version="1.1"?>',
        "<?p i?>",
    ),
    *('<?xml version="1.0" encoding="UTF-16"?>', '<?xml version="1.0" encoding="us-ascii"?>'),
)
TAG = re.compile(r"</?[A-Za-z][\w.:-]*(?: [^<>]*)?/?>")
TEXT = re.compile(r"<[A-Za-z][\w.-]*>([^<]*)</")
BEFORE_TAG = re.compile(r"()</?[A-Za-z]")
_ELEMENT = re.compile(r"[ \n]*<([A-Za-z][\w.:-]*)>[^<]*</\1>")


def each_with(body: bytes, places: re.Pattern[str], odd_texts: Sequence[str]) -> Iterator[bytes]:
    """Return the page once for each odd text and each place, group 1 of a match, that it can stand at."""
    text = body.decode()
    for match in places.finditer(text):
        for odd in odd_texts:
            yield (text[: match.start(1)] + odd + text[match.end(1) :]).encode("utf-8", "surrogatepass")


def _in_a_text(text: str, chance: Random) -> str:
    start, end = chance.choice([match.span(1) for match in TEXT.finditer(text)])
    texts = PLAIN_TEXTS if chance.random() < 0.7 else ODD_TEXTS
    return text[:start] + chance.choice(texts) + text[end:]


def _before_a_tag(text: str, chance: Random) -> str:
    place = chance.choice([match.start(1) for match in BEFORE_TAG.finditer(text)])
    return text[:place] + chance.choice(ODD_ELEMENTS) + text[place:]


def _in_a_tag(text: str, chance: Random) -> str:
    match = chance.choice(list(TAG.finditer(text)))
    return text[: match.start()] + chance.choice(odd_tags(match[0])) + text[match.end() :]


def odd_tags(tag: str) -> tuple[str, ...]:
    """Return what a tag may become."""
    return (
        *(
            tag.replace(">", " >"),
            tag.replace(">", " a='1'>"),
            tag.replace(">", " xmlns='urn:f'>"),
            tag * 2,
            "",
        ),
        *(tag.replace("<", "< "), tag.lower(), tag.replace("<", "<f:"), tag.replace(">", "/>"), tag[:-1]),
        *(
            tag.replace("/>", " />"),
            tag.replace(">", "\n>"),
            tag.replace("/2006", "/2007"),
            tag.replace('"', "'"),
        ),
        *(f"<{name}>" for name in ("Error", "Key", "Part", "Upload", "/Part", "/Upload", "IsTruncated")),
        *("<![CDATA[", "]]>", "<!--", "-->", tag.replace(">", "&gt;"), tag.replace("<", "&lt;")),
        *(tag.replace('"', "&quot;"), tag.replace("=", "&#61;")),
    )


def _of_elements(text: str, chance: Random) -> str:
    """Leave out, repeat, exchange or empty one or two elements."""
    found = list(_ELEMENT.finditer(text))
    if not found:
        return text
    one, other = sorted((chance.choice(found), chance.choice(found)), key=lambda match: match.start())
    between = text[one.end() : other.start()] if one is not other else ""
    what = chance.randrange(4)
    if what == 0:
        return text[: one.start()] + text[one.end() :]
    if what == 1:
        return text[: one.end()] + one[0] + text[one.end() :]
    if what == 2:
        return text[: one.start()] + f"<{one[1]}/>" + text[one.end() :]
    return text[: one.start()] + other[0] + between + one[0] + text[other.end() :]


def _of_items(text: str, chance: Random) -> str:
    """Leave out, repeat or move an item."""
    found = list(re.finditer(r"\n? *<(Upload|Part|Blob|Block)>.*?</\1>", text, re.DOTALL))
    if not found:
        return text
    one = chance.choice(found)
    rest = text[: one.start()] + text[one.end() :]
    place = chance.choice([one.start(), *(match.end() for match in TAG.finditer(rest))])
    return chance.choice(
        (rest, rest[:place] + one[0] + rest[place:], text[: one.end()] + text[one.start() :])
    )


def _before_and_behind(text: str, chance: Random) -> str:
    what = chance.randrange(4)
    if what == 0:
        return chance.choice(BEFORE) + text
    if what == 1:
        return chance.choice(BEFORE) + re.sub(r"^<\?xml.*?\?>", "", text)
    if what == 2:
        return text + chance.choice(
            ("\n", " ", "x", "\0", "<!-- c -->", "<a/>", "</a>", "<?p i?>", "&amp;", "\r")
        )
    return text[: chance.randrange(len(text))]


def _of_bytes(body: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(body) + 1)
    end = start + chance.choice((0, 0, 1, 1, 2, 9))
    odd = chance.choice(
        (b"", bytes([chance.randrange(256)]), b"\xc3", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"\xf4\x90")
    )
    return body[:start] + odd + body[end:]


_CHANGES = (_in_a_text,) * 12 + (_of_items, _of_elements, _before_a_tag, _in_a_tag, _before_and_behind)


def mutated(body: bytes, chance: Random) -> bytes:
    """Return a page to which a thing or two has happened, or nothing; often it is still a page."""
    for _ in range(chance.choice((0, 1, 1, 1, 1, 2))):
        if chance.random() < 0.1:
            body = _of_bytes(body, chance)
            continue
        text = body.decode("utf-8", "surrogateescape")
        if TEXT.search(text) and TAG.search(text):
            body = chance.choice(_CHANGES)(text, chance).encode("utf-8", "surrogateescape")
    return body
