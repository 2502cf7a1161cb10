"""Makes uploads by signed raw requests, and remembers them: the truth, taken from no listing."""

import html
import http.client
import itertools
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote, unquote_plus, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

THREADS = 8
_KEY = re.compile(rb"<Key>(.+?)</Key>", re.DOTALL)
_ID = re.compile(rb"<UploadId>(.+?)</UploadId>", re.DOTALL)


class RefusedError(Exception):
    """The server refused a request; the text is its answer."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """Sends signed requests as they are: nothing is normalised, repeated or followed."""

    def __init__(self, endpoint_url: str, access_key: str, secret_key: str, region: str) -> None:
        self._url = urlsplit(endpoint_url)
        self._credentials = Credentials(access_key, secret_key)
        self._region = region
        self._idle: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def send(self, method: str, bucket: str, key: str = "", query: str = "", body: bytes = b"") -> Answer:
        """Return the answer, an error too."""
        target = f"/{bucket}" + (f"/{quote(key.encode(), safe='/-._~')}" if key else "") + query
        request = AWSRequest(method, f"http://{self._url.netloc}{target}", data=body)
        S3SigV4Auth(self._credentials, "s3", self._region).add_auth(request)
        headers = {**dict(request.headers.items()), "Host": self._url.netloc}
        try:
            return self._exchange(self._idle.pop(), method, target, headers, body)
        except (IndexError, http.client.RemoteDisconnected, ConnectionError):  # a kept one had ended
            fresh = http.client.HTTPConnection(self._url.netloc, timeout=30)
            return self._exchange(fresh, method, target, headers, body)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
    ) -> Answer:
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.headers.items()), response.read())
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def ask(self, method: str, bucket: str, key: str = "", query: str = "", body: bytes = b"") -> Answer:
        """Return the answer. Raises RefusedError where it is an error."""
        answer = self.send(method, bucket, key, query, body)
        if answer.status >= 300 or b"<Error>" in answer.body:
            raise RefusedError(f"{method} {bucket}/{key!r}{query}: {answer.status} {answer.body[:300]!r}")
        return answer


@dataclass(eq=False)
class Made:
    """An upload that was made: its key and id, and the size and ETag of each part by number.

    It began between `asked` and `answered`, and ended between `ending` and `ended`, None while it lives
    (Unix seconds).
    """

    bucket: str
    key: str
    upload_id: str
    asked: float
    answered: float
    parts: dict[int, int] = field(default_factory=dict)
    etags: dict[int, str] = field(default_factory=dict)
    ending: float | None = None
    ended: float | None = None

    @property
    def size_bytes(self) -> int:
        return sum(self.parts.values())


class Record:
    """All uploads that were made on one server."""

    def __init__(self, client: RawClient, *, completed_ends_key: bool = False) -> None:
        self.client = client
        self._completed_ends_key = completed_ends_key
        self._made: list[Made] = []
        self._names = itertools.count()
        self._lock = threading.Lock()

    def bucket(self) -> str:
        """Make a bucket, and return its name."""
        name = f"matrix-{next(self._names):03}"
        self.client.ask("PUT", name)
        return name

    def create(self, bucket: str, key: str, sizes: Mapping[int, int]) -> Made:
        """Begin an upload with parts of these sizes by number. Raises RefusedError."""
        asked = time.time()
        answer = self.client.send("POST", bucket, key, "?uploads=")
        found = _ID.search(answer.body) if answer.status == HTTPStatus.OK else None
        upload_id = html.unescape(found[1].decode()) if found else self._begun_unsaid(bucket, key)
        if upload_id is None:
            raise RefusedError(f"no upload of {key!r}: {answer.status} {answer.body[:300]!r}")
        made = Made(bucket, key, upload_id, asked, time.time())
        with self._lock:
            self._made.append(made)
        for number, size in sizes.items():
            self.put(made, number, size)
        return made

    def _begun_unsaid(self, bucket: str, key: str) -> str | None:
        """Return the id of an upload that was begun though the answer, for its key, could not say so."""
        if key.isprintable():
            return None
        listed = self.client.send("GET", bucket, query="?encoding-type=url&uploads=").body
        known = {made.upload_id for made in self.all_of(bucket)}
        for upload in listed.split(b"<Upload>")[1:]:
            name, found = _KEY.search(upload), _ID.search(upload)
            if name and found and unquote_plus(name[1].decode()) == key and found[1].decode() not in known:
                return found[1].decode()
        return None

    def create_all(self, bucket: str, wanted: Iterable[tuple[str, Mapping[int, int]]]) -> list[Made]:
        """Begin many uploads side by side, each of a key with parts of these sizes by number."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda each: self.create(bucket, *each), wanted))

    def put(self, made: Made, number: int, size: int) -> None:
        """Send a part, for the first time or again."""
        query = f"?partNumber={number}&uploadId={_quoted(made)}"
        answer = self.client.ask("PUT", made.bucket, made.key, query, b"x" * size)
        made.parts[number] = size
        made.etags[number] = {name.lower(): value for name, value in answer.headers.items()}.get("etag", "")

    def abort(self, made: Made) -> None:
        made.ending = time.time()
        self.client.ask("DELETE", made.bucket, made.key, f"?uploadId={_quoted(made)}")
        made.ended = time.time()

    def complete(self, made: Made) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etag)}</ETag></Part>"
            for number, etag in sorted(made.etags.items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        ended = [made]
        if self._completed_ends_key:
            ended = [other for other in self.of(made.bucket) if other.key == made.key]
        for each in ended:
            each.ending = time.time()
        self.client.ask("POST", made.bucket, made.key, f"?uploadId={_quoted(made)}", body)
        for each in ended:
            each.ended = time.time()

    def drop(self, made: Made) -> None:
        """Abort an upload that the server may not know, and forget it."""
        self.client.send("DELETE", made.bucket, made.key, f"?uploadId={_quoted(made)}")
        with self._lock:
            self._made.remove(made)

    def forget(self, bucket: str) -> None:
        """Take all uploads of a bucket for ended: the server has lost them."""
        for made in self.of(bucket):
            made.ending = made.ended = time.time()

    def of(self, bucket: str) -> list[Made]:
        """Return the uploads of a bucket that were begun and not ended."""
        with self._lock:
            return [made for made in self._made if made.bucket == bucket and made.ending is None]

    def all_of(self, bucket: str) -> Iterator[Made]:
        """Yield the uploads of a bucket, ended ones too."""
        with self._lock:
            made = list(self._made)
        return (each for each in made if each.bucket == bucket)


def _quoted(made: Made) -> str:
    return quote(made.upload_id, safe="-._~")
