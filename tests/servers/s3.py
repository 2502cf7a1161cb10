"""An S3 server of uploads in progress: pages, signatures and errors as Amazon's, faults as a test wants them.

It holds a dict of buckets and answers only what an exporter may ask; whatever else it is asked, it refuses.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from xml.sax.saxutils import escape

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from servers.standin import Fault, Faults, Reply, Request

UPLOADS, PARTS, BUCKETS = "ListMultipartUploads", "ListParts", "ListBuckets"
LIFECYCLE, TAGS = "GetBucketLifecycleConfiguration", "GetBucketTagging"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_SKEW_SECONDS = 15 * 60
_LARGEST_PAGE = 1000


def iso(seconds: float) -> str:
    """Return a moment as Amazon S3 writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Part:
    """A stored part."""

    number: int
    size: int
    modified: float = EPOCH + 60


@dataclass
class Upload:
    """An upload in progress."""

    key: str
    upload_id: str
    initiated: float = EPOCH
    storage_class: str = "STANDARD"
    parts: list[Part] = field(default_factory=list)


@dataclass
class Key:
    """An access key. With a `token`, requests have to carry it; `expired` makes it a late one."""

    access_key_id: str = "AKIAIOSFODNN7EXAMPLE"
    secret: str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    token: str | None = None
    expired: bool = False


@dataclass
class Listing:
    """A page before it is written: what a fault may spoil. A field that is None is left out."""

    root: str
    fields: dict[str, str | None]
    item: str = ""
    items: list[dict[str, str | None]] = field(default_factory=list)
    namespace: str = NAMESPACE
    write: Callable[[str], str] = escape
    """How a text becomes XML."""
    within: str = ""
    """The element that holds the items, '' where they are the root's own."""

    def xml(self) -> bytes:
        fields = "".join(self._element(name, value) for name, value in self.fields.items())
        items = "".join(
            f"<{self.item}>{''.join(self._element(*pair) for pair in item.items())}</{self.item}>"
            for item in self.items
        )
        items = f"<{self.within}>{items}</{self.within}>" if self.within else items
        namespace = f' xmlns="{self.namespace}"' if self.namespace else ""
        root = f"<{self.root}{namespace}>{fields}{items}</{self.root}>"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}'.encode()

    def _element(self, name: str, value: str | None) -> str:
        if value is None:
            return ""
        if name in {"Initiator", "Owner"}:
            return f"<{name}><ID>{self.write(value)}</ID><DisplayName/></{name}>"
        return f"<{name}>{self.write(value)}</{name}>"


def error(status: int, code: str, message: str = "No.", *, namespace: str = "", **headers: str) -> Reply:
    """Return an error document as Amazon S3 writes it."""
    fields = {"Code": code, "Message": message, "RequestId": "4442587FB7D0A2F9", "HostId": "Uuag1LuByRx9e6j5"}
    body = Listing("Error", dict(fields), namespace=namespace).xml()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"Content-Type": "application/xml", **named}, body)


def sigv4_fault(
    request: Request, key: Key, auth_class: type[SigV4Auth], now: float
) -> tuple[int, str, str] | None:
    """Return status, code and message of what is wrong with a request's signature, None if nothing is."""
    authorization = request.headers.get("authorization", "")
    scheme, _, rest = authorization.partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return 403, "AccessDenied", "Access Denied"
    said = dict(item.strip().split("=", 1) for item in rest.split(","))
    access_key_id, day, region, service, _ = said["Credential"].split("/")
    signed = said["SignedHeaders"].split(";")
    if access_key_id != key.access_key_id:
        return 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
    token = request.headers.get("x-amz-security-token") or request.headers.get("x-amz-s3session-token")
    if key.expired or token != key.token:
        return 400, "ExpiredToken" if key.expired else "InvalidToken", "The provided token is of no use."
    must_be_signed = {name for name in request.headers if name.startswith("x-amz-")} | {"host"}
    timestamp = request.headers.get("x-amz-date", "")
    signer = auth_class(Credentials(key.access_key_id, key.secret), service, region)
    check = AWSRequest(request.method, f"http://{request.host}{request.raw_path}?{request.raw_query}")
    for name in signed:
        check.headers[name] = request.headers.get(name, "")
    check.data = request.body or None
    check.context["timestamp"] = timestamp
    text = signer.string_to_sign(check, signer.canonical_request(check))
    if (
        must_be_signed - set(signed)
        or signer.signature(text, check) != said["Signature"]
        or timestamp[:8] != day
    ):
        return 403, "SignatureDoesNotMatch", "The request signature we calculated does not match."
    moment = datetime.strptime(timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC).timestamp()
    if abs(moment - now) > _SKEW_SECONDS:
        return 403, "RequestTimeTooSkewed", "The difference between the request time and now is too large."
    return None


class S3:
    """The server's state and its handler: `StandIn(S3(...))`.

    `rules` are the XML of lifecycle rules by bucket, `tags` their tags, `aliases` other names of buckets
    (access points), `regions` where a bucket lives if not everywhere, `owners` and `payers` what the buckets'
    headers are checked against.
    """

    auth_class = S3SigV4Auth
    namespace = NAMESPACE

    def __init__(self, *, domain: str = "localhost", now: Callable[[], float] = time.time) -> None:
        """Make an empty server; a Host of `bucket.domain` is a bucket's own."""
        self.key = Key()
        self.buckets: dict[str, list[Upload]] = {}
        self.rules: dict[str, str] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.aliases: dict[str, str] = {}
        self.regions: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        self.requester_pays: set[str] = set()
        self.sessions: dict[str, Key] = {}
        self.buckets_page = 1000
        """How many buckets a page has at most."""
        self.skew = 0.0
        """How many seconds this server's clock is ahead."""
        self.faults = Faults()
        self.refused: list[Request] = []
        """What no exporter may ask."""
        self._domain = domain
        self._now = now

    def __call__(self, request: Request) -> Reply:
        bucket, key = self.address(request)
        operation = _operation(request, bucket, key)
        if operation is None:
            self.refused.append(request)
            return error(405, "MethodNotAllowed")
        faults = self.faults.next_for(operation)
        reply = self._answer(request, operation, (bucket, key), faults)
        for fault in faults:
            reply = fault.reply(reply)
        return reply

    def address(self, request: Request) -> tuple[str, str]:
        """Return the bucket and the key, by host or by path."""
        host = request.host.rpartition(":")[0] or request.host
        if host.endswith(f".{self._domain}"):
            return host.removesuffix(f".{self._domain}"), request.path[1:]
        bucket, _, key = request.path[1:].partition("/")
        return bucket, key

    def authorize(self, request: Request) -> Reply | None:
        """Return the refusal of a request that is not signed as it should be."""
        session = self.sessions.get(request.headers.get("x-amz-s3session-token", ""))
        fault = sigv4_fault(request, session or self.key, self.auth_class, self._now() + self.skew)
        return error(*fault) if fault else None

    def _answer(
        self, request: Request, operation: str, address: tuple[str, str], faults: list[Fault]
    ) -> Reply:
        name, key = address
        if refusal := self.authorize(request) or (name and self._refuse(request, name)):
            return refusal
        if operation == "HeadBucket":
            return Reply(200, {"x-amz-bucket-region": self.regions.get(name, "us-east-1")})
        if operation == "CreateSession":
            return self._create_session()
        for fault in faults:
            request = fault.request(request)
        bucket = self.aliases.get(name, name)
        if operation in {LIFECYCLE, TAGS}:
            return self._lifecycle(bucket) if operation == LIFECYCLE else self._tagging(bucket)
        answers = {UPLOADS: self._list_uploads, PARTS: self._list_parts, BUCKETS: self._list_buckets}
        page = answers[operation](request, bucket, key)
        if isinstance(page, Reply):
            return page
        for fault in faults:
            page = fault.page(page)
        return Reply(200, {"Content-Type": "application/xml"}, page.xml())

    def _lifecycle(self, bucket: str) -> Reply:
        if bucket not in self.rules:
            return error(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
        root = "LifecycleConfiguration"
        body = f'<{root} xmlns="{self.namespace}">{self.rules[bucket]}</{root}>'
        return Reply(200, {"Content-Type": "application/xml"}, body.encode())

    def _tagging(self, bucket: str) -> Reply:
        if not self.tags.get(bucket):
            return error(404, "NoSuchTagSet", "The TagSet does not exist")
        tags = [{"Key": key, "Value": value} for key, value in self.tags[bucket].items()]
        page = Listing("Tagging", {}, "Tag", [dict(tag) for tag in tags], self.namespace, within="TagSet")
        return Reply(200, {"Content-Type": "application/xml"}, page.xml())

    def _refuse(self, request: Request, name: str) -> Reply | None:
        bucket = self.aliases.get(name, name)
        if bucket not in self.buckets:
            return error(404, "NoSuchBucket", "The specified bucket does not exist")
        owner = request.headers.get("x-amz-expected-bucket-owner")
        if owner and owner != self.owners.get(bucket, owner):
            return error(403, "AccessDenied", "Access Denied")
        if bucket in self.requester_pays and request.headers.get("x-amz-request-payer") != "requester":
            return error(403, "AccessDenied", "Access Denied")
        region = request.headers["authorization"].split("/")[2]
        home = self.regions.get(bucket, region)
        if home != region:
            message = "The bucket you are attempting to access must be addressed using another endpoint."
            return error(301, "PermanentRedirect", message, x_amz_bucket_region=home)
        return None

    def _create_session(self) -> Reply:
        key = Key("ASIASESSION7EXAMPLE", f"secret-{len(self.sessions)}", f"token-{len(self.sessions)}")
        self.sessions[key.token or ""] = key
        fields = {
            "SessionToken": key.token,
            "SecretAccessKey": key.secret,
            "AccessKeyId": key.access_key_id,
            "Expiration": iso(self._now() + 300),
        }
        credentials = Listing("CreateSessionResult", {}, "Credentials", [dict(fields)])
        return Reply(200, {"Content-Type": "application/xml"}, credentials.xml())

    def _list_buckets(self, request: Request, _bucket: str, _key: str) -> Listing | Reply:
        """Return a page as Amazon does: only who asks for pages gets them, and regions."""
        asked = "max-buckets" in request.query or "continuation-token" in request.query
        names = sorted(self.buckets)
        after = request.argument("continuation-token").removeprefix("after-")
        rest = [name for name in names if name > after]
        page = (
            rest[: min(int(request.argument("max-buckets", "10000")), self.buckets_page)] if asked else rest
        )
        more = len(page) < len(rest)
        items: list[dict[str, str | None]] = [
            {
                "Name": name,
                "CreationDate": iso(EPOCH),
                "BucketRegion": self.regions.get(name, "us-east-1") if asked else None,
            }
            for name in page
        ]
        fields: dict[str, str | None] = {
            "Owner": "8a6925ce4adf588a4c",
            "ContinuationToken": f"after-{page[-1]}" if more else None,
        }
        return Listing("ListAllMyBucketsResult", fields, "Bucket", items, within="Buckets")

    def _list_uploads(self, request: Request, bucket: str, _: str) -> Listing | Reply:
        key_marker, id_marker = request.argument("key-marker"), request.argument("upload-id-marker")
        prefix, limit = request.argument("prefix"), _limit(request, "max-uploads")
        uploads = sorted(self.buckets[bucket], key=lambda upload: (upload.key.encode(), upload.initiated))
        uploads = [upload for upload in uploads if upload.key.startswith(prefix)]
        rest = [upload for upload in uploads if upload.key.encode() > key_marker.encode()]
        if key_marker and id_marker:
            same = [upload for upload in uploads if upload.key == key_marker]
            ids = [upload.upload_id for upload in same]
            if id_marker not in ids:
                return error(400, "InvalidArgument", "Invalid uploadId marker")
            rest = same[ids.index(id_marker) + 1 :] + rest
        page = list(islice(rest, limit))
        last = page[-1] if page else None
        fields = {
            "Bucket": bucket,
            "KeyMarker": key_marker,
            "UploadIdMarker": id_marker,
            "NextKeyMarker": last.key if last else "",
            "NextUploadIdMarker": last.upload_id if last else "",
            "Prefix": prefix or None,
            "MaxUploads": str(limit),
            "IsTruncated": "true" if len(rest) > limit else "false",
        }
        items = [
            {
                "Key": upload.key,
                "UploadId": upload.upload_id,
                "Initiator": "arn:aws:iam::123456789012:user/backup",
                "Owner": "8a6925ce4adf588a4c",
                "StorageClass": upload.storage_class,
                "Initiated": iso(upload.initiated),
            }
            for upload in page
        ]
        return Listing("ListMultipartUploadsResult", fields, "Upload", [dict(item) for item in items])

    def _list_parts(self, request: Request, bucket: str, key: str) -> Listing | Reply:
        upload_id, limit = request.argument("uploadId"), _limit(request, "max-parts")
        after = int(request.argument("part-number-marker", "0"))
        found = [u for u in self.buckets[bucket] if (u.key, u.upload_id) == (key, upload_id)]
        if not found:
            return error(404, "NoSuchUpload", "The specified upload does not exist.")
        upload = found[0]
        rest = sorted((part for part in upload.parts if part.number > after), key=lambda part: part.number)
        page = rest[:limit]
        fields = {
            "Bucket": bucket,
            "Key": key,
            "UploadId": upload_id,
            "Initiator": "arn:aws:iam::123456789012:user/backup",
            "Owner": "8a6925ce4adf588a4c",
            "StorageClass": upload.storage_class,
            "PartNumberMarker": str(after),
            "NextPartNumberMarker": str(page[-1].number if page else 0),
            "MaxParts": str(limit),
            "IsTruncated": "true" if len(rest) > limit else "false",
        }
        items = [
            {
                "PartNumber": str(part.number),
                "LastModified": iso(part.modified),
                "ETag": '"7778aef83f66abc1fa1e8477f296d394"',
                "Size": str(part.size),
            }
            for part in page
        ]
        return Listing("ListPartsResult", dict(fields), "Part", [dict(item) for item in items])


def without_arguments(*names: str) -> Callable[[Request], Request]:
    """Return a fault of the request: the server ignores these parameters."""

    def ignore(request: Request) -> Request:
        kept = [pair for pair in request.raw_query.split("&") if pair.partition("=")[0] not in names]
        return replace(request, target=f"{request.target.partition('?')[0]}?{'&'.join(kept)}")

    return ignore


def _operation(request: Request, bucket: str, key: str) -> str | None:
    names = request.query
    if request.method == "HEAD":
        return "HeadBucket" if bucket and not key else None
    if request.method != "GET":
        return None
    if not bucket:
        return BUCKETS
    if key:
        return PARTS if "uploadId" in names else None
    known = {"lifecycle": LIFECYCLE, "tagging": TAGS, "session": "CreateSession", "uploads": UPLOADS}
    return next((operation for name, operation in known.items() if name in names), None)


def _limit(request: Request, name: str) -> int:
    return min(int(request.argument(name, str(_LARGEST_PAGE))), _LARGEST_PAGE)
