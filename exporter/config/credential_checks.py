"""Checks of a target's credentials against each other, and of Azure's account, which they may name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.config.document import as_list, as_mapping
from exporter.config.durations import parse_duration
from exporter.config.secret_checks import FAULT_FINDERS, find_secret_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.document import Values
    from exporter.config.problems import Fault, KeyPath

_MIN_SESSION_SECONDS, _MAX_SESSION_SECONDS = 900.0, 43200.0
_CONTAINER = re.compile(r"[a-z0-9-]+|\$[a-z]+")
"""A name, or one of those that Azure made: $root, $web, $logs."""
_AZURE_SECRETS = ("account_key", "sas_token", "connection_string")
_SECRETS = ("access_key_id", "secret_access_key", "session_token", *_AZURE_SECRETS)


def find_credential_faults(where: KeyPath, given: Values) -> Iterator[Fault]:
    """Yield the path and text of what does not fit together in the credentials of a target."""
    for name in _SECRETS:
        if _is_given(given, name) and _is_given(given, f"{name}_file"):
            yield (*where, f"{name}_file"), f"{name} and {name}_file say the same: remove one"
    for name in _AZURE_SECRETS:
        text = given.get(name)
        if isinstance(text, str) and not find_secret_fault(text) and (fault := FAULT_FINDERS[name](text)):
            yield (*where, name), fault
    yield from _check_keys(where, given)
    yield from _check_role((*where, "assume_role"), as_mapping(given.get("assume_role")))
    first, *more = [key for name in _AZURE_SECRETS if (key := _given_key(given, name))] or [""]
    if more:
        yield (*where, more[0]), f"stands beside {first}: requests are signed in one way, remove one of them"


def _check_keys(where: KeyPath, given: Values) -> Iterator[Fault]:
    key, secret, token = (_given_key(given, name) for name in _SECRETS[:3])
    if _is_given(given, "profile") and (key or secret or token):
        yield (*where, "profile"), "a profile brings its own keys: remove either the profile or the keys"
    if _is_given(given, "credentials_file") and (key or secret):
        yield (*where, "credentials_file"), "stands beside an HMAC key: remove either the file or the key"
    if key and not secret:
        yield (
            (*where, "secret_access_key"),
            "is required beside access_key_id: add it, or secret_access_key_file",
        )
    if secret and not key:
        yield (*where, "access_key_id"), "is required beside secret_access_key: add it, or access_key_id_file"
    if token and not key and not secret:
        yield (
            (*where, "session_token"),
            "is of no use without its keys: add access_key_id and secret_access_key",
        )


def _check_role(where: KeyPath, role: Values) -> Iterator[Fault]:
    text = role.get("duration")
    seconds = parse_duration(text) if isinstance(text, str) else None
    if seconds is not None and not _MIN_SESSION_SECONDS <= seconds <= _MAX_SESSION_SECONDS:
        yield (*where, "duration"), "must be 15m to 12h: what STS allows"


def find_azure_faults(where: KeyPath, target: Values) -> Iterator[Fault]:
    """Yield where an Azure target lacks an account, names it twice, or would send a token in the clear.

    Also names that no container has: one with the SAS token of its URL is a secret in every label.
    """
    for position, item in enumerate(as_list(target.get("containers"))):
        name = as_mapping(item).get("name", item)
        if isinstance(name, str) and not _CONTAINER.fullmatch(name):
            text = "must be a container's name: small letters, digits and -; a SAS token is for credentials"
            yield (*where, "containers", position), text
    given = as_mapping(target.get("credentials"))
    named = _given_key(given, "connection_string")
    has_keys = named or _given_key(given, "account_key") or _given_key(given, "sas_token")
    if not has_keys and str(target.get("endpoint_url")).startswith("http://"):
        text = "would carry a token, which goes over TLS only: write https, or give account_key or sas_token"
        yield (*where, "endpoint_url"), text
    if not named and not _is_given(target, "account"):
        yield (*where, "account"), "is required: the storage account's name, or a connection_string"
    for key in ("account", "endpoint_url"):
        if named and _is_given(target, key):
            yield (*where, key), f"stands beside {named}, which says it: remove one of them"


def _given_key(values: Values, name: str) -> str:
    """Return under which key a secret is given, '' where it is not."""
    return next((key for key in (name, f"{name}_file") if _is_given(values, key)), "")


def _is_given(values: Values, key: str) -> bool:
    """Tell whether a key has a value, a faulty one included."""
    return values.get(key) is not None
