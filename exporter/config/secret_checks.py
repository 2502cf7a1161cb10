"""What is wrong with a secret, whether it stands in the config or in a file. No text repeats any of it."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SSE_KEY_BYTES = 32


def find_secret_fault(text: str) -> str:
    """Return what is wrong with a secret, or the empty text."""
    if not text:
        return "must not be empty: write the secret there, or remove the key"
    if text != text.strip() or not text.isprintable():
        return "must be one line without white space around it"
    return ""


def find_sse_key_fault(text: str) -> str:
    """Return what is wrong with a key for server-side encryption (SSE-C), or the empty text."""
    return "" if _base64_size(text) == _SSE_KEY_BYTES else f"must be the base64 of {_SSE_KEY_BYTES} bytes"


def connection_fields(text: str) -> dict[str, str]:
    """Return the fields of a connection string of Azure by upper-case name."""
    pairs = (each.partition("=") for each in text.split(";") if each.strip())
    return {name.strip().upper(): value.strip() for name, _, value in pairs}


def is_emulator(fields: Mapping[str, str]) -> bool:
    """Whether these fields stand for the emulator where it listens by default."""
    return fields.get("USEDEVELOPMENTSTORAGE", "").lower() == "true"


def has_signature(query: str) -> bool:
    """Whether a SAS token has its signature."""
    return any(each.startswith("sig=") for each in query.split("&"))


def _find_account_key_fault(text: str) -> str:
    if fault := find_secret_fault(text):
        return fault
    return "" if _base64_size(text) else "must be base64: one of the two keys of the storage account, whole"


def _find_sas_token_fault(text: str) -> str:
    if fault := find_secret_fault(text):
        return fault
    fault = "is without its signature (sig): copy the SAS token whole, or the URL with it"
    return "" if has_signature(text.rpartition("?")[2]) else fault


def _find_connection_string_fault(text: str) -> str:
    if fault := find_secret_fault(text):
        return fault
    given = {name: value for name, value in connection_fields(text).items() if value}
    if is_emulator(given):
        return ""
    if not given.keys() & {"ACCOUNTNAME", "BLOBENDPOINT"}:
        return "names no account: copy the connection string whole, with AccountName and AccountKey"
    if not given.keys() & {"ACCOUNTKEY", "SHAREDACCESSSIGNATURE"}:
        return "has neither AccountKey nor SharedAccessSignature: copy the connection string whole"
    return ""


def _find_identity_fault(text: str) -> str:
    import json  # noqa: PLC0415 - few configs name such a file

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        return "must be what Google Cloud wrote: a JSON object with a type, such as a service account's key"
    return ""


FAULT_FINDERS: Mapping[str, Callable[[str], str]] = {
    "account_key": _find_account_key_fault,
    "sas_token": _find_sas_token_fault,
    "connection_string": _find_connection_string_fault,
    "credentials": _find_identity_fault,
    "sse_customer_key": find_sse_key_fault,
}
"""For secrets of a form of their own, by key; what holds one of them in a file is called …_file."""


def _base64_size(text: str) -> int:
    """Return the number of bytes that a text in base64 stands for, 0 for any other text."""
    try:
        return len(b64decode(text, validate=True))
    except ValueError:
        return 0
