"""Checks of single values: names, URLs, accounts. Each returns its value or raises ValueError with advice.

No message repeats the value: it may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from exporter.config.secret_checks import find_secret_fault
from exporter.text.labels import MAX_BYTES

ACCOUNT = "^(-|[0-9]{12})$"
OWN_ACCOUNT = "^[0-9]{12}$"
LABEL = "^[A-Za-z_][A-Za-z0-9_]{0,127}$"
ROLE_ARN = "^arn:[a-z0-9-]+:iam::[A-Za-z0-9_-]*:role/[A-Za-z0-9+=,.@_/-]{1,576}$"
SESSION_NAME = "^[A-Za-z0-9_+=,.@-]{2,64}$"
EXTERNAL_ID = "^[A-Za-z0-9_+=,.@:/-]{2,1224}$"
CURRENCY = "^[A-Z]{3}$"
STORAGE_ACCOUNT = "^[a-z0-9]{3,24}$"
PROJECT = "^([a-z0-9.-]{1,100}:)?[a-z0-9-]{4,63}$"
_MAX_NAME_LENGTH = 100
_MAX_TAG_KEY_LENGTH = 128
_MAX_PATTERN_LENGTH = 1000
_MAX_PROXY_LENGTH = 4096
_RESERVED_LABELS = ("bucket", "endpoint_url", "instance", "job", "signing_region", "store", "target")


def check_name(text: str) -> str:
    """Accept what can stand in a label, a log line and a command line unquoted."""
    if not 1 <= len(text) <= _MAX_NAME_LENGTH or not _is_word(text):
        raise ValueError(f"must be 1 to {_MAX_NAME_LENGTH} printable characters without white space")
    return text


def check_region(text: str) -> str:
    """Accept a region's name: Amazon's, Huawei's, or what a compatible server calls it."""
    if not re.fullmatch("[A-Za-z0-9._-]{1,100}", text):
        raise ValueError("must be a region such as eu-west-1: at most 100 letters, digits and . _ -")
    return text


def check_bucket(text: str) -> str:
    """Accept the bucket and vault names of any store; the store has the exact rules."""
    if not _is_word(text) or text in {".", ".."}:
        raise ValueError("must be a bucket's or vault's name: not empty, no white space")
    _check_size(text)
    if "/" in text and not text.startswith("arn:"):
        raise ValueError("must be a name without /, or an ARN: write a path inside the bucket as prefix")
    return text


def check_pattern(text: str) -> str:
    """Accept a regular expression."""
    if len(text) > _MAX_PATTERN_LENGTH:
        raise ValueError(f"must have at most {_MAX_PATTERN_LENGTH:,} characters: write several expressions")
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    return text


def check_role_arn(text: str) -> str:
    """Accept a role's ARN."""
    return _matching(text, ROLE_ARN, "must be a role's ARN: arn:aws:iam::123456789012:role/NAME")


def check_session_name(text: str) -> str:
    """Accept what STS takes as the name of a role's session."""
    return _matching(text, SESSION_NAME, "must be 2 to 64 of letters, digits and _ + = , . @ -")


def check_external_id(text: str) -> str:
    """Accept what STS takes as an external id."""
    return _matching(text, EXTERNAL_ID, "must be 2 to 1224 of letters, digits and _ + = , . @ : / -")


def check_storage_account(text: str) -> str:
    """Accept the name of an Azure storage account."""
    return _matching(text, STORAGE_ACCOUNT, "must be a storage account: 3 to 24 small letters and digits")


def check_project(text: str) -> str:
    """Accept the id or the number of a Google Cloud project, a domain's before a colon."""
    return _matching(text, PROJECT, "must be a project's id or number: small letters, digits and -")


def check_currency(text: str) -> str:
    """Accept a currency's code."""
    return _matching(text, CURRENCY, "must be a currency's code such as USD: three capital letters")


def _matching(text: str, pattern: str, wanted: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(wanted)
    return text


def check_label(text: str) -> str:
    """Accept label names of Prometheus that the exporter does not set itself."""
    if not re.fullmatch(LABEL, text) or text.startswith("__"):
        wanted = "at most 128 letters, digits and _, not beginning with a digit or __"
        raise ValueError(f"must be a label name: {wanted}")
    if text in _RESERVED_LABELS:
        raise ValueError(f"is a label name already taken ({', '.join(_RESERVED_LABELS)}): choose another")
    return text


def check_tag_key(text: str) -> str:
    """Accept the key of a bucket's tag: what stores allow in one."""
    if not 1 <= len(text) <= _MAX_TAG_KEY_LENGTH or not text.isprintable():
        raise ValueError(f"must be a tag's key: 1 to {_MAX_TAG_KEY_LENGTH} printable characters")
    return text


def tag_label(key: str) -> str:
    """Return the name of the label that has the value of a bucket's tag: `tag_cost_center`."""
    return "tag_" + re.sub("[^A-Za-z0-9_]", "_", key)


def check_label_value(text: str) -> str:
    """Accept printable text of one line."""
    if not text.isprintable():
        raise ValueError("must be printable text of one line")
    return _check_size(text)


def _check_size(text: str) -> str:
    """Accept what may be the value of a label; `text` is printable."""
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"must have at most {MAX_BYTES:,} bytes, as it is a label's value")
    return text


def check_account(text: str) -> str:
    """Accept an account of vaults."""
    if not re.fullmatch(ACCOUNT, text):
        raise ValueError('must be 12 digits in quotes, or "-" for the account of the credentials')
    return text


def check_own_account(text: str) -> str:
    """Accept an account that can own a bucket."""
    if not re.fullmatch(OWN_ACCOUNT, text):
        raise ValueError("must be an account: 12 digits in quotes")
    return text


def check_file_name(text: str) -> str:
    """Accept what may name a file; file_checks.py asks whether it can be read."""
    if not text or "\0" in text:
        raise ValueError("must be the path of a file: remove the key if there is none")
    return text


def check_secret(text: str) -> str:
    """Accept what can be signed with."""
    fault = find_secret_fault(text)
    if fault:
        raise ValueError(fault)
    return text


def check_endpoint_url(text: str) -> str:
    """Accept a server's URL."""
    url = _split_url(text, ("https", "http"))
    if url.username is not None or url.password is not None:
        raise ValueError("must hold no user or password: they belong under credentials")
    return _check_size(text)


def check_proxy_url(text: str) -> str:
    """Accept a proxy's URL, with or without user and password."""
    if _split_url(text, ("http", "https", "socks5", "socks5h")).path not in {"", "/"}:
        raise ValueError("must end after host and port")
    if len(text) > _MAX_PROXY_LENGTH:
        raise ValueError(f"must have at most {_MAX_PROXY_LENGTH:,} characters")
    return text


def _split_url(text: str, schemes: tuple[str, ...]) -> SplitResult:
    wanted = (
        f"must be a URL such as {schemes[0]}://host:1234 ({', '.join(schemes)}); percent-encode a password"
    )
    try:
        url = urlsplit(text)
        sound = url.scheme in schemes and bool(url.hostname) and url.port != 0 and _is_word(text)
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(wanted)
    if "?" in text or "#" in text:
        raise ValueError("must hold no ? or #: write scheme, host and port")
    return url


def _is_word(text: str) -> bool:
    return text.isprintable() and bool(text) and not re.search(r"\s", text)
