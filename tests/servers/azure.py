"""An Azure Blob Storage of unfinished uploads: pages, signatures and errors as the service's own.

What real Azure was seen to answer is followed, not the emulator: a byte order mark, no times of blobs that
are not committed, markers that name the next page's first blob. As an `emulator` it does as Azurite does. It
takes what a client sends to stage, commit and delete blobs.
"""

import base64
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import unquote
from xml.sax.saxutils import escape, quoteattr

from servers.s3 import EPOCH, PARTS, UPLOADS, Key
from servers.standin import Fault, Faults, Reply, Request

CONTAINERS, METADATA = "ListContainers", "GetContainerMetadata"
ACCOUNT = "devstoreaccount1"
BLOCK_BLOB = "BlockBlob"
LARGEST_PAGE = 5000
MAX_BLOCKS = 100_000
_VERSIONS = re.compile(r"20[12]\d-\d\d-\d\d")
_SKEW_SECONDS = 15 * 60
_SIGNED_HEADERS = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
_GONE = 404, "BlobNotFound", "The specified blob does not exist."
_UNSIGNED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
    "correctly including the signature."
)

Fields = dict[str, "str | Fields | None"]


@dataclass
class Blob:
    """A blob. `blocks` are sizes by ids of those that are not committed, in the order in which they came.

    `length` is None before anything is committed; `committed` are the blocks that it was made of.
    """

    name: str
    blocks: dict[str, int] = field(default_factory=dict)
    length: int | None = None
    committed: dict[str, int] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    kind: str = BLOCK_BLOB
    tier: str = "Hot"
    created: float = EPOCH
    more: Fields = field(default_factory=dict)
    """Further fields of its entry in a list, such as Snapshot."""


@dataclass
class Sas:
    """What a token of this signature allows: `rights` as in sp."""

    rights: str = "rl"
    until: float = 4e9


@dataclass
class BlobPage:
    """A page before it is written: what a fault may spoil. A field that is None is left out."""

    root: str
    attributes: dict[str, str]
    fields: Fields
    item: str
    within: str
    items: list[Fields] = field(default_factory=list)
    last: Fields = field(default_factory=dict)
    declaration: str = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
    empty: str = "<{} />"
    committed: list[Fields] | None = None
    """The committed blocks of a list of blocks, None where it has none of them."""

    def xml(self) -> bytes:
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in self.attributes.items())
        committed = "" if self.committed is None else self._list("CommittedBlocks", self.committed)
        listed = committed + self._list(self.within, self.items)
        inside = f"{self._written(self.fields)}{listed}{self._written(self.last)}"
        return f"{self.declaration}<{self.root}{attributes}>{inside}</{self.root}>".encode()

    def _list(self, within: str, items: list[Fields]) -> str:
        inside = "".join(self._element(self.item, item) for item in items)
        return f"<{within}>{inside}</{within}>" if inside else self.empty.format(within)

    def _written(self, fields: Fields) -> str:
        return "".join(self._element(name, value) for name, value in fields.items())

    def _element(self, name: str, value: "str | Fields | None") -> str:
        if value is None:
            return ""
        if isinstance(value, dict):
            return f"<{name}>{self._written(value)}</{name}>"
        if value == "":
            return self.empty.format(name)
        if name == "Name" and any(character in value for character in "\ufffe\uffff"):
            return f'<Name Encoded="true">{"".join(map(_percent, value))}</Name>'
        return f"<{name}>{escape(value)}</{name}>"


def error(status: int, code: str, message: str = "No.", *, detail: str = "", **headers: str) -> Reply:
    """Return an error document as Azure writes it."""
    text = f"{message}\nRequestId:b8a35ed4-d01e-0048-5b4d-0a8e5f000000\nTime:2026-01-01T00:00:00.0000000Z"
    more = f"<AuthenticationErrorDetail>{escape(detail)}</AuthenticationErrorDetail>" if detail else ""
    inside = f"<Code>{code}</Code><Message>{escape(text)}</Message>{more}"
    body = f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error>{inside}</Error>'
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _reply(
        status, body.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml", **named}
    )


class RefusedError(Exception):
    """What is asked for is refused: status, code, message; by word what else `error` takes."""

    def __init__(self, status: int, code: str, message: str = "No.", **more: str) -> None:
        super().__init__(status, code, message)
        self.more = more


class Azure:
    """The server's state and its handler: `StandIn(Azure())`.

    `containers` are the blobs by container and name, `tags` the metadata of containers, `tokens` what SAS
    tokens allow by their signature, `bearers` the access tokens that are taken.
    """

    def __init__(
        self, *, emulator: bool = False, has_path: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        """Make an empty server; with `has_path` the account is the first step of each path."""
        self.key = Key(ACCOUNT, base64.b64encode(b"a key of the account").decode())
        self.emulator = emulator
        self.containers: dict[str, dict[str, Blob]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, Sas] = {}
        self.bearers: set[str] = set()
        self.containers_page = LARGEST_PAGE
        self.pages_of: Callable[[int], int] = lambda size: size
        """How many entries a page has, of so many: Azure's may be short."""
        self.skew = 0.0
        """How many seconds this server's clock is ahead."""
        self.faults = Faults()
        self.changes: list[str] = []
        """The calls that changed something, or wanted to: no exporter makes any."""
        self._has_path = has_path
        self._now = now
        self._lock = threading.Lock()

    @property
    def buckets(self) -> dict[str, dict[str, Blob]]:
        """The containers, by the name that other stores have for them."""
        return self.containers

    def __call__(self, request: Request) -> Reply:
        steps = (
            request.raw_path[1:].split("/", 2)[1:] if self._has_path else request.raw_path[1:].split("/", 1)
        )
        container, name = (*map(unquote, steps), "", "")[:2]
        operation = _operation(request, container, name)
        faults = self.faults.next_for(operation)
        with self._lock:
            try:
                self._authorize(request, operation)
                for fault in faults:
                    request = fault.request(request)
                reply = self._answer(request, operation, (container, name), faults)
            except RefusedError as refused:
                reply = error(*refused.args, **refused.more)
        for fault in faults:
            reply = fault.reply(reply)
        return reply

    def _answer(
        self, request: Request, operation: str, address: tuple[str, str], faults: list[Fault]
    ) -> Reply:
        container, name = address
        if operation == CONTAINERS:
            return self._written(self._list_containers(request), faults)
        if operation == "Create":
            self.containers.setdefault(container, {})
            return _reply(201)
        blobs = self.containers.get(container)
        if blobs is None:
            raise RefusedError(404, "ContainerNotFound", "The specified container does not exist.")
        if operation == METADATA:
            named = {f"x-ms-meta-{name}": value for name, value in self.tags.get(container, {}).items()}
            return _reply(200, b"", {"ETag": '"0x8D1"', **named})
        if operation == UPLOADS:
            return self._written(self._list_blobs(request, container, blobs), faults)
        if operation == PARTS:
            return self._list_blocks(request, blobs.get(name), faults)
        self.changes.append(operation)
        return self._change(request, operation, blobs, name)

    # -- what is signed

    def _authorize(self, request: Request, operation: str) -> None:
        version = request.headers.get("x-ms-version", "") or request.argument("sv")
        if not _VERSIONS.fullmatch(version):
            raise RefusedError(
                400, "InvalidHeaderValue", "The value for one of the HTTP headers is not valid."
            )
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        if "sig" in request.query:
            self._check_sas(request, operation)
        elif scheme == "Bearer":
            if said not in self.bearers:
                message = (
                    "Server failed to authenticate the request. Please refer to the www-authenticate header."
                )
                raise RefusedError(401, "InvalidAuthenticationInfo", message)
        elif scheme == "SharedKey":
            self._check_key(request, said)
        else:
            raise RefusedError(401, "NoAuthenticationInformation", _UNSIGNED)

    def _check_key(self, request: Request, said: str) -> None:
        date = request.headers.get("x-ms-date", "")
        if abs(parsedate_to_datetime(date).timestamp() - self._now() - self.skew) > _SKEW_SECONDS:
            raise self._unsigned(f"Request date header too old: '{date}'")
        signed = string_to_sign(request, ACCOUNT)
        digest = hmac.digest(base64.b64decode(self.key.secret), signed.encode(), "sha256")
        right = base64.b64encode(digest).decode()
        if said != f"{ACCOUNT}:{right}":
            what = "is not the same as any computed signature. Server used following string to sign"
            raise self._unsigned(f"The MAC signature found in the HTTP request '{said}' {what}: '{signed}'.")

    def _check_sas(self, request: Request, operation: str) -> None:
        token = self.tokens.get(request.argument("sig"))
        if token is None:
            raise self._unsigned("Signature did not match. String to sign used was rl")
        if token.until < self._now():
            raise self._unsigned(
                "Signature not valid in the specified time frame: Start [] - Expiry [] - Current []"
            )
        needed = {UPLOADS: "l", CONTAINERS: "l", METADATA: "r", PARTS: "r"}.get(operation, "w")
        if needed not in token.rights:
            message = "This request is not authorized to perform this operation using this permission."
            raise RefusedError(403, "AuthorizationPermissionMismatch", message)

    def _unsigned(self, detail: str) -> RefusedError:
        if self.emulator:
            return RefusedError(403, "AuthorizationFailure", _UNSIGNED)
        return RefusedError(403, "AuthenticationFailed", _UNSIGNED, detail=detail)

    # -- what is listed

    def _list_containers(self, request: Request) -> BlobPage:
        names = [name for name in sorted(self.containers) if name.startswith(request.argument("prefix"))]
        shown, marker = self._page(request, names, self.containers_page)
        items: list[Fields] = [
            {"Name": name, "Properties": {"Last-Modified": formatdate(EPOCH, usegmt=True), "Etag": '"0x8D1"'}}
            for name in shown
        ]
        return self._as_page(request, "Container", items, marker)

    def _list_blobs(self, request: Request, container: str, blobs: dict[str, Blob]) -> BlobPage:
        prefix = request.argument("prefix")
        with_uncommitted = "uncommittedblobs" in request.argument("include").split(",")
        listed = (
            name
            for name, blob in blobs.items()
            if name.startswith(prefix) and (with_uncommitted or blob.length is not None)
        )
        names = sorted(listed, key=_place)
        shown, marker = self._page(request, names, LARGEST_PAGE)
        items = [self._described(blobs[name]) for name in shown]
        return self._as_page(request, "Blob", items, marker, ContainerName=container)

    def _page(self, request: Request, names: list[str], largest: int) -> tuple[list[str], str]:
        """Return the names of a page, and where the next one goes on."""
        asked = request.argument("maxresults", str(LARGEST_PAGE))
        if not asked.isdigit() or int(asked) < 1:
            message = (
                "One of the query parameters specified in the request URI is outside the permissible range."
            )
            raise RefusedError(400, "OutOfRangeQueryParameterValue", message)
        marker = request.argument("marker")
        if marker and self.emulator:
            rest = [name for name in names if _place(name) > _place(marker)]
        else:
            rest = [name for name in names if not marker or _place(name) >= _place(_marked(marker))]
        size = max(0, self.pages_of(min(int(asked), largest)))
        shown = rest[:size]
        if len(shown) == len(rest):
            return shown, ""
        return shown, (shown[-1] if shown else marker) if self.emulator else _marker(rest[size], marker)

    def _described(self, blob: Blob) -> Fields:
        dates: Fields = {
            "Creation-Time": formatdate(blob.created, usegmt=True),
            "Last-Modified": formatdate(blob.created, usegmt=True),
            "Etag": "0x8D7E2D8D6F9F6B0",
        }
        lease: Fields = {"LeaseStatus": "unlocked", "LeaseState": "available"}
        kind: Fields = {"BlobType": blob.kind, "AccessTier": blob.tier, "AccessTierInferred": "true"}
        if blob.length is None and not self.emulator:
            return {
                "Name": blob.name,
                "Properties": {"Content-Length": "0", **kind, **lease},
                "OrMetadata": "",
            }
        if blob.length is None:
            found: Fields = {**dates, "Content-Length": "0", "BlobType": blob.kind, **lease}
            return {"Name": blob.name, "Properties": found}
        content: Fields = {
            "Content-Length": str(blob.length),
            "Content-Type": blob.content_type or None,
            "Content-Encoding": "",
            "Content-Language": "",
            "Content-MD5": "",
            "Cache-Control": "",
            "Content-Disposition": "",
        }
        encrypted: Fields = {"ServerEncrypted": "true"}
        own = {name: value for name, value in blob.more.items() if name != "Properties"}
        properties = {**dates, **content, **kind, **lease, **encrypted, **(blob.more.get("Properties") or {})}  # type: ignore[dict-item]
        return {"Name": blob.name, **own, "Properties": properties, "OrMetadata": ""}

    def _as_page(
        self, request: Request, item: str, items: list[Fields], marker: str, **more: str
    ) -> BlobPage:
        echoed = (("Prefix", "prefix"), ("Marker", "marker"), ("MaxResults", "maxresults"))
        asked: Fields = {
            name: request.argument(argument) if argument in request.query or self.emulator else None
            for name, argument in echoed
        }
        if self.emulator:
            asked["MaxResults"] = asked["MaxResults"] or str(LARGEST_PAGE)
        attributes = {
            "ServiceEndpoint": f"http://{request.host}/{ACCOUNT}/" if self._has_path else "",
            **more,
        }
        page = BlobPage(
            "EnumerationResults", attributes, asked, item, f"{item}s", items, {"NextMarker": marker}
        )
        return self._as_emulator(page)

    def _as_emulator(self, page: BlobPage) -> BlobPage:
        if self.emulator:
            page.declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            page.empty = "<{}/>"
        return page

    def _list_blocks(self, request: Request, blob: Blob | None, faults: list[Fault]) -> Reply:
        if blob is None:
            raise RefusedError(*_GONE)
        if blob.kind != BLOCK_BLOB:
            raise RefusedError(409, "InvalidBlobType", "The blob type is invalid for this operation.")
        asked = request.argument("blocklisttype", "committed")
        with_committed = asked in {"committed", "all"} and (blob.length is not None or self.emulator)
        committed = _block_fields(blob.committed) if with_committed else None
        items = _block_fields(blob.blocks) if asked in {"uncommitted", "all"} else []
        page = self._as_emulator(BlobPage("BlockList", {}, {}, "Block", "UncommittedBlocks", items))
        page.committed = committed
        return self._written(page, faults, self._of_committed(blob))

    def _of_committed(self, blob: Blob) -> dict[str, str]:
        if blob.length is None and not self.emulator:
            return {}
        modified = formatdate(blob.created, usegmt=True)
        return {
            "Last-Modified": modified,
            "ETag": '"0x8D1"',
            "x-ms-blob-content-length": str(blob.length or 0),
        }

    def _written(self, page: BlobPage, faults: list[Fault], headers: dict[str, str] | None = None) -> Reply:
        for fault in faults:
            page = fault.page(page)
        server = {"Server": "Azurite-Blob/3.37.0"} if self.emulator else {}
        return _reply(200, page.xml(), {"Content-Type": "application/xml", **server, **(headers or {})})

    # -- what is changed

    def _change(self, request: Request, operation: str, blobs: dict[str, Blob], name: str) -> Reply:
        blob = blobs.get(name)
        if operation == "Delete":
            if blob is None or blob.length is None:
                raise RefusedError(*_GONE)
            del blobs[name]
            return _reply(202)
        if operation == "PutBlock":
            blob = blobs.setdefault(name, Blob(name, created=self._now()))
            blocks = blob.blocks
            if len(blocks) >= MAX_BLOCKS:
                raise RefusedError(409, "BlockCountExceedsLimit")
            block = request.argument("blockid")
            blocks.pop(block, None)
            blocks[block] = len(request.body)
            return _reply(201)
        if request.headers.get("if-none-match") == "*" and blob is not None and blob.length is not None:
            raise RefusedError(409, "BlobAlreadyExists", "The specified blob already exists.")
        blob = blob or Blob(name)
        if operation == "PutBlob":
            blobs[name] = Blob(name, length=len(request.body), created=self._now())
        else:
            ids = re.findall(r"<(?:Latest|Uncommitted|Committed)>([^<]+)</", request.body.decode())
            known = blob.committed | blob.blocks
            if not all(each in known for each in ids):
                raise RefusedError(400, "InvalidBlockList", "The specified block list is invalid.")
            made = {each: known[each] for each in ids}
            blobs[name] = Blob(name, {}, sum(made.values()), made, created=self._now())
        return _reply(201)


def string_to_sign(request: Request, account: str) -> str:
    """Return what the account's key signs of a request.

    https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """
    headers = dict(request.headers)
    if headers.get("content-length") == "0":
        headers["content-length"] = ""
    own = sorted((name, value) for name, value in headers.items() if name.startswith("x-ms-"))
    values: dict[str, list[str]] = {}
    for name, value in request.pairs:
        values.setdefault(name.lower(), []).append(value)
    return "\n".join(
        [
            request.method,
            *(headers.get(name, "") for name in _SIGNED_HEADERS),
            *(f"{name}:{value}" for name, value in own),
            f"/{account}{request.raw_path}",
            *(f"{name}:{','.join(sorted(found))}" for name, found in sorted(values.items())),
        ]
    )


def _operation(request: Request, container: str, name: str) -> str:
    """Return what is asked for; of pages under the names that S3's stand-in has for them, for faults."""
    method, comp = request.method, request.argument("comp")
    if method == "GET" and comp == "list":
        return UPLOADS if container else CONTAINERS
    if method == "GET" and comp == "blocklist" and name:
        return PARTS
    if method == "GET" and comp == "metadata":
        return METADATA
    if method == "PUT" and not name:
        return "Create"
    changes = {("PUT", "block"): "PutBlock", ("PUT", "blocklist"): "PutBlockList", ("PUT", ""): "PutBlob"}
    return changes.get((method, comp), "Delete" if method == "DELETE" else f"{method} {request.target}")


def _reply(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
    own = {"x-ms-request-id": "b8a35ed4-d01e-0048-5b4d-0a8e5f000000", "x-ms-version": "2021-12-02"}
    return Reply(
        status, {"Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0", **own, **(headers or {})}, body
    )


def _block_fields(blocks: dict[str, int]) -> list[Fields]:
    return [{"Name": block, "Size": str(size)} for block, size in blocks.items()]


def _marker(name: str, before: str) -> str:
    """Return a marker as Azure's look: opaque, and naming the first blob of the next page.

    After an empty page it is another one than `before`, though it means the same.
    """
    text = base64.b64encode(json.dumps([name, len(before)]).encode()).decode()
    return f"2!{len(text)}!{text}"


def _place(name: str) -> bytes:
    """Return what a name is compared by: both sort as UTF-16."""
    return name.encode("utf-16-be", "surrogatepass")


def _marked(marker: str) -> str:
    try:
        return str(json.loads(base64.b64decode(marker.split("!", 2)[2], validate=True))[0])
    except (ValueError, IndexError):
        message = "Value for one of the query parameters specified in the request URI is invalid."
        raise RefusedError(400, "InvalidQueryParameterValue", message) from None


def _percent(character: str) -> str:
    return character if character.isalnum() else "".join(f"%{byte:02X}" for byte in character.encode())


def block_id(number: int) -> str:
    """Return the id of a block."""
    return base64.b64encode(f"{number:05}".encode()).decode()


def blocks_of(sizes: Iterable[int]) -> dict[str, int]:
    """Return blocks of these sizes."""
    return {block_id(number): size for number, size in enumerate(sizes, 1)}
