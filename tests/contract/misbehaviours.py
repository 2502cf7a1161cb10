"""What servers do wrong, by name: in paging, in XML, in fields, in refusals, on the way."""

import re
from email.utils import formatdate

from contract.faults import (
    Misbehave,
    asked,
    both,
    doubled,
    each_item,
    each_way,
    emptied,
    first_item,
    headed,
    instead,
    page,
    repeating,
    reply,
    shuffled,
    swap,
    three_ways,
    turning,
    victim_page,
)
from contract.rigs import PARTS, UPLOADS, body, fields
from contract.scans import NOW
from servers.s3 import error, without_arguments
from servers.standin import Reply

MARKERS_GONE = {"NextKeyMarker": None, "NextUploadIdMarker": None}
IGNORING = asked(UPLOADS, without_arguments("key-marker", "upload-id-marker"))
SPELLINGS = ("TRUE", " true\n", "1", "False", "0", "", "maybe", "truefalse", None)
BOTH_SAID = swap(b"<IsTruncated>", b"<IsTruncated>true</IsTruncated><IsTruncated>")

PAGING: dict[str, Misbehave] = {
    **{f"truncated: {said!r}": page(UPLOADS, fields(IsTruncated=said), {1}) for said in SPELLINGS},
    **{f"parts truncated: {said!r}": victim_page(fields(IsTruncated=said)) for said in SPELLINGS},
    "truncated for ever": page(UPLOADS, fields(IsTruncated="true")),
    "true and false": reply(UPLOADS, BOTH_SAID),
    "no markers": page(UPLOADS, fields(**MARKERS_GONE)),
    "neither word nor markers": page(UPLOADS, fields(IsTruncated=None, **MARKERS_GONE)),
    "no key marker": page(UPLOADS, fields(NextKeyMarker=None)),
    "no id marker": page(UPLOADS, fields(NextUploadIdMarker=None)),
    "empty markers": page(UPLOADS, fields(NextKeyMarker="", NextUploadIdMarker="")),
    "truncated with nothing": page(UPLOADS, lambda found: fields(**MARKERS_GONE)(emptied(found))),
    "an empty page first": page(UPLOADS, emptied, {1}),
    "markers ignored": IGNORING,
    "page size ignored": asked(UPLOADS, without_arguments("max-uploads")),
    "all ignored": both(IGNORING, asked(UPLOADS, without_arguments("max-uploads"))),
    "one marker again": both(IGNORING, turning("a")),
    "markers in turn": both(IGNORING, turning("a", "b", "c")),
    "the last item again": repeating(),
    "every item twice": page(UPLOADS, doubled),
    "shuffled": page(UPLOADS, shuffled),
    "a marker refused": reply(UPLOADS, instead(error(400, "InvalidArgument")), {2}),
    "a marker forgotten": reply(UPLOADS, instead(error(404, "NoSuchUpload")), {2}),
    "markers refused for ever": reply(UPLOADS, instead(error(400, "InvalidArgument")), range(2, 99, 2)),
    "no upload, it says": reply(UPLOADS, instead(error(404, "NoSuchUpload"))),
    "parts: markers ignored": asked(PARTS, without_arguments("part-number-marker")),
    **{
        f"parts: marker {marker!r}": page(PARTS, fields(NextPartNumberMarker=marker))
        for marker in (None, "", "0", "x", "-1", "10000")
    },
    "parts: shuffled": page(PARTS, shuffled),
    "parts: every one twice": page(PARTS, doubled),
    "parts: none, but truncated": victim_page(
        lambda found: fields(NextPartNumberMarker=None)(emptied(found))
    ),
}


def prefixed(text: bytes) -> bytes:
    return re.sub(rb" xmlns=", b" xmlns:s3=", re.sub(rb"<(/?)([A-Z])", rb"<\1s3:\2", text))


def recoded(encoding: str) -> Misbehave:
    def recode(text: bytes) -> bytes:
        return text.decode().replace("UTF-8", encoding).encode(encoding, "xmlcharrefreplace")

    return body(recode)


BODIES = {
    "nothing": b"",
    "blank": b" \n",
    "HTML": b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form/></body></html>",
    "XHTML": b"<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
    "JSON": b'{"uploads": []}',
    "half a page": b"<?xml version='1.0'?><ListMultipartUploadsResult><Bucket>media</Bucket>",
    "a listing of objects": b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    "a list of buckets": b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>",
    "the bucket's region": b"<LocationConstraint xmlns='urn:x'>eu-west-1</LocationConstraint>",
    "parts under another name": b"<ListPartsResponse><IsTruncated>false</IsTruncated></ListPartsResponse>",
    "an error in JSON": b'{"error": {"code": "SlowDown", "message": "later"}}',
    "a text": b"upstream connect error",
    "an empty listing": b"<ListMultipartUploadsResult/>",
    "no parts": b"<ListPartsResult/>",
    "zero bytes": b"\0" * 100,
    "every byte": bytes(range(256)),
    "many levels": b"<a>" * 5000 + b"</a>" * 5000,
    "endless levels": b"<a>" * 200_000,
}
XML: dict[str, Misbehave] = each_way(
    {
        **{f"200 with {name}": instead(Reply(200, {}, text)) for name, text in BODIES.items()},
        "an error in a 200": instead(Reply(200, {}, error(403, "AccessDenied").body)),
        "a passing error in a 200": instead(Reply(200, {}, error(503, "SlowDown").body)),
        "a mark of order": body(lambda text: b"\xef\xbb\xbf" + text),
        "prefixes": body(prefixed),
        "another namespace": swap(b"2006-03-01", b"2015-06-30"),
        "no namespace": swap(b' xmlns="', b' a="'),
        "single quotes": swap(b'"', b"'"),
        "another root": swap(b"Result", b"Other"),
        "another bucket": swap(b"<Bucket>media", b"<Bucket>other"),
        "no bucket": swap(b"<Bucket>media</Bucket>", b""),
        "an error in it": swap(b"<Bucket>", b"<Error><Code>AccessDenied</Code></Error><Bucket>"),
        "a passing error deep in it": swap(b"<Owner>", b"<Owner><Error><Code>SlowDown</Code></Error>"),
        "a carriage return in keys": swap(b"</Key>", b"\r</Key>"),
        "lines that end in both": swap(b"><", b">\r\n<"),
        "a broken upload id": swap(b"</UploadId>", b"\x01</UploadId>"),
        "a doctype": swap(b"?>\n", b'?>\n<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'),
        "an entity": swap(b"</Key>", b"&nothing;</Key>"),
        "a control character": swap(b"</Key>", b"\x01</Key>"),
        "a reference to one": swap(b"</Key>", b"&#x1;</Key>"),
        "a reference to none": swap(b"</Key>", b"&#99999999;</Key>"),
        "no UTF-8": swap(b"</Key>", b"\xff\xe9</Key>"),
        "a surrogate": swap(b"</Key>", b"\xed\xa0\x80</Key>"),
        "CDATA": swap(b"</Key>", b"<![CDATA[<&>]]></Key>"),
        "comments": swap(b"</Key>", b"<!-- x --></Key><!-- y -->"),
        "instructions": swap(b"</Key>", b"<?x y?></Key>"),
        "unknown elements": swap(
            b"<Bucket>", b"<New><Key>x</Key><Upload><Key>y</Key></Upload></New><Bucket>"
        ),
        "text between": swap(b"<Bucket>", b"text<Bucket>"),
        "Latin-1": recoded("ISO-8859-1"),
        "UTF-16": recoded("UTF-16"),
        "something after it": body(lambda text: text + b"<a/>"),
        "a blank before it": body(lambda text: b"\n" + text),
        "a zero byte in it": swap(b"<Key>", b"\0<Key>"),
        "an end of line in a name": swap(b"<Key>", b"<Key\n>"),
        "attributes": swap(b"<Key>", b'<Key a="b">'),
        "everything in capitals": body(bytes.upper),
        "cut off": body(lambda text: text[: len(text) // 2]),
        "no end": body(lambda text: text[:-3]),
    },
    three_ways,
)

ECHOES: dict[str, Misbehave] = {
    **{
        f"{name} {text!r} in listings": page(UPLOADS, fields(**{name: text}), on)
        for name in ("Prefix", "ListMultipartUploadsResult.Prefix", "KeyMarker", "UploadIdMarker")
        for text in (None, "", " \n", "null", "k0/other")
        for on in ({1}, {2})
    },
    **{
        f"{name} {text!r} of one": victim_page(fields(**{name: text}))
        for name in ("Key", "UploadId", "PartNumberMarker")
        for text in (None, "", " \n", "0", "77")
    },
}

MOMENTS = (
    None,
    "",
    "soon",
    "2005-12-31T23:59:59Z",
    "2999-01-01T00:00:00Z",
    "Thu, 29 Feb 2024 12:34:56 GMT",
    "0",
)
NUMBERS = (None, "", " 7 ", "-1", "1e6", "+5", "1_000", "\u0661", "0x10", "9" * 25, "007")
FIELDS: dict[str, Misbehave] = {
    **{f"Initiated {text!r}": page(UPLOADS, first_item(Initiated=text)) for text in MOMENTS},
    **{f"LastModified {text!r}": victim_page(first_item(LastModified=text)) for text in MOMENTS},
    **{f"Size {text!r}": victim_page(first_item(Size=text)) for text in NUMBERS},
    **{f"PartNumber {text!r}": victim_page(first_item(PartNumber=text)) for text in NUMBERS},
    **{f"one PartNumber {text!r}": victim_page(each_item(PartNumber=text)) for text in NUMBERS},
    **{
        f"{name} {text!r}": page(UPLOADS, first_item(**{name: text}))
        for name in ("Key", "UploadId")
        for text in (None, "", " ")
    },
    **{
        f"StorageClass of parts {text!r}": page(PARTS, fields(StorageClass=text))
        for text in (None, "", " DEEP_ARCHIVE\n", "x" * 99)
    },
    **{
        f"StorageClass {text!r}": both(
            page(UPLOADS, each_item(StorageClass=text)), page(PARTS, fields(StorageClass=text))
        )
        for text in (None, "", " GLACIER\n", "x" * 99, "ü", "NEW_ONE")
    },
    **each_way(
        {
            f"Date {text!r}": headed(Date=text)
            for text in (None, "", "soon", formatdate(NOW - 1e8), formatdate(NOW + 1e8), "Thu, 99 Foo 2024")
        },
        three_ways,
    ),
}
