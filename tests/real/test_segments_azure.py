"""Containers listed in segments, on Azurite and as Azure lists: blobs come and go at the joins."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from fakes import Recorder
from servers.azure import Azure
from servers.blobs import BlobClient
from servers.meanwhile import meanwhile
from servers.standin import StandIn

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.uploads import CountedUpload
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.azure.store import AzureStore
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from servers.azurite import Azurite

PAGE = 7
FOLDERS = ("a", "b 2", "\U0001f600", "\uff21")
NAMES = [f"{folder}/ü&<{number:03}" for folder in FOLDERS for number in range(20)]
UPLOADS = NAMES[::5]
CONTAINER = "segments"


def scans_of(client: BlobClient, url: str, parts: str) -> tuple[Scanner, Recorder]:
    stop, traffic = threading.Event(), Recorder()
    target = TargetSettings(
        name="t",
        store=StoreKind.AZURE,
        buckets=(),
        account=client.account,
        endpoint_url=url,
        scan=ScanSettings(page_size=PAGE, parts=parts),
        credentials=Credentials(account_key=Secret(client.key)),
    )
    store = AzureStore(target, Transport(traffic, stop))
    return Scanner(StoreClient(store, target.scan, stop), (3600.0,)), traffic


def churning(client: BlobClient, container: str, ledger: Ledger) -> AbstractContextManager[None]:
    """Begin, commit and delete blobs where the listing is cut: on both sides, and in pages' gaps."""

    def churn(number: int) -> None:
        keys = ledger.boundaries.keys
        name = f"{keys[number % len(keys)]}{('!', '/churn', '-')[number % 3]}{number}"
        client.put(container, name, 1, 1)
        if number % 2:
            client.commit(container, name, [1])
            client.delete(container, name)
        else:
            client.clear(container, name)

    return meanwhile(churn)


def check(client: BlobClient, url: str, container: str, parts: str) -> None:
    """Have a container scanned again and again, in segments: each steady upload counts once in every scan."""
    for name in NAMES:
        client.put(container, name, 1, 3)
        if name not in UPLOADS:
            client.commit(container, name, [1])
    made, traffic = scans_of(client, url, parts)
    ledger, counted = Ledger(), list[CountedUpload]()

    def pages() -> int:
        return traffic.requests["ListBlobs"]

    def scan() -> Counter[str]:
        def new_observers():
            counted.clear()
            return [counted.append]

        result = made.scan(BucketSettings(container), ledger, new_observers)
        assert result.notices == ()
        return Counter(each.upload.key for each in counted)

    assert scan() == Counter(UPLOADS)
    in_one_stream = pages()
    assert scan() == Counter(UPLOADS)
    assert 0 < pages() - 2 * in_one_stream < 8  # one page more for each segment but one
    with churning(client, container, ledger):
        for _ in range(5):
            names = scan()
            assert {name: names[name] for name in UPLOADS} == dict.fromkeys(UPLOADS, 1)
    assert scan() == Counter(UPLOADS)
    for name in NAMES[3::5]:  # of some, a marker is kept
        client.delete(container, name)
    assert scan() == Counter(UPLOADS)


@contextmanager
def as_azure() -> Iterator[tuple[BlobClient, str]]:
    """Serve an account whose markers are as Azure's; its container is empty."""
    azure = Azure()
    with StandIn(azure) as server:
        url = f"{server.url}/{azure.key.access_key_id}"
        with closing(BlobClient(url, azure.key.secret)) as client:
            client.create(CONTAINER)
            yield client, url


def test_exact_before_azurite(azurite: Azurite):
    check(azurite.client, azurite.account_url, azurite.container(), "remembered")


@pytest.mark.parametrize("parts", ["never", "remembered"])
def test_exact_as_azure_lists(parts: str):
    with as_azure() as (client, url):
        check(client, url, CONTAINER, parts)


def test_a_marker_that_azure_takes_no_more_is_told_and_the_container_listed_in_one_stream():
    with as_azure() as (client, url):
        for name in NAMES:
            client.put(CONTAINER, name, 1, 3)
        made, _ = scans_of(client, url, "never")
        ledger = Ledger()
        made.scan(BucketSettings(CONTAINER), ledger)
        old = [start._replace(marker=("1!older",)) for start in ledger.boundaries.starts]
        ledger.boundaries = ledger.boundaries._replace(starts=tuple(old))
        result = made.scan(BucketSettings(CONTAINER), ledger)
    told = "the page after a key is refused: the bucket is listed in one stream for a day"
    assert (result.summary.uploads, result.notices) == (len(NAMES), (told,))
