"""The rig of Glacier: a vault, its uploads and their parts one after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate

from contract.rigs import SCAN, Opener, Part, Rig, standing
from contract.rigs import Upload as AnyUpload
from servers.glacier import LARGEST_PAGE, Glacier, Upload, error
from servers.standin import Reply

from exporter.config.settings import BucketSettings, StoreKind
from exporter.stores.glacier.store import GlacierStore

VAULT = "attic"
_BUCKET = BucketSettings(VAULT)
ARN = "arn:aws:glacier:eu-west-1:123456789012:vaults/"
NAMES = {
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "InternalError": "ServiceUnavailableException",
    "InvalidAccessKeyId": "UnrecognizedClientException",
    "InvalidArgument": "InvalidParameterValueException",
    "NoSuchBucket": "ResourceNotFoundException",
    "NoSuchUpload": "ResourceNotFoundException",
    "NotImplemented": "NoLongerSupportedException",
    "ServiceUnavailable": "ServiceUnavailableException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "SlowDown": "ThrottlingException",
}
"""What S3 calls a refusal and what Glacier does; a code that is not here is given as it is."""
MESSAGES = {
    "NoSuchBucket": f"Vault not found for ARN: arn:aws:glacier:us-east-1:123456789012:vaults/{VAULT}",
    "NoSuchUpload": "The upload ID was not found: u000",
}


@contextmanager
def vault(
    *, bucket: BucketSettings = _BUCKET, parts_page: int = LARGEST_PAGE, **changes: object
) -> Iterator[Rig]:
    """Open a rig; `parts_page` is how many parts the server gives at most."""
    glacier = Glacier(parts_page=parts_page)

    def fill(uploads: Sequence[AnyUpload]) -> None:
        glacier.vaults[bucket.name] = {upload.upload_id: _as_kept(upload) for upload in uploads}

    changes = {"region": "eu-west-1", "limits": ("limit", "limit"), "refusal": refusal} | changes
    with standing(glacier, StoreKind.GLACIER, GlacierStore, bucket, fill, **changes) as rig:
        yield rig
    assert glacier.changes == []


def refusal(status: int, code: str, message: str = "", **headers: str) -> Reply:
    """Return the refusal that S3 would give under this code."""
    return error(status, NAMES.get(code, code), message or MESSAGES.get(code, "No."), **headers)


def paged(open_rig: Opener, size: int | None, uploads: list[AnyUpload], **settings: object) -> Rig:
    rig = open_rig(scan=replace(SCAN, page_size=size), **settings)
    rig.fill(uploads)
    return rig


def an_upload(parts: int = 0, size: int = 10) -> AnyUpload:
    return AnyUpload("key", "u1", parts=[Part(number, size) for number in range(1, parts + 1)])


def body(content: bytes, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {"Content-Type": "application/json", **headers}, content)


def _as_kept(upload: AnyUpload) -> Upload:
    """Return the same upload as Glacier keeps it: parts in the order of their numbers, without gaps."""
    parts = sorted(upload.parts, key=lambda part: part.number)
    starts = accumulate((part.size for part in parts), initial=0)
    ranges = {start: (start + part.size - 1, "0" * 64) for start, part in zip(starts, parts, strict=False)}
    return Upload(upload.upload_id, upload.key, upload.initiated, parts=ranges)


RIGS = {"glacier": vault}
ENGINES = ["glacier"]
HAS_XML = False
