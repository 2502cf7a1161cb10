"""Stages, commits and lists blobs of an Azure storage account by plain requests, signed here: with no SDK."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from servers.sender import Answer, RefusedError, Sender

VERSION = "2021-12-02"
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)


class BlobClient:
    """Sends requests that are signed with the key of an account, which is the path of its URL."""

    def __init__(self, account_url: str, key: str) -> None:
        url = urlsplit(account_url)
        self.account, self.key = url.path.strip("/"), key
        self._host = url.netloc
        self._sender = Sender(url.netloc)

    def close(self) -> None:
        self._sender.close()

    def send(self, method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> Answer:
        """Return the answer, an error too; the underscores of a header's name stand for dashes."""
        target = f"/{self.account}/{quote(path, safe='/-._~')}" + (f"?{query}" if query else "")
        named = {name.lower().replace("_", "-"): value for name, value in headers.items()}
        sent = {"x-ms-version": VERSION, "x-ms-date": formatdate(usegmt=True), **named}
        sent["content-length"] = str(len(body))
        sent["authorization"] = f"SharedKey {self.account}:{self._signature(method, target, sent)}"
        return self._sender.send(method, target, {"host": self._host, **sent}, body)

    def ask(self, method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> Answer:
        """Return the answer. Raises RefusedError where it is an error."""
        answer = self.send(method, path, query, body, **headers)
        if answer.status >= 300:
            raise RefusedError(f"{method} {path!r} {query}: {answer.status} {answer.body[:300]!r}")
        return answer

    def create(self, container: str) -> None:
        self.ask("PUT", container, "restype=container")

    def put(self, container: str, name: str, number: int, size: int) -> None:
        """Send the block of this number, for the first time or again."""
        query = urlencode({"comp": "block", "blockid": block_id(number)})
        self.ask("PUT", f"{container}/{name}", query, b"x" * size)

    def commit(self, container: str, name: str, numbers: Iterable[int] = (), **headers: str) -> None:
        """Make the blob of these blocks, of none by default."""
        blocks = "".join(f"<Latest>{block_id(number)}</Latest>" for number in numbers)
        self.ask("PUT", f"{container}/{name}", "comp=blocklist", _document(blocks), **headers)

    def delete(self, container: str, name: str) -> None:
        self.ask("DELETE", f"{container}/{name}")

    def clear(self, container: str, name: str) -> None:
        """End an upload with nothing left: its blocks go as an empty blob is made, and then that goes."""
        self.commit(container, name, if_none_match="*")
        self.delete(container, name)

    def _signature(self, method: str, target: str, headers: Mapping[str, str]) -> str:
        url = urlsplit(target)
        length = {} if headers["content-length"] == "0" else {"content-length": headers["content-length"]}
        standard = {**headers, "content-length": "", **length}
        own = sorted((name, value) for name, value in headers.items() if name.startswith("x-ms-"))
        lines = [
            *(method, *(standard.get(name, "") for name in _SIGNED)),
            *(f"{name}:{value}" for name, value in own),
            f"/{self.account}{url.path}",
            *(f"{name}:{value}" for name, value in sorted(parse_qsl(url.query, keep_blank_values=True))),
        ]
        return _hmac(self.key, lines)


def container_sas(
    account: str, key: str, container: str, rights: str, *, until: datetime, since: datetime | None = None
) -> str:
    """Return a token for a container, as it stands in a query."""
    start, end = (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "" for moment in (since, until)
    )
    resource = f"/blob/{account}/{container}"
    lines = [rights, start, end, resource, *("", "", "", VERSION, "c"), *[""] * 7]
    fields = {"sp": rights, "st": start, "se": end, "sv": VERSION, "sr": "c", "sig": _hmac(key, lines)}
    return urlencode({name: value for name, value in fields.items() if value})


def block_id(number: int) -> str:
    return base64.b64encode(f"{number:05}".encode()).decode()


def _document(blocks: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode()


def _hmac(key: str, lines: Iterable[str]) -> str:
    digest = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
