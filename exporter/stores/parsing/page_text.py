"""Pages as texts in which everything but `<` and references stands for itself."""

from __future__ import annotations

from codecs import BOM_UTF8

MAX_BYTES = 8 * 1024 * 1024
"""Larger bodies are left to the parser, which limits the length of one text."""
_REFERENCES = (
    *((b"&quot;", '"'), (b"&#34;", '"'), (b"&#39;", "'"), (b"&apos;", "'"), (b"&lt;", "<"), (b"&gt;", ">")),
    (b"&amp;", "&"),
)
"""The references that a page may have; that of `&` last, so that replacing one brings no other about."""
_PLAIN = bytes({*b"\t\n", *range(ord(" "), 256)} - {*b"&]"})


def page_text(body: bytes) -> tuple[str, bool] | None:
    """Return a page in UTF-8 as text, without a byte order mark, and whether it has references.

    None where the parser may refuse its characters or change them: the text has no character that XML
    forbids, no carriage return, no `]]>`, and no `&` that does not begin a reference of those that
    `resolved` replaces.
    """
    if len(body) > MAX_BYTES:
        return None
    special = body.translate(None, _PLAIN)
    if special and not _are_known(special, body):
        return None
    try:
        text = body.decode("utf-8-sig" if body.startswith(BOM_UTF8) else "utf-8")
    except UnicodeDecodeError:
        return None
    if not text.isascii() and ("\ufffe" in text or "\uffff" in text):
        return None
    return text, b"&" in special


def _are_known(special: bytes, body: bytes) -> bool:
    """Whether special characters are brackets that end no CDATA section, and known references."""
    references = special.count(b"&")
    if references == len(special) == body.count(b"&quot;"):  # those around ETags only, as nearly always
        return True
    if references != len(special) and (special.strip(b"&]") or b"]]>" in body):
        return False
    return references == sum(body.count(reference) for reference, _ in _REFERENCES)


def resolved(text: str) -> str:
    """Return a text of a page with its references replaced."""
    if "&" in text:
        for reference, character in _REFERENCES:
            text = text.replace(reference.decode(), character)
    return text
