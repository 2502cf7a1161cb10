"""The schema of a web config file: every key of the exporter-toolkit, and advice for those not supported."""

# No postponed annotations here: pydantic reads them when a class is made.
import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from exporter.config.field_types import FileName, Section
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


def _check_hash(secret: SecretStr) -> SecretStr:
    found = _BCRYPT.fullmatch(secret.get_secret_value())
    if not found:
        raise ValueError("must be a bcrypt hash, never the password: make one with `htpasswd -nBC 10 NAME`")
    if not _MIN_BCRYPT_COST <= int(found[1]) <= MAX_BCRYPT_COST:
        raise ValueError(
            f"must have a cost of {_MIN_BCRYPT_COST} to {MAX_BCRYPT_COST}: make the hash with a cost of 10"
        )
    return secret


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


def _check_not_null(value: object) -> object:
    if value is None:
        raise ValueError("must be a mapping: write key: value, or remove it")
    return value


def _refuse(advice: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if value is None:
            return value
        raise ValueError(advice)

    return check


def _refuse_inline(key: str) -> BeforeValidator:
    return BeforeValidator(_refuse(f"is not read here: write it into a file and name that as {key}"))


Suite = Annotated[str, AfterValidator(_check_suite)]
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
Header = Annotated[str, AfterValidator(_check_header)]
Line = Annotated[str, AfterValidator(_check_line)]
User = Annotated[str, AfterValidator(_check_user)]
BcryptHash = Annotated[SecretStr, AfterValidator(_check_hash)]
UrlPath = Annotated[str, AfterValidator(_check_path)]
_NO_RATE_LIMIT = BeforeValidator(_refuse("is not offered here: remove it; connections are limited anyway"))


class TlsServerConfig(Section):
    """`tls_server_config`: how connections are encrypted, and which clients may connect."""

    cert_file: FileName = Field(description="the server's certificate and those between it and its CA, PEM")
    key_file: FileName = Field(description="the key of cert_file, PEM")
    client_auth_type: ClientAuthType = Field(default="NoClientCert", description="What clients have to show.")
    client_ca_file: FileName | None = Field(default=None, description="CAs of clients' certificates, PEM.")
    client_allowed_sans: list[str] = Field(
        default=[], description="Subject alternative names, one of which a client's certificate must have."
    )
    min_version: Version = Field(default="TLS12", description="The oldest version of TLS.")
    max_version: Version = Field(default="TLS13", description="The newest version of TLS.")
    cipher_suites: list[Suite] = Field(default=[], description="Suites up to TLS 1.2; []: OpenSSL's.")
    prefer_server_cipher_suites: bool = Field(default=True, description="Whether the server chooses.")
    curve_preferences: list[Curve] = Field(default=[], description="One curve; []: OpenSSL's.")
    cert: Annotated[None, _refuse_inline("cert_file")] = None
    key: Annotated[None, _refuse_inline("key_file")] = None
    client_ca: Annotated[None, _refuse_inline("client_ca_file")] = None


class HttpServerConfig(Section):
    """`http_server_config`."""

    http2: bool = Field(default=True, description="Allowed and without effect: HTTP/1.1 is spoken.")
    headers: dict[Header, Line] = Field(
        default={}, description="Headers of every answer; blank: the header is left out."
    )


class WebConfigFile(Section):
    """A web config file."""

    model_config = ConfigDict(validate_default=False)

    tls_server_config: Annotated[TlsServerConfig | None, BeforeValidator(_check_not_null)] = Field(
        default=None, description="Without it, plain HTTP."
    )
    http_server_config: HttpServerConfig = Field(default=HttpServerConfig(), description="HTTP.")
    basic_auth_users: dict[User, BcryptHash] = Field(default={}, description="bcrypt hashes by user.")
    auth_excluded_paths: list[UrlPath] = Field(default=[], description="Our own: paths without password.")
    rate_limit: Annotated[None, _NO_RATE_LIMIT] = None
