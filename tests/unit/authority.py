"""A CA of the tests' own, what it gives out, and web configs that name it."""

import ssl
from pathlib import Path

from servers import need_package

from exporter.web.auth.config import WebConfig, read_web_config

trustme = need_package("trustme")


class Authority:
    """A CA; its files lie in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.ca = trustme.CA()
        folder.mkdir(exist_ok=True)
        self.ca.cert_pem.write_to_path(folder / "ca.pem")

    def issue(self, name: str, *names: str) -> Path:
        """Write NAME.pem and NAME-key.pem: a certificate for these names, and its key."""
        issued = self.ca.issue_cert(*(names or ("localhost", "127.0.0.1")))
        issued.private_key_pem.write_to_path(self.folder / f"{name}-key.pem")
        with (self.folder / f"{name}.pem").open("wb") as file:
            file.write(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return self.folder / f"{name}.pem"

    def web_config(self, *lines: str) -> WebConfig:
        """Read a web config whose TLS section has these further lines."""
        if not (self.folder / "server.pem").exists():
            self.issue("server")
        section = "".join(f"  {line}\n" for line in lines)
        file = self.folder / "web.yml"
        file.write_text(f"tls_server_config:\n  cert_file: server.pem\n  key_file: server-key.pem\n{section}")
        return read_web_config(file, {})

    def client(self, certificate: str = "", *, issuer: "Authority | None" = None) -> ssl.SSLContext:
        """Return what a client connects with: it trusts this CA, and shows a certificate of `issuer`'s."""
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        if certificate:
            folder = (issuer or self).folder
            context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}-key.pem")
        return context
