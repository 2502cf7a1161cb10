"""A web config file in, the settings of the server out, or every problem of the file at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.config.document import as_list, as_mapping, read_document
from exporter.config.problems import make_error
from exporter.config.resolve import fill
from exporter.config.validate import validate
from exporter.web.auth.ciphers import CIPHER_SUITES, CLIENT_AUTH_TYPES, TLS_VERSIONS
from exporter.web.auth.schema import WebConfigFile
from exporter.web.auth.tls_context import FILE_KEYS, TlsError, find_pem_problem, make_tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exporter.config.document import Values
    from exporter.config.problems import Fault

_IF_EMPTY = "write {} into it to serve without TLS and passwords"
_TLS, _HTTP = "tls_server_config", "http_server_config"
_CHOICES = {"X-Content-Type-Options": ("nosniff",), "X-Frame-Options": ("deny", "sameorigin")}
_VERIFYING = "RequireAndVerifyClientCert or VerifyClientCertIfGiven"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Settings of the server. Without a TLS context it serves plain HTTP.

    `users` has bcrypt hashes by name, `public_paths` need no password, `headers` go into every response; an
    empty value removes the header.
    """

    tls_context: ssl.SSLContext | None = None
    allowed_client_sans: frozenset[str] = frozenset()
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    public_paths: frozenset[str] = frozenset()
    headers: tuple[tuple[bytes, bytes], ...] = ()


def read_web_config(path: Path, environ: Mapping[str, str]) -> WebConfig:
    """Return the settings of a web config file. Raises ConfigError with every problem in it, sorted by line.

    Files that it names are relative to its own folder.
    """
    document = read_document(path, environ, _IF_EMPTY)
    written = validate(document, WebConfigFile)
    for where, text in _find_faults(as_mapping(document.data), path.parent):
        document.add(where, text)
    if written is None or document.problems:
        raise make_error(path, document.problems)
    file: WebConfigFile = fill(written, path.parent)
    try:
        tls = file.tls_server_config
        context = make_tls_context(tls, path.parent) if tls else None
    except TlsError as error:
        document.add((_TLS, error.key), str(error))
        raise make_error(path, document.problems) from None
    return _make_web_config(file, context)


def referenced_files(path: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return the files that a web config file names. Raises ConfigError where it is not YAML."""
    data = as_mapping(read_document(path, environ, _IF_EMPTY).data)
    return [file for _, file in _list_files(data, path.parent)]


def _list_files(data: Values, folder: Path) -> Iterator[tuple[str, Path]]:
    for key, name in as_mapping(data.get(_TLS)).items():
        if key in FILE_KEYS and isinstance(name, str) and name and "\0" not in name:
            yield key, folder / name


def _make_web_config(file: WebConfigFile, context: ssl.SSLContext | None) -> WebConfig:
    tls = file.tls_server_config
    return WebConfig(
        tls_context=context,
        allowed_client_sans=frozenset(tls.client_allowed_sans if tls else ()),
        users={user: secret.read().encode() for user, secret in file.basic_auth_users},
        public_paths=frozenset(file.auth_excluded_paths),
        headers=tuple(
            (name.lower().encode(), value.encode()) for name, value in file.http_server_config.headers
        ),
    )


def _find_faults(data: Values, folder: Path) -> Iterator[Fault]:
    """Yield contradictions, what Python's ssl cannot do, and files that cannot be used."""
    tls = as_mapping(data.get(_TLS))
    yield from _check_clients(tls)
    yield from _check_versions(tls)
    if len(as_list(tls.get("curve_preferences"))) > 1:
        text = "Python's ssl takes one curve or its own list: name one, or remove the key"
        yield (_TLS, "curve_preferences"), text
    for key, file in _list_files(data, folder):
        if fault := find_pem_problem(key, file):
            yield (_TLS, key), fault
    headers = as_mapping(as_mapping(data.get(_HTTP)).get("headers"))
    for name, choices in _CHOICES.items():
        if isinstance(headers.get(name), str) and headers[name] not in ("", *choices):
            yield (_HTTP, "headers", name), f"{name} must be {' or '.join(choices)}, or blank"


def _check_versions(tls: Values) -> Iterator[Fault]:
    oldest, newest = (
        TLS_VERSIONS.get(str(tls.get(key, default)))
        for key, default in (("min_version", "TLS12"), ("max_version", "TLS13"))
    )
    if oldest and newest and oldest > newest:
        yield (_TLS, "min_version"), "is newer than max_version: no client could connect"
    suites = [suite for suite in as_list(tls.get("cipher_suites")) if isinstance(suite, str)]
    if suites and newest and newest < TLS_VERSIONS["TLS13"] and not set(suites) & set(CIPHER_SUITES):
        yield (_TLS, "cipher_suites"), "has only suites of TLS 1.3, which max_version leaves out"


def _check_clients(tls: Values) -> Iterator[Fault]:
    kind = tls.get("client_auth_type", "NoClientCert")
    if kind in {"RequireAnyClientCert", "RequireClientCert"}:
        text = f"Python's ssl cannot ask for a certificate and not verify it: use {_VERIFYING}"
        yield (_TLS, "client_auth_type"), text
    if kind not in CLIENT_AUTH_TYPES:
        return
    verifies, has_authorities = "Verify" in str(kind), tls.get("client_ca_file") is not None
    if verifies and not has_authorities:
        yield (_TLS, "client_ca_file"), f"is required for {kind}: name the CAs of the clients' certificates"
    if has_authorities and not verifies:
        yield (_TLS, "client_auth_type"), f"must be {_VERIFYING} where client_ca_file is given"
    if tls.get("client_allowed_sans") and kind != "RequireAndVerifyClientCert":
        text = "needs client_auth_type RequireAndVerifyClientCert: others may come without a certificate"
        yield (_TLS, "client_allowed_sans"), text
