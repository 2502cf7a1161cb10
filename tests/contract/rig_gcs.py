"""The rigs of Google Cloud Storage: with a token, and signed by an HMAC key."""

from collections.abc import Iterator
from contextlib import contextmanager

from contract.rigs import Rig, standing
from servers.gcs import PROJECT, TOKEN, Gcs, refusal

from exporter.config.credentials import Credentials
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.stores.gcs.store import GcsStore
from exporter.stores.gcs.token import Token
from exporter.stores.transport.client import Transport

_BUCKET = BucketSettings("media")


class GivenToken:
    """Credentials whose token a test says; `doubted` are those that the store refused."""

    project = ""

    def __init__(self) -> None:
        self.text = TOKEN
        self.doubted: list[str] = []

    def token(self, _deadline: float) -> Token:
        return Token(self.text)

    def doubt(self, refused: Token) -> None:
        self.doubted.append(refused.text)


@contextmanager
def with_token(**changes: object) -> Iterator[Rig]:
    given = GivenToken()

    def make_store(target: TargetSettings, transport: Transport) -> GcsStore:
        return GcsStore(target, transport, credentials=given)

    with _open(make_store, **{"credentials": Credentials()} | changes) as rig:
        rig.server.given = given
        yield rig


@contextmanager
def by_hmac(**changes: object) -> Iterator[Rig]:
    with _open(GcsStore, **changes) as rig:
        yield rig


@contextmanager
def _open(make_store: object, *, bucket: BucketSettings = _BUCKET, **changes: object) -> Iterator[Rig]:
    gcs = Gcs()
    with standing(
        gcs, StoreKind.GCS, make_store, bucket, **{"refusal": refusal, "project": PROJECT} | changes
    ) as rig:
        yield rig
    assert gcs.refused == []


RIGS = {"gcs": with_token}
ENGINES = ["gcs"]
HAS_XML = True
