"""The exporter that is attacked: a process with a limit of open files, a store and a state file."""

import re
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
from bench.builds import Build
from servers.exporter import Exporter, serving, target
from servers.s3 import S3, Part, Upload
from servers.standin import StandIn
from unit.authority import Authority

PASSWORD = "a password"
UPLOADS = 40


@dataclass(frozen=True)
class Served:
    """A running exporter; `client` is what an HTTPS client trusts, None where it serves plain HTTP."""

    exporter: Exporter
    client: ssl.SSLContext | None

    @property
    def port(self) -> int:
        return int(self.exporter.url.rpartition(":")[2])

    def get(self, path: str, timeout: float = 30.0) -> str:
        """Return what it answers on a new connection."""
        url = self.exporter.url.replace("127.0.0.1", "localhost") if self.client else self.exporter.url
        with urllib.request.urlopen(url + path, timeout=timeout, context=self.client) as answer:
            return answer.read().decode()

    def scans(self) -> int:
        """Return the number of ListMultipartUploads so far, one a scan at least."""
        found = re.search(
            r'^mpu_api_requests_total\{operation="ListMultipartUploads".*\s(\S+)$', self._text(), re.MULTILINE
        )
        return int(float(found[1])) if found else 0

    def outcome(self) -> str:
        """Return `fine`, or the reason of the last scan's failure."""
        found = re.search(r'^mpu_scan_failing\{.*reason="(\w+)"', self._text(), re.MULTILINE)
        return found[1] if found else "fine"

    def _text(self) -> str:
        return self.get("/metrics")


@contextmanager
def attacked(
    folder: Path,
    build: Build,
    files: tuple[int, int],
    *,
    tls: bool,
    passwords: bool = False,
    level: str = "info",
) -> Iterator[Served]:
    """Serve with a soft and a hard limit of open files while the block lasts."""
    folder.mkdir(parents=True)
    authority = Authority(folder)
    with ExitStack() as stack:
        store = S3()
        store.buckets["media"] = [
            Upload(f"key-{n:03}", f"id-{n}", parts=[Part(1, 5)]) for n in range(UPLOADS)
        ]
        server = stack.enter_context(StandIn(store))
        config = {
            "scan": {"interval": "2s", "parts": "always", "retries": 0},
            "state": {"path": str(folder / "state.db")},
            "targets": [target("prod", server.url, "media")],
        }
        flags = ["--web.enable-lifecycle", f"--log.level={level}"]
        if tls or passwords:
            flags.append(f"--web.config.file={_web_config(authority, tls=tls, passwords=passwords)}")
        program = ["prlimit", f"--nofile={files[0]}:{files[1]}", *build.program()]
        exporter = stack.enter_context(serving(folder, config, *flags, program=program))
        yield Served(exporter, authority.client() if tls else None)


def _web_config(authority: Authority, *, tls: bool, passwords: bool) -> Path:
    file = authority.folder / "web.yml"
    text = ""
    if tls:
        authority.issue("server")
        text = "tls_server_config:\n  cert_file: server.pem\n  key_file: server-key.pem\n"
    if passwords:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        text += f"basic_auth_users:\n  ann: {hashed}\n"
    file.write_text(text)
    return file
