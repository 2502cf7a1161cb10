"""Lies that live in the XML: a stand-in server over HTTP that writes its true pages otherwise."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, unescape

from contract.rigs import UPLOADS
from servers.s3 import Part, Upload, error

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.liar_world import Bucket
    from contract.rigs import Rig
    from servers.standin import Reply, Request

KEYS = r"<(Key|KeyMarker|NextKeyMarker|Prefix)>([^<]*)</\1>"
ENCODED = b"<EncodingType>url</EncodingType>"


def _rewritten(reply: Reply, write: Callable[[str], str], names: str = KEYS) -> Reply:
    """Write keys otherwise; `write` is given a key and returns XML."""

    def rewrite(match: re.Match[str]) -> str:
        return f"<{match[1]}>{write(unescape(match[2], {'&#13;': chr(13)}))}</{match[1]}>"

    return replace(reply, body=re.sub(names, rewrite, reply.body.decode()).encode())


def _is_asked_for(request: Request) -> bool:
    return request.argument("encoding-type") == "url"


def _encoding(quoting: Callable[[str], str], *, says: bool, names: str = KEYS) -> Callable:
    """Encode keys where that is asked for, and say so or not."""

    def encode(request: Request, reply: Reply) -> Reply:
        if not _is_asked_for(request):
            return reply
        reply = _rewritten(reply, quoting, names)
        said = re.sub(rb"<IsTruncated>", ENCODED + b"<IsTruncated>", reply.body) if says else reply.body
        return replace(reply, body=said)

    return encode


def _odd(reply: Reply) -> bool:
    return any(byte in reply.body for byte in (b"\x01", b"&#x1;"))


def _cut(request: Request, reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2]) if _odd(reply) else reply


def _fail(request: Request, reply: Reply) -> Reply:
    return error(500, "InternalError") if _odd(reply) else reply


def _then(*spoils: Callable) -> Callable:
    def spoil(request: Request, reply: Reply) -> Reply:
        for each in spoils:
            reply = each(request, reply)
        return reply

    return spoil


def _in_turn(spoil: Callable, every: int = 3) -> Callable:
    """Spoil every third answer."""
    asked = [0]

    def now_and_then(request: Request, reply: Reply) -> Reply:
        asked[0] += 1
        return spoil(request, reply) if asked[0] % every == 0 else reply

    return now_and_then


def _echo(**fields: str | None) -> Callable:
    """Write other echoes of what was asked; None leaves one out."""

    def rewrite(_: Request, reply: Reply) -> Reply:
        text = reply.body.decode()
        for name, value in fields.items():
            element = "" if value is None else f"<{name}>{escape(value)}</{name}>"
            text = re.sub(rf"<{name}>[^<]*</{name}>", element, text)
        return replace(reply, body=text.encode())

    return rewrite


def _answer_before() -> Callable:
    """Answer a page after a marker with the page before, as a cache does that does not read the query."""
    before: dict[str, Reply] = {}

    def stale(request: Request, reply: Reply) -> Reply:
        known = before.setdefault(request.path, reply)
        return known if request.argument("key-marker") or request.argument("uploadId") else reply

    return stale


def _raw_returns(_: Request, reply: Reply) -> Reply:
    return _rewritten(reply, escape)


LIES: dict[str, Callable[[], Callable]] = {
    "raw carriage returns": lambda: _raw_returns,
    "line feeds for carriage returns": lambda: (
        lambda _, reply: _rewritten(reply, lambda key: escape(key.replace("\r", "\n")))
    ),
    "U+FFFD": lambda: (
        lambda _, reply: _rewritten(
            reply, lambda key: escape("".join("\ufffd" if char < " " else char for char in key))
        )
    ),
    "white space around keys": lambda: lambda _, reply: _rewritten(reply, lambda key: f" {escape(key)} "),
    "cut at control characters": lambda: _then(_encoding(quote, says=True), _cut),
    "cut at control characters, spaces as plus": lambda: _then(_encoding(quote_plus, says=True), _cut),
    "500 at control characters": lambda: _then(_encoding(quote, says=True), _fail),
    "500 at control characters, encoded for good": lambda: _fail,
    "encoded without a word": lambda: _encoding(quote, says=False),
    "keys but not markers encoded": lambda: _encoding(quote, says=True, names=r"<(Key)>([^<]*)</\1>"),
    "no echoes": lambda: _echo(Prefix=None, KeyMarker=None, UploadIdMarker=None),
    "empty echoes": lambda: _echo(Prefix="", KeyMarker="", UploadIdMarker=""),
    "the answer before": _answer_before,
    "cut now and then": lambda: _in_turn(lambda _, reply: replace(reply, body=reply.body[:-40])),
    "an error in a 200 now and then": lambda: _in_turn(
        lambda _, reply: replace(reply, body=error(503, "SlowDown").body)
    ),
    "HTML now and then": lambda: _in_turn(lambda _, reply: replace(reply, body=b"<html><body/></html>")),
    "empty now and then": lambda: _in_turn(lambda _, reply: replace(reply, body=b"")),
}
"""What writes the answers of a server: a function of the request and the true reply, made for each case."""


def lie(rig: Rig, bucket: Bucket, name: str) -> None:
    """Have the rig's server tell this lie about the bucket, in which things happen before each request."""
    spoil = LIES[name]()

    def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
        bucket.before_request()
        rig.fill([_as_served(each) for each in bucket.ever if each.ended is None])
        reply = truly()
        return spoil(request, reply) if reply.status == 200 else reply

    rig.server.answer = decide
    rig.fault(UPLOADS, page=_with_references)


def _with_references(page):
    page.write = lambda text: escape(text, {"\r": "&#13;"})
    return page


def _as_served(each) -> Upload:
    parts = [Part(part.start, part.size, part.modified) for part in each.parts.values()]
    return Upload(each.key, each.upload_id, each.initiated, parts=parts)
