"""Removes what could be a secret from error messages, tracebacks and log lines of libraries."""

from __future__ import annotations

import re

REDACTED = "[hidden]"

_NOT_OF_CALLS = r"(?<!\bGetToken)(?<!\bGetAccessToken)(?<!\bCreateTokenWithIdToken)"
"""The names of calls for a token begin the texts of their errors."""
_NAMED = (
    rf"(?i:signature|token{_NOT_OF_CALLS}|credential|secret(?:[_-]\w+)?|password|access_?key\w*"
    r"|account_?key|authorization|assertion|private_?key)"
)
_CONFIG_KEY = (
    r"(?:access_key_id|secret_access_key|session_token|account_key|sas_token)(?:_file)?"
    r": (?=(?:add|is|must|requests|stands|the file)\b)"
)
"""A key of a config, and the beginning of what is wrong with it."""
_AFTER_NAMES = re.compile(
    rf"(?P<no_secret>{_CONFIG_KEY})"
    rf"|{_NAMED}[\"']?\s?[=:]\s*(?:[\"'][^\"']*[\"']|(?i:(?:bearer|basic|aws|obs|sharedkey)\s+)?\S+)"
    r"|(?<![A-Za-z])sig[\"']?\s?(?:[=:]|%3[dD])\s*[^&\s]*"  # of a SAS token, in a URL within a URL too
)
_AFTER_SCHEMES = re.compile(
    r"\b(?:AWS|OBS|SharedKey(?:Lite)?)\s+\S+:\S+"  # signatures of the old kinds: who, and the signature
    r"|\b(?:[Bb]earer|BEARER)\s+[\w.~+/=-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END)[\s\S])*"
)
_LONG = re.compile(r"[\w+/=%.~-]{12,}")
_LIKE_SECRETS = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}|\bGOOG[A-Z0-9]{16,}"  # access keys
    r"|\b[0-9a-fA-F]{40,}\b"  # signatures of the new kind
    r"|\beyJ[\w-]{8,}(?:\.[\w-]*)*|\bya29\.[\w.-]+"  # tokens: JWT, Google's
    r"|[\w.~-]{3}\dQ~[\w.~-]{30,}"  # client secrets of Entra ID
    r"|(?<![\w+/=%.-])(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)(?![\w=])"  # base64 of 32 or 64 bytes
    # and what looks like a key or a token: long, of letters in both cases and digits
    r"|(?<![\w+/=%.-])(?!/)(?=[\w+/%-]*[0-9])(?=[\w+/%-]*[a-z])(?=[\w+/%-]*[A-Z])[\w+/%-]{27,}={0,2}(?![\w+/%-])"
)
"""Within a long run of such characters, which are rare: so most texts cost little."""


def unexpected(error: Exception) -> str:
    """Return the message for a bug of the exporter: its class alone, since its text could hold a secret."""
    return f"unexpected {type(error).__name__}; please report it"


def redact(text: str) -> str:
    """Return the text with `[hidden]` in the place of keys, tokens and signatures."""
    if "=" in text or ":" in text or "%3" in text:
        text = _AFTER_NAMES.sub(lambda found: found["no_secret"] or REDACTED, text)
    text = _AFTER_SCHEMES.sub(REDACTED, text)
    return _LONG.sub(lambda found: _LIKE_SECRETS.sub(REDACTED, found[0]), text)
