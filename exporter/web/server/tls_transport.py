"""TLS between a TCP transport and what speaks HTTP over it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.web.auth.config import WebConfig

log = logging.getLogger(__name__)

_PIECE = 256 * 1024
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"400 this is HTTPS: ask with https://\n"
)


class TlsTransport(asyncio.Transport):
    """Encrypts what is written, hands it to a TCP transport, and decrypts what came in there."""

    def __init__(self, tcp: asyncio.Transport, web_config: WebConfig) -> None:
        """Wait for the client to begin; `web_config` has a context."""
        super().__init__()
        assert web_config.context is not None  # noqa: S101 - for the type
        self._tcp = tcp
        self._web_config = web_config
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = web_config.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._ready = False

    def decrypt(self, data: bytes) -> Iterator[bytes]:
        """Yield what came in, in clear; a client that cannot be understood or let in is cut off."""
        self._incoming.write(data)
        try:
            if not self._ready:
                self._shake_hands()
            while not self._tcp.is_closing():
                piece = self._tls.read(_PIECE)
                if not piece:
                    self.close()  # the client takes its leave
                    return
                yield piece
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._give_up(error)

    def _shake_hands(self) -> None:
        self._tls.do_handshake()
        self._ready = True
        self._flush()
        allowed = self._web_config.allowed_client_sans
        if allowed and not allowed & _names(self._tls.getpeercert() or {}):
            log.debug("a client's certificate has none of the names allowed")
            self.close()

    def _give_up(self, error: ssl.SSLError) -> None:
        log.debug("a client's TLS is not acceptable", extra={"fields": {"error": error.reason}})
        if error.reason == "HTTP_REQUEST" and not self._ready:
            self._outgoing.read()  # an alert that no HTTP client understands
            self._outgoing.write(_PLAIN_HTTP)
        self._flush()
        self._tcp.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._tcp.is_closing():
            self._tcp.write(self._outgoing.read())

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send this encrypted."""
        rest = memoryview(data)
        while rest and not self._tcp.is_closing():
            rest = rest[self._tls.write(rest[:_PIECE]) :]
            self._flush()

    def close(self) -> None:
        """Send what is left and a goodbye, then close."""
        if self._tcp.is_closing():
            return
        with suppress(ssl.SSLError):  # nobody waits for the client's goodbye
            self._tls.unwrap()
        self._flush()
        self._tcp.close()

    def abort(self) -> None:
        """Close at once."""
        self._tcp.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._tcp.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own type
        """Return what is known of the connection."""
        return self._web_config.context if name == "sslcontext" else self._tcp.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not taken yet."""
        return self._tcp.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Take more from the client."""
        self._tcp.resume_reading()


def _names(certificate: dict[str, Any]) -> set[str]:
    """Return the subject alternative names of a certificate, addresses in their shortest form."""
    names = certificate.get("subjectAltName", ())
    return {str(ip_address(name)) if kind == "IP Address" else name for kind, name in names}
