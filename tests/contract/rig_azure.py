"""The rig of Azure Blob Storage: a container whose blobs, of uncommitted blocks, are its uploads.

A name is an upload, so that two uploads of one name cannot be set; they have no ids.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from contract.rigs import PARTS, UPLOADS, Rig, standing
from contract.rigs import Upload as AnyUpload
from fakes import Recorder
from servers.azure import Azure, Blob, blocks_of, error
from servers.standin import Reply

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind
from exporter.model.errors import Reason
from exporter.stores.azure.store import AzureStore

CONTAINER = "media"
_BUCKET = BucketSettings(CONTAINER)
_CALLS = {"ListBlobs": UPLOADS, "GetBlockList": PARTS}
NAMES = {
    "AccessDenied": "AuthorizationPermissionMismatch",
    "AuthorizationHeaderMalformed": "InvalidAuthenticationInfo",
    "ExpiredToken": "AuthenticationFailed",
    "InvalidAccessKeyId": "AuthenticationFailed",
    "InvalidArgument": "InvalidQueryParameterValue",
    "InvalidBucketName": "InvalidResourceName",
    "InvalidToken": "AuthenticationFailed",
    "NoSuchBucket": "ContainerNotFound",
    "NoSuchUpload": "BlobNotFound",
    "RequestTimeout": "OperationTimedOut",
    "RequestTimeTooSkewed": "AuthenticationFailed",
    "ServiceUnavailable": "InternalError",
    "SignatureDoesNotMatch": "AuthenticationFailed",
    "SlowDown": "ServerBusy",
}
"""What S3 calls a refusal and what Azure does; a code that is not here is given as it is."""

OTHER_KEY = "The MAC signature found in the HTTP request 'c2ln' is not the same as any computed signature."


class AlikeRecorder(Recorder):
    """Keeps what is reported of pages under the names that other stores have for these calls."""

    def sent(self, operation: str, requests: int = 1) -> None:
        super().sent(_CALLS.get(operation, operation), requests)

    def failed(self, operation: str, reason: Reason) -> None:
        super().failed(_CALLS.get(operation, operation), reason)


@contextmanager
def container(
    *, bucket: BucketSettings = _BUCKET, emulator: bool = False, **changes: object
) -> Iterator[Rig]:
    azure = Azure(emulator=emulator)
    ids: dict[str, str] = {}

    def fill(uploads: Collection[AnyUpload]) -> None:
        azure.containers[bucket.name] = {upload.key: _as_kept(upload) for upload in uploads}
        ids.clear()
        ids.update((upload.key, upload.upload_id) for upload in uploads)

    settings = {
        "account": azure.key.access_key_id,
        "credentials": Credentials(account_key=Secret(azure.key.secret)),
        "limits": ("maxresults", "maxresults"),
        "refusal": refusal,
        "traffic": AlikeRecorder(),
    }
    with standing(azure, StoreKind.AZURE, AzureStore, bucket, fill, **settings | changes) as rig:
        rig.id_of = lambda listed: ids[listed.key]
        rig.is_of_blocks = True
        yield rig
    assert azure.changes == []


def refusal(status: int, code: str, message: str = "No.", **headers: str) -> Reply:
    """Return the refusal that S3 would give under this code."""
    detail = OTHER_KEY if code == "SignatureDoesNotMatch" else ""
    return error(status, NAMES.get(code, code), message, detail=detail, **headers)


def _as_kept(upload: AnyUpload) -> Blob:
    """Return the same upload as Azure keeps it."""
    sizes = [part.size for part in sorted(upload.parts, key=lambda part: part.number)]
    return Blob(upload.key, blocks_of(sizes), tier=upload.storage_class)


RIGS = {"azure": container}
ENGINES = ["azure"]
HAS_XML = False
