"""The rig of Azure Blob Storage: a container whose blobs, of uncommitted blocks, are its uploads."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from contract.rigs import Opener, Rig, standing
from contract.rigs import Upload as AnyUpload
from servers.azure import Azure, Blob, blocks_of, error

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind
from exporter.stores.azure.store import AzureStore

CONTAINER = "media"
_BUCKET = BucketSettings(CONTAINER)


@contextmanager
def container(
    *, bucket: BucketSettings = _BUCKET, emulator: bool = False, **changes: object
) -> Iterator[Rig]:
    azure = Azure(emulator=emulator)

    def fill(uploads: Collection[AnyUpload]) -> None:
        azure.containers[bucket.name] = {upload.key: _as_kept(upload) for upload in uploads}

    settings = {
        "account": azure.key.access_key_id,
        "credentials": Credentials(account_key=Secret(azure.key.secret)),
        "limits": ("maxresults", "maxresults"),
        "refusal": error,
    }
    with standing(azure, StoreKind.AZURE, AzureStore, bucket, fill, **settings | changes) as rig:
        yield rig
    assert azure.changes == []


def _as_kept(upload: AnyUpload) -> Blob:
    """Return the same upload as Azure keeps it."""
    sizes = [part.size for part in sorted(upload.parts, key=lambda part: part.number)]
    return Blob(upload.key, blocks_of(sizes), tier=upload.storage_class)


RIGS: dict[str, Opener] = {}
ENGINES: list[str] = []
HAS_XML = False
