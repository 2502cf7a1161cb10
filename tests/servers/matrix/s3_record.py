"""Makes multipart uploads on an S3 server by signed raw requests."""

import html
import re
from http import HTTPStatus
from urllib.parse import quote, unquote_plus, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from servers.matrix.record import Made, Record
from servers.sender import Answer, RefusedError, Sender
from servers.standin import Request

_KEY = re.compile(rb"<Key>(.+?)</Key>", re.DOTALL)
_ID = re.compile(rb"<UploadId>(.+?)</UploadId>", re.DOTALL)
_NEXT = re.compile(rb"<Next(?:UploadId|Key)Marker>([^<]+)</Next")


class RawClient:
    """Sends signed requests as they are: nothing is normalised, repeated or followed."""

    def __init__(self, endpoint_url: str, access_key: str, secret_key: str, region: str) -> None:
        self._server = urlsplit(endpoint_url).netloc
        self._sender = Sender(self._server)
        self._credentials = Credentials(access_key, secret_key)
        self._region = region

    def close(self) -> None:
        self._sender.close()

    def send(self, method: str, bucket: str, key: str = "", query: str = "", body: bytes = b"") -> Answer:
        """Return the answer, an error too."""
        target = f"/{bucket}" + (f"/{quote(key.encode(), safe='/-._~')}" if key else "") + query
        request = AWSRequest(method, f"http://{self._server}{target}", data=body)
        S3SigV4Auth(self._credentials, "s3", self._region).add_auth(request)
        headers = {**dict(request.headers.items()), "Host": self._server}
        return self._sender.send(method, target, headers, body)

    def ask(self, method: str, bucket: str, key: str = "", query: str = "", body: bytes = b"") -> Answer:
        """Return the answer. Raises RefusedError where it is an error."""
        answer = self.send(method, bucket, key, query, body)
        if answer.status >= 300 or b"<Error>" in answer.body:
            raise RefusedError(f"{method} {bucket}/{key!r}{query}: {answer.status} {answer.body[:300]!r}")
        return answer


class S3Record(Record):
    """Uploads of an S3 server."""

    def __init__(self, client: RawClient, *, completed_ends_key: bool = False) -> None:
        super().__init__(completed_ends_key=completed_ends_key)
        self._client = client

    def close(self) -> None:
        self._client.close()

    def takes(self, bucket: str) -> bool:
        return self._client.send("PUT", bucket).status in {HTTPStatus.OK, HTTPStatus.CONFLICT}

    def asked_for(self, request: Request) -> tuple[str, str] | None:
        bucket = request.path.strip("/").partition("/")[0]
        if "uploadId" in request.query:
            return bucket, request.argument("uploadId")
        return (bucket, "") if "uploads" in request.query else None

    def next_ids(self, page: bytes) -> list[str]:
        return [found.decode() for found in _NEXT.findall(page)]

    def _make_bucket(self, name: str) -> None:
        self._client.ask("PUT", name)

    def _begin(self, bucket: str, key: str) -> tuple[str, str]:
        answer = self._client.send("POST", bucket, key, "?uploads=")
        found = _ID.search(answer.body) if answer.status == HTTPStatus.OK else None
        upload_id = html.unescape(found[1].decode()) if found else self._begun_unsaid(bucket, key)
        if upload_id is None:
            raise RefusedError(f"no upload of {key!r}: {answer.status} {answer.body[:300]!r}")
        return key, upload_id

    def _begun_unsaid(self, bucket: str, key: str) -> str | None:
        """Return the id of an upload that was begun though the answer, for its key, could not say so."""
        if key.isprintable():
            return None
        listed = self._client.send("GET", bucket, query="?encoding-type=url&uploads=").body
        known = {made.upload_id for made in self.all_of(bucket)}
        for upload in listed.split(b"<Upload>")[1:]:
            name, found = _KEY.search(upload), _ID.search(upload)
            if name and found and unquote_plus(name[1].decode()) == key and found[1].decode() not in known:
                return found[1].decode()
        return None

    def _put(self, made: Made, number: int, size: int) -> None:
        query = f"?partNumber={number}&uploadId={_quoted(made)}"
        answer = self._client.ask("PUT", made.bucket, made.key, query, b"x" * size)
        made.etags[number] = answer.headers.get("etag", "")

    def _abort(self, made: Made) -> None:
        self._client.ask("DELETE", made.bucket, made.key, f"?uploadId={_quoted(made)}")

    def _complete(self, made: Made) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etag)}</ETag></Part>"
            for number, etag in sorted(made.etags.items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        self._client.ask("POST", made.bucket, made.key, f"?uploadId={_quoted(made)}", body)


def _quoted(made: Made) -> str:
    return quote(made.upload_id, safe="-._~")
