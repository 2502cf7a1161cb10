"""Removes what could be a secret from error messages, tracebacks and log lines of libraries."""

from __future__ import annotations

import re

REDACTED = "[hidden]"

_NAMED = r"(?i:signature|token|credential|secret(?:[_-]\w+)?|password|access_?key\w*|authorization)"
_SECRET_PATTERN = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}"  # access keys
    rf"|{_NAMED}[\"']?\s?[=:]\s*(?:[\"'][^\"']*[\"']|(?i:(?:bearer|basic|aws|obs)\s+)?\S+)"
    r"|\b(?:AWS|OBS)\s+\S+:\S+"  # signatures of the old kinds: who, and the signature
    r"|\b[0-9a-fA-F]{40,}\b"  # those of the new kind
    # and what looks like a key or a token: long, of letters in both cases and digits
    r"|(?<![\w+/=%.-])(?!/)(?=[\w+/%-]*[0-9])(?=[\w+/%-]*[a-z])(?=[\w+/%-]*[A-Z])[\w+/%-]{27,}={0,2}(?![\w+/%-])"
)


def unexpected(error: Exception) -> str:
    """Return the message for a bug of the exporter: its class alone, since its text could hold a secret."""
    return f"unexpected {type(error).__name__}; please report it"


def redact(text: str) -> str:
    """Return the text with `[hidden]` in the place of keys, tokens and signatures."""
    return _SECRET_PATTERN.sub(REDACTED, text)
