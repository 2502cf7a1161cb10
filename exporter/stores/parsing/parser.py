"""Parses XML with libxml2: no DTDs and no entities, and keys that XML cannot hold are kept."""

from __future__ import annotations

import re
import threading
from xml.parsers import expat

from lxml import etree

from exporter.stores.parsing.repair import TooManyRepairsError, escape_forbidden, keep_carriage_returns

_ENCODING_ERRORS = {etree.ErrorTypes.ERR_UNKNOWN_ENCODING, etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING}
# what some servers send before the declaration, though XML does not allow it
_BLANK_HEAD = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)+(?=<\?xml\s)")
# the beginning of a document without a DOCTYPE and certainly in UTF-8
_PLAIN_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?"
    rb"(?:<\?xml\s+version=[\"']1\.0[\"'](?:\s+encoding=[\"'](?i:utf-8)[\"'])?"
    rb"(?:\s+standalone=[\"'](?:yes|no)[\"'])?\s*\?>)?"
    rb"\s*<[A-Za-z_]"
)


class DoctypeError(Exception):
    """The document has a DOCTYPE, which could define entities."""


class NotXmlError(Exception):
    """The body is not well-formed, even with forbidden characters replaced."""


class _RootReachedError(Exception):
    pass


class _Parsers(threading.local):
    """The parsers of one thread: threads that share a parser wait for each other."""

    def __init__(self) -> None:
        self.utf_8 = _parser("utf-8")
        self.as_declared = _parser(None)


def parse(body: bytes) -> tuple[etree._Element, bool]:
    """Return the root, and whether forbidden characters had to be escaped.

    Raises DoctypeError and NotXmlError.
    """
    body = body[match.end() :] if (match := _BLANK_HEAD.match(body)) else body
    try:
        body = keep_carriage_returns(body)
    except TooManyRepairsError:
        raise NotXmlError from None
    try:
        return _parse_strict(body), False
    except (etree.XMLSyntaxError, expat.ExpatError, ValueError, LookupError) as error:
        if not _is_repairable(error):
            raise NotXmlError from None
    text = escape_forbidden(body.decode("utf-8-sig", "surrogateescape"))
    try:
        return _parse_strict(text.encode("utf-8"), encoding_known=True), True
    except (etree.XMLSyntaxError, expat.ExpatError, ValueError, LookupError):
        raise NotXmlError from None


def _is_repairable(error: Exception) -> bool:
    """Whether the text is at fault, rather than an encoding that a parser does not know."""
    if isinstance(error, etree.XMLSyntaxError):
        return getattr(error, "code", None) not in _ENCODING_ERRORS
    return isinstance(error, expat.ExpatError)


def _parse_strict(body: bytes, *, encoding_known: bool = False) -> etree._Element:
    plain = _PLAIN_HEAD.match(body)
    if not plain:
        _refuse_doctype(body, "utf-8" if encoding_known else None)
    return etree.fromstring(body, _PARSERS.utf_8 if plain or encoding_known else _PARSERS.as_declared)


def _refuse_doctype(body: bytes, encoding: str | None) -> None:
    """Read up to the root element, before any entity is declared.

    Raises DoctypeError where a DOCTYPE comes first, ExpatError, and ValueError or LookupError where the
    encoding cannot be read.
    """
    parser = expat.ParserCreate(encoding)
    parser.StartDoctypeDeclHandler = _raise_doctype
    parser.StartElementHandler = _raise_root_reached
    try:
        parser.Parse(body, True)  # noqa: FBT003 - takes no keywords
    except _RootReachedError:
        return


def _raise_doctype(*_: object) -> None:
    raise DoctypeError


def _raise_root_reached(*_: object) -> None:
    raise _RootReachedError


def _parser(encoding: str | None) -> etree.XMLParser:
    """Return a parser; `encoding` overrides what the document says."""
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


_PARSERS = _Parsers()
