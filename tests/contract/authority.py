"""A CA of the tests' own."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme

from exporter.config.target_sections import TlsSettings

NAMES = ("localhost", "media.localhost")


@dataclass
class Authority:
    """A CA and what it gives out."""

    ca: trustme.CA
    ca_file: Path

    def context(self, *names: str, **dates: datetime) -> ssl.SSLContext:
        """Return what a server with a certificate for these names serves with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or NAMES), **dates).configure_cert(context)
        return context

    @property
    def tls(self) -> TlsSettings:
        return TlsSettings(ca_file=self.ca_file)
