"""A web config file: every key of the exporter-toolkit, and advice for those not supported."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal, NoReturn

from exporter.config.credentials import Secret
from exporter.config.field_types import FileName, Leaf, text
from exporter.config.key_definition import Key, as_metadata, key, setting
from exporter.web.auth.ciphers import CIPHER_SUITES, TLS13_CIPHER_SUITES

MAX_BCRYPT_COST = 15
"""With a higher cost the check of one password takes many seconds."""
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_MIN_BCRYPT_COST = 4
HEADERS = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)


def _check_suite(text: str) -> str:
    if text not in CIPHER_SUITES and text not in TLS13_CIPHER_SUITES:
        raise ValueError("must be a cipher suite by its Go name: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
    return text


def _read_hash(text: str) -> Secret:
    found = _BCRYPT.fullmatch(text)
    if not found:
        raise ValueError("must be a bcrypt hash, never the password: make one with `htpasswd -nBC 10 NAME`")
    if not _MIN_BCRYPT_COST <= int(found[1]) <= MAX_BCRYPT_COST:
        raise ValueError(
            f"must have a cost of {_MIN_BCRYPT_COST} to {MAX_BCRYPT_COST}: make the hash with a cost of 10"
        )
    return Secret(text)


def _check_user(text: str) -> str:
    if not text or ":" in text or not text.isprintable():
        raise ValueError("must be keyed by printable user names without a colon")
    return text


def _check_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("must be a path as it is asked for: /-/healthy")
    return text


def _check_header(name: str) -> str:
    if name not in HEADERS:
        raise ValueError(f"is no header that can be set here: use {', '.join(HEADERS)}")
    return name


def _check_line(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be one line of ASCII")
    return text


def _refuse(advice: str) -> Leaf:
    def refuse(_: object) -> NoReturn:
        raise ValueError(advice)

    return Leaf(refuse)


def _refuse_inline(key: str) -> Leaf:
    return _refuse(f"is not read here: write it into a file and name that as {key}")


Suite = Annotated[str, text(_check_suite)]
Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
Curve = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]
ClientAuthType = Literal[
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
Header = Annotated[str, text(_check_header)]
Line = Annotated[str, text(_check_line)]
User = Annotated[str, text(_check_user)]
BcryptHash = Annotated[Secret, text(_read_hash)]
UrlPath = Annotated[str, text(_check_path)]
_NO_RATE_LIMIT = _refuse("is not offered here: remove it; connections are limited anyway")
_REFUSED = Key("Not supported.", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServerConfig:
    """`tls_server_config`: how connections are encrypted, and which clients may connect."""

    cert_file: FileName = field(
        metadata=as_metadata(Key("the server's certificate and those between it and its CA, PEM"))
    )
    key_file: FileName = field(metadata=as_metadata(Key("the key of cert_file, PEM")))
    client_auth_type: ClientAuthType = key("NoClientCert", "What clients have to show.")
    client_ca_file: FileName | None = key(None, "CAs of clients' certificates, PEM.")
    client_allowed_sans: tuple[str, ...] = key(
        (), "Subject alternative names, one of which a client's certificate must have."
    )
    min_version: Version = key("TLS12", "The oldest version of TLS.")
    max_version: Version = key("TLS13", "The newest version of TLS.")
    cipher_suites: tuple[Suite, ...] = key((), "Suites up to TLS 1.2; []: OpenSSL's.")
    prefer_server_cipher_suites: bool = key(default=True, description="Whether the server chooses.")
    curve_preferences: tuple[Curve, ...] = key((), "One curve; []: OpenSSL's.")
    cert: Annotated[None, _refuse_inline("cert_file")] = setting(None, _REFUSED)
    key: Annotated[None, _refuse_inline("key_file")] = setting(None, _REFUSED)
    client_ca: Annotated[None, _refuse_inline("client_ca_file")] = setting(None, _REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServerConfig:
    """`http_server_config`."""

    http2: bool = key(default=True, description="Allowed and without effect: HTTP/1.1 is spoken.")
    headers: tuple[tuple[Header, Line], ...] = key(
        (), "Headers of every answer; blank: the header is left out.", written={}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfigFile:
    """A web config file."""

    tls_server_config: TlsServerConfig | None = setting(None, Key("Without it, plain HTTP."))
    http_server_config: HttpServerConfig = key(HttpServerConfig(), "HTTP.")
    basic_auth_users: tuple[tuple[User, BcryptHash], ...] = key((), "bcrypt hashes by user.", written={})
    auth_excluded_paths: tuple[UrlPath, ...] = key((), "Our own: paths without password.")
    rate_limit: Annotated[None, _NO_RATE_LIMIT] = setting(None, _REFUSED)
