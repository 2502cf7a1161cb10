"""A Glacier of uploads in progress: pages, signatures and errors as Amazon's, faults as a test wants them.

It takes the calls of a multipart upload, from initiation to completion, and answers the listings. An archive
that is completed is forgotten.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import Any
from urllib.parse import unquote

from botocore.auth import SigV4Auth

from servers.s3 import EPOCH, PARTS, UPLOADS, Key, iso, sigv4_fault
from servers.standin import Fault, Faults, Reply, Request

VAULTS = "ListVaults"
TAGS = "ListTagsForVault"
API_VERSION = "2012-06-01"
MIB = 1024 * 1024
LARGEST_PAGE = 50
VAULTS_PAGE = 10

# by method and number of steps: /account/vaults/vault/multipart-uploads/id
_ROUTES = {
    ("GET", 2): VAULTS,
    ("GET", 4): UPLOADS,
    ("GET", 5): PARTS,
    ("POST", 4): "InitiateMultipartUpload",
    ("PUT", 5): "UploadMultipartPart",
    ("DELETE", 5): "AbortMultipartUpload",
    ("POST", 5): "CompleteMultipartUpload",
}
_UNSIGNED = {
    "AccessDenied": (403, "MissingAuthenticationTokenException"),
    "InvalidAccessKeyId": (400, "UnrecognizedClientException"),
    "InvalidToken": (400, "UnrecognizedClientException"),
    "ExpiredToken": (400, "ExpiredTokenException"),
}
"""What S3 calls it and what Glacier does; anything else is InvalidSignatureException."""
_PART_SIZES = {MIB << power for power in range(13)}

Page = dict[str, Any]


@dataclass
class Upload:
    """An upload in progress. `parts` are last byte and tree hash by first byte."""

    upload_id: str
    description: str | None = None
    initiated: float = EPOCH
    part_size: int = MIB
    parts: dict[int, tuple[int, str]] = field(default_factory=dict)


class RefusedError(Exception):
    """What is asked for is refused: status, code, message."""


def error(status: int, code: str, message: str = "No.", **headers: str) -> Reply:
    """Return an error as Glacier writes it."""
    body = {"code": code, "message": message, "type": "Server" if status >= 500 else "Client"}
    return reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer of JSON."""
    own = {"x-amzn-RequestId": "AAABZpJrTyioDC_HsOmHae8EZp_uBSJr6cnGOLKp_XJCl-Q"}
    own["Content-Type"] = "application/json"
    return Reply(status, own | dict(headers or {}), b"" if body is None else json.dumps(body).encode())


def tree_hash(hashes: Iterable[bytes]) -> bytes:
    """Return the root of the tree of these SHA-256 hashes, joined in pairs, an odd one carried over."""
    level = list(hashes)
    while len(level) > 1:
        pairs = [level[number : number + 2] for number in range(0, len(level), 2)]
        level = [sha256(b"".join(pair)).digest() if len(pair) > 1 else pair[0] for pair in pairs]
    return level[0]


def body_hash(body: bytes) -> str:
    """Return the tree hash of a part's bytes."""
    pieces = [body[start : start + MIB] for start in range(0, len(body), MIB)]
    return tree_hash(sha256(piece).digest() for piece in pieces).hex()


class Glacier:
    """The server's state and its handler: `StandIn(Glacier())`.

    `parts_page` is how many parts a page holds at most (editions of the guide say 10 and 50); `clock` dates
    uploads, and nothing else.
    """

    def __init__(self, *, parts_page: int = LARGEST_PAGE, clock: Callable[[], float] = time.time) -> None:
        """Make a server without vaults."""
        self.key = Key()
        self.account = "123456789012"
        self.vaults: dict[str, dict[str, Upload]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.faults = Faults()
        self.parts_page = parts_page
        self.clock = clock
        self.changes: list[str] = []
        """The calls that changed something, or wanted to: no exporter makes any."""
        self._made = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        try:
            operation, address = self._route(request)
        except RefusedError as refused:
            return error(*refused.args)
        faults = self.faults.next_for(operation)
        with self._lock:
            try:
                answer = self._answer(request, operation, address, faults)
            except RefusedError as refused:
                answer = error(*refused.args)
        for fault in faults:
            answer = fault.reply(answer)
        return answer

    def _route(self, request: Request) -> tuple[str, list[str]]:
        """Return the operation and account, vault and upload id, as far as the path goes."""
        steps = [unquote(step) for step in request.raw_path[1:].split("/")]
        operation = _ROUTES.get((request.method, len(steps)))
        if operation == UPLOADS and steps[3] == "tags":
            return TAGS, [steps[0], steps[2]]
        if operation is None or steps[1] != "vaults" or steps[3:4] not in ([], ["multipart-uploads"]):
            self.changes.append(f"{request.method} {request.target}")
            raise RefusedError(404, "UnknownOperationException", "There is no such operation.")
        if request.method != "GET":
            self.changes.append(operation)
        return operation, [steps[0], *steps[2:3], *steps[4:]]

    def _answer(self, request: Request, operation: str, address: list[str], faults: list[Fault]) -> Reply:
        self._authorize(request, address[0])
        for fault in faults:
            request = fault.request(request)
        if operation == VAULTS:
            return _written(self._list_vaults(request), faults)
        vault = address[1]
        if vault not in self.vaults:
            raise RefusedError(404, *_missing(f"Vault not found for ARN: {self._arn(request, vault)}"))
        if operation in {UPLOADS, TAGS}:
            tags = {"Tags": self.tags.get(vault, {})}
            return _written(tags if operation == TAGS else self._list_uploads(request, vault), faults)
        if operation == "InitiateMultipartUpload":
            return self._initiate(request, vault)
        upload = self.vaults[vault].get(address[2])
        if upload is None:
            raise RefusedError(404, *_missing(f"The upload ID was not found: {address[2]}"))
        if operation == PARTS:
            return _written(self._list_parts(request, vault, upload), faults)
        if operation == "UploadMultipartPart":
            return _store_part(request, upload)
        headers = {} if operation == "AbortMultipartUpload" else self._complete(request, vault, upload)
        del self.vaults[vault][upload.upload_id]
        return reply(None, 201 if headers else 204, headers)

    def _authorize(self, request: Request, account: str) -> None:
        if fault := sigv4_fault(request, self.key, SigV4Auth, time.time()):
            status, code = _UNSIGNED.get(fault[1], (403, "InvalidSignatureException"))
            raise RefusedError(status, code, fault[2])
        if request.headers["authorization"].split("/")[3] != "glacier":
            message = "Credential should be scoped to correct service: 'glacier'."
            raise RefusedError(403, "InvalidSignatureException", message)
        if request.headers.get("x-amz-glacier-version") != API_VERSION:
            raise RefusedError(
                400, "MissingParameterValueException", "Required parameter missing: API version"
            )
        if account not in ("-", self.account):
            raise RefusedError(403, "AccessDeniedException", "The account is not the key's own.")

    def _arn(self, request: Request, vault: str) -> str:
        region = request.headers["authorization"].split("/")[2]
        return f"arn:aws:glacier:{region}:{self.account}:vaults/{vault}"

    def _list_vaults(self, request: Request) -> Page:
        listed = {vault: {"VaultName": vault, "VaultARN": self._arn(request, vault)} for vault in self.vaults}
        return _page(request, "VaultList", listed, VAULTS_PAGE)

    def _list_uploads(self, request: Request, vault: str) -> Page:
        listed = {
            sha256(upload.upload_id.encode()).hexdigest(): self._described(request, vault, upload)
            for upload in self.vaults[vault].values()
        }  # in the order of the hashes: no order that means anything, yet one that pages
        return _page(request, "UploadsList", listed, LARGEST_PAGE)

    def _list_parts(self, request: Request, vault: str, upload: Upload) -> Page:
        listed = {
            f"{first:020}": {"RangeInBytes": f"{first}-{last}", "SHA256TreeHash": checksum}
            for first, (last, checksum) in upload.parts.items()
        }
        return self._described(request, vault, upload) | _page(request, "Parts", listed, self.parts_page)

    def _described(self, request: Request, vault: str, upload: Upload) -> Page:
        return {
            "MultipartUploadId": upload.upload_id,
            "VaultARN": self._arn(request, vault),
            "ArchiveDescription": upload.description,
            "PartSizeInBytes": upload.part_size,
            "CreationDate": iso(upload.initiated),
        }

    def _initiate(self, request: Request, vault: str) -> Reply:
        size = request.headers.get("x-amz-part-size", "")
        if not size.isdecimal() or int(size) not in _PART_SIZES:
            raise RefusedError(400, *_invalid(f"Invalid part size: {size}"))
        self._made += 1
        upload_id = base64.urlsafe_b64encode(sha512(str(self._made).encode()).digest()).decode().strip("=")
        description = request.headers.get("x-amz-archive-description") or None
        self.vaults[vault][upload_id] = Upload(upload_id, description, self.clock(), int(size))
        location = f"/{self.account}/vaults/{vault}/multipart-uploads/{upload_id}"
        return reply(None, 201, {"Location": location, "x-amz-multipart-upload-id": upload_id})

    def _complete(self, request: Request, vault: str, upload: Upload) -> dict[str, str]:
        parts = sorted((first, *rest) for first, rest in upload.parts.items())
        ends = [0, *(last + 1 for _, last, _ in parts)]
        if [first for first, _, _ in parts] != ends[:-1] or not parts:
            raise RefusedError(400, *_invalid("Parts are missing."))
        if request.headers.get("x-amz-archive-size") != str(ends[-1]):
            raise RefusedError(400, *_invalid("Archive size does not match."))
        checksum = tree_hash(bytes.fromhex(part) for _, _, part in parts).hex()
        if request.headers.get("x-amz-sha256-tree-hash") != checksum:
            raise RefusedError(400, *_invalid("Checksum mismatch."))
        archive = sha512(upload.upload_id.encode()).hexdigest()
        location = f"/{self.account}/vaults/{vault}/archives/{archive}"
        return {"Location": location, "x-amz-archive-id": archive, "x-amz-sha256-tree-hash": checksum}


def with_marker(marker: object) -> Callable[[Page], Page]:
    """Return a fault of the page: it goes on at this marker, whatever is true."""
    return lambda page: page | {"Marker": marker}


def with_ranges(*ranges: object) -> Callable[[Page], Page]:
    """Return a fault of the page: these are its parts."""
    return lambda page: page | {"Parts": [{"RangeInBytes": covered} for covered in ranges]}


def lower_cased(page: Page) -> Page:
    """Spell a page's names as another JSON dialect does."""
    return {name[0].lower() + name[1:]: value for name, value in page.items()}


def _page(request: Request, name: str, listed: dict[str, Page], most: int) -> Page:
    """Return the part of the listing, ordered by its keys, that was asked for."""
    asked = request.argument("limit", str(most))
    if not asked.isdecimal() or not 1 <= int(asked) <= LARGEST_PAGE:
        raise RefusedError(400, *_invalid(f"Invalid limit: {asked}"))
    after = ""
    if marker := request.argument("marker"):
        try:
            after = base64.b64decode(marker, b"-_", validate=True).decode()
        except ValueError:
            raise RefusedError(400, *_invalid(f"Invalid marker: {marker}")) from None
    rest = sorted(position for position in listed if position > after)
    shown = rest[: min(int(asked), most)]
    marker = base64.b64encode(shown[-1].encode(), b"-_").decode() if len(shown) < len(rest) else None
    return {name: [listed[position] for position in shown], "Marker": marker}


def _written(page: Page, faults: list[Fault]) -> Reply:
    for fault in faults:
        page = fault.page(page)
    return reply(page)


def _store_part(request: Request, upload: Upload) -> Reply:
    covered = re.fullmatch(r"bytes (\d+)-(\d+)/\*", request.headers.get("content-range", ""))
    first, last = (int(covered[1]), int(covered[2])) if covered else (0, -1)
    length = last - first + 1
    if length != len(request.body) or first % upload.part_size or not 0 < length <= upload.part_size:
        raise RefusedError(400, *_invalid("Content-Range does not fit the part."))
    checksum = body_hash(request.body)
    said = (request.headers.get("x-amz-content-sha256"), request.headers.get("x-amz-sha256-tree-hash"))
    if said != (sha256(request.body).hexdigest(), checksum):
        raise RefusedError(400, *_invalid("Checksum mismatch."))
    upload.parts[first] = (last, checksum)
    return reply(None, 204, {"x-amz-sha256-tree-hash": checksum})


def _missing(message: str) -> tuple[str, str]:
    return "ResourceNotFoundException", message


def _invalid(message: str) -> tuple[str, str]:
    return "InvalidParameterValueException", message
