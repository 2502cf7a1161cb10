"""Removes what could be a secret from error messages, tracebacks and log lines of libraries."""

from __future__ import annotations

import re

REDACTED = "[hidden]"

_NAMED = (
    # the names of calls for a token begin the texts of their errors
    r"(?i:signature|(?<!\bGet)(?<!\bGetAccess)(?<!\bCreateTokenWithId)token|credential|secret(?:[_-]\w+)?|password|access_?key\w*|account_?key|authorization"
    r"|assertion|private_?key)"
)
_SECRET_PATTERN = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}|\bGOOG[A-Z0-9]{16,}"  # access keys
    rf"|{_NAMED}[\"']?\s?[=:]\s*(?:[\"'][^\"']*[\"']|(?i:(?:bearer|basic|aws|obs|sharedkey)\s+)?\S+)"
    r"|(?<![A-Za-z])sig[\"']?\s?(?:[=:]|%3[dD])\s*[^&\s]*"  # of a SAS token, in a URL within a URL too
    r"|\b(?:AWS|OBS|SharedKey(?:Lite)?)\s+\S+:\S+"  # signatures of the old kinds: who, and the signature
    r"|\b[0-9a-fA-F]{40,}\b"  # those of the new kind
    r"|\b(?i:bearer)\s+[\w.~+/=-]{20,}|\beyJ[\w-]{8,}(?:\.[\w-]*)*|\bya29\.[\w.-]+"  # tokens: JWT, Google's
    r"|[\w.~-]{3}\dQ~[\w.~-]{30,}"  # client secrets of Entra ID
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END)[\s\S])*"
    r"|(?<![\w+/=%.-])(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)(?![\w=])"  # base64 of 32 or 64 bytes
    # and what looks like a key or a token: long, of letters in both cases and digits
    r"|(?<![\w+/=%.-])(?!/)(?=[\w+/%-]*[0-9])(?=[\w+/%-]*[a-z])(?=[\w+/%-]*[A-Z])[\w+/%-]{27,}={0,2}(?![\w+/%-])"
)


def unexpected(error: Exception) -> str:
    """Return the message for a bug of the exporter: its class alone, since its text could hold a secret."""
    return f"unexpected {type(error).__name__}; please report it"


def redact(text: str) -> str:
    """Return the text with `[hidden]` in the place of keys, tokens and signatures."""
    return _SECRET_PATTERN.sub(REDACTED, text)
