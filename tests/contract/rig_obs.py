"""The rigs of Huawei OBS: its own signature with the bucket in the host name, `v2` and `v4` in the path."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from contract.rigs import Rig, standing
from servers.obs import Obs

from exporter.config.settings import BucketSettings, StoreKind
from exporter.model.uploads import Upload
from exporter.stores.obs.store import ObsStore

BUCKET = "media"
_BUCKET = BucketSettings(BUCKET)


@contextmanager
def virtual_host(**changes: object) -> Iterator[Rig]:
    """Open a rig of OBS proper; a server without a host name has the bucket in the path, which means `v2`."""
    has_name = not str(changes.get("name", "")).startswith("[")
    with _open({"OBS"} if has_name else {"AWS"}, **changes) as rig:
        yield rig


@contextmanager
def path_v2(**changes: object) -> Iterator[Rig]:
    with _open({"AWS"}, **{"signature": "v2"} | changes) as rig:
        yield rig


@contextmanager
def path_v4(**changes: object) -> Iterator[Rig]:
    with _open({"AWS4-HMAC-SHA256"}, **{"signature": "v4"} | changes) as rig:
        yield rig


@contextmanager
def _open(signatures: set[str], *, bucket: BucketSettings = _BUCKET, **changes: object) -> Iterator[Rig]:
    obs = Obs()
    obs.signatures = frozenset(signatures)
    with standing(obs, StoreKind.OBS, ObsStore, bucket, **changes) as rig:
        yield rig
    assert obs.refused == []


RIGS = {"obs-virtual": virtual_host, "obs-v2": path_v2, "obs-v4": path_v4}
ENGINES = ["obs-virtual"]
HAS_XML = True
SIGNATURES = {"obs": virtual_host, "v2": path_v2, "v4": path_v4}


def list_page(rig: Rig) -> list[Upload]:
    """Return the first page of uploads, asked for once."""
    with closing(rig.pages(retries=0)) as pages:
        return list(next(pages))
