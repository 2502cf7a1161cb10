"""Parses XML with libxml2: no DTDs and no entities, and keys that XML cannot hold are kept."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from lxml import etree

from exporter.stores.parsing.beginnings import document_in, may_be_utf_8
from exporter.stores.parsing.document_size import TooLargeError, document_cost, memory_for
from exporter.stores.parsing.repair import TooManyRepairsError, escape_forbidden, keep_carriage_returns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.stores.transport.memory import Lease

_LIBXML_NO_MEMORY = etree.ErrorTypes.ERR_NO_MEMORY
_EXPAT_NO_MEMORY = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]
_ENCODING_ERRORS = {etree.ErrorTypes.ERR_UNKNOWN_ENCODING, etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING}
# the beginning of a document without a DOCTYPE and certainly in UTF-8
_PLAIN_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?"
    rb"(?:<\?xml\s+version=[\"']1\.0[\"'](?:\s+encoding=[\"'](?i:utf-8)[\"'])?"
    rb"(?:\s+standalone=[\"'](?:yes|no)[\"'])?\s*\?>)?"
    rb"\s*<[A-Za-z_]"
)


_DECLARED_BYTES = 200
_MAX_REPAIRED_LENGTH = 9 * 1024 * 1024
"""Characters of a document with six more for each repair: enough for 1,000 keys of nothing else."""
_PER_REPAIR = 6
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_PIECE = 64 * 1024


class Parsed(NamedTuple):
    """A document: its root, whether forbidden characters were escaped, and the memory that it takes."""

    root: etree._Element
    is_repaired: bool
    lease: Lease | None


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


def parse(body: bytes) -> Parsed:
    """Return the document in a body, with forbidden characters escaped where it has any.

    Raises DoctypeError and NotXmlError, the latter also for what is larger than any answer.
    """
    try:
        body, is_known = document_in(body)
        lease = memory_for(document_cost(body, is_utf_8=is_known or _is_utf_8(body)))
        body = keep_carriage_returns(body)
    except (TooManyRepairsError, TooLargeError, ValueError):
        raise NotXmlError from None
    try:
        return Parsed(_parse_strict(body, encoding_known=is_known), is_repaired=False, lease=lease)
    except (etree.XMLSyntaxError, expat.ExpatError, ValueError, LookupError) as error:
        _raise_if_out_of_memory(error)
        if not (_is_repairable(error) and (is_known or may_be_utf_8(body))):
            raise NotXmlError from None
    if len(body) + _PER_REPAIR * (len(body) - len(body.translate(None, _CONTROLS))) > _MAX_REPAIRED_LENGTH:
        raise NotXmlError
    text = _repaired(body.decode("utf-8-sig", "surrogateescape"))
    try:
        return Parsed(_parse_strict(text.encode("utf-8"), encoding_known=True), is_repaired=True, lease=lease)
    except (etree.XMLSyntaxError, expat.ExpatError, ValueError, LookupError) as error:
        _raise_if_out_of_memory(error)
        raise NotXmlError from None


def _raise_if_out_of_memory(error: Exception) -> None:
    """Raise MemoryError where a parser had too little memory, and no fault was found in the document."""
    code = getattr(error, "code", None)
    if code == (_EXPAT_NO_MEMORY if isinstance(error, expat.ExpatError) else _LIBXML_NO_MEMORY):
        raise MemoryError from None


def _is_utf_8(body: bytes) -> bool:
    """Whether a document is certainly in UTF-8, or in nothing that looks like XML."""
    if _PLAIN_HEAD.match(body):
        return True
    declaration, _, _ = body[:_DECLARED_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().partition(b">")
    return declaration.startswith(b"<") and b"\0" not in declaration and b"encoding" not in declaration


def _repaired(text: str) -> str:
    """Return the text with its forbidden characters escaped. Raises NotXmlError where these are too many."""
    pieces, length = [], 0
    for piece in _pieces(text):
        pieces.append(escape_forbidden(piece))
        length += len(pieces[-1])
        if length > _MAX_REPAIRED_LENGTH:
            raise NotXmlError
    return "".join(pieces)


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that end before a tag, as no reference goes past one."""
    start = 0
    while start < len(text):
        end = text.find("<", start + _PIECE)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end


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
