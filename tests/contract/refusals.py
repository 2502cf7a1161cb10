"""What servers refuse, and what goes wrong on the way, by name; see misbehaviours.py for the rest."""

import gzip
from collections.abc import Callable
from email.utils import formatdate
from time import time

from contract.faults import (
    TOO_LATE,
    Misbehave,
    both_of,
    each_way,
    headed,
    instead,
    reply,
    sent,
    three_ways,
    victim,
)
from contract.rigs import UPLOADS
from servers.s3 import error
from servers.standin import Reply

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
CODES = (
    (403, "AccessDenied"),
    (403, "InvalidAccessKeyId"),
    (403, "SignatureDoesNotMatch"),
    (403, "RequestTimeTooSkewed"),
    (400, "ExpiredToken"),
    (400, "AuthorizationHeaderMalformed"),
    (400, "InvalidRequest"),
    (400, "InvalidArgument"),
    (400, "InvalidBucketName"),
    (400, "UnsupportedAlgorithm"),
    (403, "PathStyleDomainForbidden"),
    (404, "XAdminUserNotFound"),
    (400, "RequestTimeout"),
    (404, "NoSuchBucket"),
    (404, "NoSuchKey"),
    (404, "NoSuchUpload"),
    (405, "MethodNotAllowed"),
    (409, "OperationAborted"),
    (412, "PreconditionFailed"),
    (418, "Teapot"),
    (500, "InternalError"),
    (501, "NotImplemented"),
    (503, "SlowDown"),
    (503, "ServiceUnavailable"),
)
STATUSES = (
    201,
    203,
    204,
    206,
    299,
    304,
    400,
    401,
    403,
    404,
    405,
    407,
    408,
    410,
    416,
    429,
    500,
    501,
    502,
    503,
    504,
    599,
)
LATER = {"Retry-After": "3600"}


def passing(*replies: Reply) -> dict[str, Misbehave]:
    """Return misbehaviours that end: the first answers are these, then come the true ones."""
    return {
        f"{each.status} {number} times": victim(instead(each), number)
        for each in replies
        for number in (1, 2)
    } | {f"{each.status} once for a listing": reply(UPLOADS, instead(each), {2}) for each in replies}


# What a code or a status means for a call, test_contract_errors.py asks both engines; here, for a scan.
REFUSALS: dict[str, Misbehave] = {
    **{f"{status} {code}, one": victim(instead(error(status, code))) for status, code in CODES},
    **{f"{status} without a word, one": victim(instead(Reply(status))) for status in STATUSES},
    **{f"{status} with a page, one": victim(sent(status=status)) for status in STATUSES},
    **each_way(
        {f"{status} with HTML": instead(Reply(status, {}, HTML)) for status in (400, 403, 404, 502, 503)},
        three_ways,
    ),
    **each_way(
        {
            "503 for an hour": instead(Reply(503, LATER)),
            "429, soon": instead(Reply(429, {"Retry-After": "x"})),
        },
        three_ways,
    ),
    **passing(error(503, "SlowDown"), Reply(500), Reply(429), error(400, "RequestTimeout")),
}

REDIRECTS: dict[str, Misbehave] = {
    **each_way(
        {
            f"{status} to {target!r}": instead(Reply(status, {"Location": target}))
            for status in (300, 301, 302, 303, 305, 307, 308)
            for target in (None, "/", "http://localhost:1/")
        },
        three_ways,
    ),
    **each_way(
        {
            f"{code} in {region!r}": instead(error(status, code, x_amz_bucket_region=region))
            for status, code in (
                (301, "PermanentRedirect"),
                (400, "AuthorizationHeaderMalformed"),
                (403, "AccessDenied"),
            )
            for region in ("eu-west-1", "ap-south-1", "", "nowhere")
        },
        three_ways,
    ),
}
"""The wire engine asks once more here, since boto3 follows where it does not."""

PACKED = gzip.compress(b"<ListPartsResult/>")
ON_THE_WAY: dict[str, Misbehave] = each_way(
    {
        "a reset": sent(reset=True),
        "no answer": sent(raw=b""),
        "SSH": sent(raw=b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        "HTML alone": sent(raw=b"<html></html>"),
        "bytes": sent(raw=b"\x00\x01\x02\xff" * 50),
        "HTTP/9.9": sent(raw=b"HTTP/9.9 200 OK\r\n\r\n"),
        "half a head": sent(raw=b"HTTP/1.1 200 OK\r\nContent-Le"),
        "a body without head": sent(raw=b"HTTP/1.1 200 OK\r\n\r\n<ListPartsResult/>"),
        "cut after 20 bytes": sent(cut_after=20),
        "cut at once": sent(cut_after=0),
        "chunks cut": sent(chunked=True, cut_after=20),
        "cut without length": sent(no_length=True, cut_after=20),
        "chunks": sent(chunked=True),
        "no length": sent(no_length=True),
        "gzip": sent(gzip=True),
        "gzip in chunks": sent(gzip=True, chunked=True),
        "gzip that is none": headed(Content_Encoding="gzip"),
        "an encoding nobody knows": headed(Content_Encoding="zip"),
        "gzip that is not said": instead(Reply(200, {}, PACKED)),
        "half a gzip": instead(Reply(200, {"Content-Encoding": "gzip"}, PACKED[:-9])),
        "a close": sent(close=True),
        "a silent close": sent(close_silently=True),
        "a length too short": both_of(headed(Content_Length="30"), sent(close=True)),
        "a length that is none": headed(Content_Length="x"),
        "endless headers": headed(**{f"X-{number}": "x" * 8000 for number in range(20)}),
        "a header of bytes": headed(X_Odd="\x01\x7fé"),
        "a header without a name": headed(**{"": "x"}),
        "an interim answer": instead(
            Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        ),
        "another clock": headed(Date=formatdate(time() + 9e6, usegmt=True)),
        "a slow head": sent(drip_headers=1e-4),
    },
    three_ways,
)


def by_hand(head: str, end: str = "", start: str = "") -> Callable[[Reply], Reply]:
    """Return a fault: the true body after this head, as it stands here."""
    lines = head.replace("\n", "\r\n") + "\r\n\r\n"

    def write(true: Reply) -> Reply:
        length = len(true.body)
        return Reply(
            raw=(lines.format(length=length) + start.format(length=length)).encode()
            + true.body
            + end.encode()
        )

    return write


CHUNKED = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"
CHUNK = {"start": "{length:x};name=value\r\n", "end": "\r\n0\r\nDate: x\r\nX-More: y\r\n\r\n"}
BY_HAND: dict[str, Misbehave] = each_way(
    {
        "HTTP/1.0": by_hand("HTTP/1.0 200 OK"),
        "no phrase": by_hand("HTTP/1.1 200\nContent-Length: {length}"),
        "two digits": by_hand("HTTP/1.1 20 OK\nContent-Length: {length}"),
        "101": by_hand("HTTP/1.1 101 Switching Protocols\nUpgrade: h2c"),
        "lower case": by_hand("HTTP/1.1 200 ok\ncontent-length:{length}"),
        "a folded header": by_hand("HTTP/1.1 200 OK\nX-Long: a\n  b\nContent-Length: {length}"),
        "two lengths": by_hand("HTTP/1.1 200 OK\nContent-Length: {length}\nContent-Length: 7"),
        "a length and chunks": by_hand(
            "HTTP/1.1 200 OK\nContent-Length: 7\nTransfer-Encoding: chunked", **CHUNK
        ),
        "trailers": by_hand("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", **CHUNK),
        "chunks that are none": by_hand("HTTP/1.1 200 OK\nTransfer-Encoding: chunked"),
        "too long": by_hand("HTTP/1.1 200 OK\nContent-Length: 99999999"),
        "below zero": by_hand("HTTP/1.1 200 OK\nContent-Length: -1"),
        "two answers": by_hand("HTTP/1.1 200 OK\nContent-Length: {length}", end="HTTP/1.1 404 No\r\n\r\n"),
        "a cookie": by_hand("HTTP/1.1 200 OK\nSet-Cookie: a=b\nContent-Length: {length}"),
    },
    three_ways,
)
LATE: dict[str, Misbehave] = {
    **{f"{name}, one": victim(sent(**how)) for name, how in TOO_LATE.items()},
    **each_way({"no answer": sent(**TOO_LATE["no answer"])}, three_ways),
}
"""Answers that come too late where a call may take 5 seconds."""
