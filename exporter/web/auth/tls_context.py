"""A web config's TLS section in, an SSLContext out, or what is wrong with its files."""

from __future__ import annotations

import ssl
import warnings
from typing import TYPE_CHECKING

from exporter.text.file_limit import because
from exporter.web.auth.ciphers import CIPHER_SUITES, CLIENT_AUTH_TYPES, CURVES, TLS_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.web.auth.schema import TlsServerConfig

_UNREADABLE = "the file cannot be read: {}"
_CHECK = "check the path and its permissions"
_MAX_PEM_BYTES = 1 << 20
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----", "holds no certificate in PEM"
_PEM_MARKERS = {
    "cert_file": _CERTIFICATE,
    "key_file": (b"PRIVATE KEY-----", "holds no private key in PEM"),
    "client_ca_file": _CERTIFICATE,
}
FILE_KEYS = tuple(_PEM_MARKERS)
_DEPRECATED_VERSIONS = {"TLS10", "TLS11"}


class TlsError(Exception):
    """TLS settings or files that cannot be used. `key` is the one to correct; the text is for people."""

    def __init__(self, key: str, text: str) -> None:
        """Make an error about a key of the TLS section."""
        self.key = key
        super().__init__(text)


def find_pem_problem(key: str, path: Path) -> str:
    """Return what is wrong with the file of a key, more clearly than OpenSSL says it; '' where nothing is."""
    try:
        if path.exists() and not path.is_file():
            return "is not a file: name the file itself"
        with path.open("rb") as file:
            content = file.read(_MAX_PEM_BYTES)
    except OSError as error:
        return _UNREADABLE.format(because(error, _CHECK))
    marker, problem = _PEM_MARKERS[key]
    return "" if marker in content else problem


def make_tls_context(settings: TlsServerConfig, folder: Path) -> ssl.SSLContext:
    """Return the context of a server; file names are relative to `folder`. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    for key, set_up in (("min_version", _set_versions), ("cipher_suites", _set_suites)):
        try:
            set_up(context, settings)
        except (ssl.SSLError, ValueError):
            raise TlsError(key, "is not what the OpenSSL of this system has") from None
    _load_certificate(context, folder / settings.cert_file, folder / settings.key_file)
    context.verify_mode = CLIENT_AUTH_TYPES[settings.client_auth_type]
    if settings.client_ca_file is not None:
        _load_authorities(context, folder / settings.client_ca_file)
    return context


def _set_versions(context: ssl.SSLContext, settings: TlsServerConfig) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the config asks for old versions
        context.minimum_version = TLS_VERSIONS[settings.min_version]
        context.maximum_version = TLS_VERSIONS[settings.max_version]


def _set_suites(context: ssl.SSLContext, settings: TlsServerConfig) -> None:
    suites = [CIPHER_SUITES[name] for name in settings.cipher_suites if name in CIPHER_SUITES]
    if settings.cipher_suites and not suites:
        context.minimum_version = ssl.TLSVersion.TLSv1_3  # no older cipher suite is allowed
    if settings.min_version in _DEPRECATED_VERSIONS:
        defaults = ["DEFAULT", "!aNULL", "!eNULL"]
        context.set_ciphers(":".join([*(suites or defaults), "@SECLEVEL=0"]))  # they sign with SHA-1
    elif suites:
        context.set_ciphers(":".join(suites))
    if not settings.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    for curve in settings.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        raise TlsError("key_file", "is encrypted: nobody is there to type its password; decrypt it") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError("key_file", "is not the key of cert_file") from None
        raise TlsError("cert_file", f"cannot be used with its key: {_reason(error)}") from None
    except OSError as error:
        raise TlsError("cert_file", _UNREADABLE.format(because(error, _CHECK))) from None


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise TlsError("client_ca_file", f"cannot be used: {_reason(error)}") from None
    except OSError as error:
        raise TlsError("client_ca_file", _UNREADABLE.format(because(error, _CHECK))) from None


class _EncryptedKeyError(Exception):
    """A private key is encrypted."""


def _no_password() -> str:
    raise _EncryptedKeyError


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "it is damaged").lower().replace("_", " ")
