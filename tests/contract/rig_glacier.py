"""The rig of Glacier: a vault, its uploads and their parts one after the other."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate

import pytest
from contract.rigs import SCAN, Part, Rig
from contract.rigs import Upload as AnyUpload
from servers.glacier import LARGEST_PAGE, Glacier, Upload, error
from servers.standin import Reply, StandIn

from exporter.config.settings import (
    BucketSettings,
    Credentials,
    ScanSettings,
    Secret,
    StoreKind,
    TargetSettings,
)
from exporter.model import StoreError
from exporter.stores.glacier import GlacierStore

VAULT = "attic"
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


Opener = Callable[..., "GlacierRig"]


@dataclass
class GlacierRig(Rig):
    """A rig whose server can be told more than the suite asks of all."""

    glacier: Glacier | None = None


@contextmanager
def vault(
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    name: str = "localhost",
    scan: ScanSettings = SCAN,
    bucket: BucketSettings | None = None,
    parts_page: int = LARGEST_PAGE,
    **settings: object,
) -> Iterator[GlacierRig]:
    """Open a rig; `parts_page` is how many parts the server gives at most."""
    bucket = bucket or BucketSettings(VAULT)
    glacier = Glacier(parts_page=parts_page)
    glacier.vaults[bucket.name] = {}

    def fill(uploads: Sequence[AnyUpload]) -> None:
        glacier.vaults[bucket.name] = {upload.upload_id: _as_kept(upload) for upload in uploads}

    with StandIn(glacier, tls=tls, host=host, name=name) as standin:
        key = glacier.key
        target = TargetSettings(
            name="test",
            store=StoreKind.GLACIER,
            buckets=(bucket,),
            scan=scan,
            region="eu-west-1",
            endpoint_url=standin.url,
            credentials=Credentials(
                access_key_id=Secret(key.access_key_id), secret_access_key=Secret(key.secret)
            ),
        )
        target = replace(target, **settings)
        limits = ("limit", "limit")
        rig = GlacierRig(
            standin, glacier.faults, target, bucket, GlacierStore, fill, refusal, limits, glacier=glacier
        )
        try:
            yield rig
        finally:
            rig.close()
    assert glacier.changes == []


def refusal(status: int, code: str, message: str = "", **headers: str) -> Reply:
    """Return the refusal that S3 would give under this code."""
    return error(status, NAMES.get(code, code), message or MESSAGES.get(code, "No."), **headers)


def paged(open_rig: Opener, size: int | None, uploads: list[AnyUpload], **settings: object) -> GlacierRig:
    rig = open_rig(scan=replace(SCAN, page_size=size), **settings)
    rig.fill(uploads)
    return rig


def an_upload(parts: int = 0, size: int = 10) -> AnyUpload:
    return AnyUpload("key", "u1", parts=[Part(number, size) for number in range(1, parts + 1)])


def body(content: bytes, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {"Content-Type": "application/json", **headers}, content)


def failure(ask: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        ask()
    return caught.value


def _as_kept(upload: AnyUpload) -> Upload:
    """Return the same upload as Glacier keeps it: parts in the order of their numbers, without gaps."""
    parts = sorted(upload.parts, key=lambda part: part.number)
    starts = accumulate((part.size for part in parts), initial=0)
    ranges = {start: (start + part.size - 1, "0" * 64) for start, part in zip(starts, parts, strict=False)}
    return Upload(upload.upload_id, upload.key, upload.initiated, parts=ranges)
