"""The rigs of Huawei OBS: its own signature with the bucket in the host name, `v2` and `v4` in the path."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import pytest
from contract.rigs import SCAN, Rig
from servers.obs import Obs
from servers.s3 import Upload, error
from servers.standin import StandIn

from exporter.config.settings import (
    BucketSettings,
    Credentials,
    ScanSettings,
    Secret,
    StoreKind,
    TargetSettings,
)
from exporter.model import StoreError
from exporter.model import Upload as ListedUpload
from exporter.stores.obs import ObsStore

BUCKET = "media"


@dataclass
class ObsRig(Rig):
    """A rig whose server can be told more than the suite asks of all."""

    obs: Obs | None = None


@contextmanager
def virtual_host(**changes: object) -> Iterator[ObsRig]:
    """Open a rig of OBS proper; a server without a host name has the bucket in the path, which means `v2`."""
    has_name = not str(changes.get("name", "")).startswith("[")
    with _open({"OBS"} if has_name else {"AWS"}, **changes) as rig:
        yield rig


@contextmanager
def path_v2(**changes: object) -> Iterator[ObsRig]:
    with _open({"AWS"}, **{"signature": "v2"} | changes) as rig:
        yield rig


@contextmanager
def path_v4(**changes: object) -> Iterator[ObsRig]:
    with _open({"AWS4-HMAC-SHA256"}, **{"signature": "v4"} | changes) as rig:
        yield rig


@contextmanager
def _open(
    signatures: set[str],
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    name: str = "localhost",
    scan: ScanSettings = SCAN,
    bucket: BucketSettings | None = None,
    **settings: object,
) -> Iterator[ObsRig]:
    bucket = bucket or BucketSettings(BUCKET)
    obs = Obs()
    obs.signatures = frozenset(signatures)
    obs.buckets[bucket.name] = []

    def fill(uploads: Sequence[Upload]) -> None:
        obs.buckets[bucket.name] = list(uploads)

    with StandIn(obs, tls=tls, host=host, name=name) as standin:
        target = TargetSettings(
            name="test",
            store=StoreKind.OBS,
            buckets=(bucket,),
            scan=scan,
            endpoint_url=standin.url,
            credentials=Credentials(
                access_key_id=Secret(obs.key.access_key_id), secret_access_key=Secret(obs.key.secret)
            ),
        )
        target = replace(target, **settings)
        rig = ObsRig(standin, obs.faults, target, bucket, ObsStore, fill, error, obs=obs)
        try:
            yield rig
        finally:
            rig.close()
    assert obs.refused == []


Opener = Callable[..., ObsRig]
SIGNATURES = {"obs": virtual_host, "v2": path_v2, "v4": path_v4}


@contextmanager
def opening() -> Iterator[Opener]:
    """Give a function that opens a rig of this signature with these settings; all are closed at the end."""
    with ExitStack() as stack:

        def open_one(signature: str = "obs", /, **changes: object) -> ObsRig:
            return stack.enter_context(SIGNATURES[signature](**changes))

        yield open_one


def list_page(rig: Rig) -> list[ListedUpload]:
    """Ask for the first page once, without the retry loop."""
    return list(rig.store.list_uploads(rig.bucket, None, time.monotonic() + 10).items)


def failure(rig: Rig) -> StoreError:
    """Ask for the first page once, which has to fail; return why."""
    with pytest.raises(StoreError) as raised:
        list_page(rig)
    return raised.value
