"""TLS between a TCP transport and the HTTP protocol."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.web.auth.config import WebConfig

log = logging.getLogger(__name__)

_CHUNK_BYTES = 256 * 1024
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"400 this is HTTPS: ask with https://\n"
)


class TlsTransport(asyncio.Transport):
    """Encrypts what is written to a TCP transport, and decrypts what was received from it."""

    def __init__(self, tcp: asyncio.Transport, web_config: WebConfig) -> None:
        """Wait for the client's first bytes; `web_config` has a TLS context."""
        super().__init__()
        self._tcp = tcp
        self._web_config = web_config
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._handshake_done = False

    @cached_property
    def _tls(self) -> ssl.SSLObject:
        """What OpenSSL holds of the connection, 50 KiB: made for the first bytes, not for a silent client."""
        assert self._web_config.tls_context is not None  # noqa: S101 - for the type
        return self._web_config.tls_context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def decrypt(self, data: bytes) -> Iterator[bytes]:
        """Yield the decrypted data, b"" at its end; close where that is, or the client is not allowed."""
        self._incoming.write(data)
        try:
            if not self._handshake_done:
                self._handshake()
            while not self._tcp.is_closing():
                chunk = self._tls.read(_CHUNK_BYTES)
                yield chunk
                if not chunk:
                    self.close()  # the client has sent close_notify
                    return
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._fail(error)

    def _handshake(self) -> None:
        self._tls.do_handshake()
        self._handshake_done = True
        self._flush()
        allowed = self._web_config.allowed_client_sans
        if allowed and not allowed & _alternative_names(self._tls.getpeercert() or {}):
            log.debug("a client's certificate has none of the names allowed")
            self.close()

    def _fail(self, error: ssl.SSLError) -> None:
        log.debug("a client's TLS is not acceptable", extra={"fields": {"error": error.reason}})
        if error.reason == "HTTP_REQUEST" and not self._handshake_done:
            self._outgoing.read()  # an alert that no HTTP client understands
            self._outgoing.write(_PLAIN_HTTP)
        self._flush()
        self._tcp.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._tcp.is_closing():
            self._tcp.write(self._outgoing.read())

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send."""
        rest = memoryview(data)
        while rest and not self._tcp.is_closing():
            rest = rest[self._tls.write(rest[:_CHUNK_BYTES]) :]
            self._flush()

    def close(self) -> None:
        """Send close_notify and what is buffered, then close."""
        if self._tcp.is_closing():
            return
        if self._handshake_done:
            with suppress(ssl.SSLError):  # the client's close_notify is not waited for
                self._tls.unwrap()
            self._flush()
        self._tcp.close()

    def abort(self) -> None:
        """Close at once."""
        self._tcp.abort()

    def is_closing(self) -> bool:
        """Return whether it is closed or closing."""
        return self._tcp.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own type
        """Return a property of the connection."""
        return (
            self._web_config.tls_context if name == "sslcontext" else self._tcp.get_extra_info(name, default)
        )

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that the client has not taken yet."""
        return self._tcp.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Stop reading from the client."""
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Read from the client again."""
        self._tcp.resume_reading()


def _alternative_names(certificate: dict[str, Any]) -> set[str]:
    """Return a certificate's subject alternative names, IP addresses in their canonical form."""
    names = certificate.get("subjectAltName", ())
    return {str(ip_address(name)) if kind == "IP Address" else name for kind, name in names}
