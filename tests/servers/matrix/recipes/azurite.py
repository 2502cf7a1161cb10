"""Azurite, Microsoft's emulator of Azure Storage: store azure."""

from functools import partial

from servers.azurite import ACCOUNT, KEY, account_url, launch
from servers.blobs import BlobClient
from servers.matrix.blob_record import BlobRecord
from servers.matrix.declaration import Instance, Server, Told
from servers.matrix.process import one_process
from servers.matrix.record import Record


def record(_: Server, instance: Instance) -> Record:
    return BlobRecord(BlobClient(account_url(instance.endpoint_url), KEY))


SERVER = Server(
    name="Azurite",
    version="3.37.0",
    opened=partial(one_process, launch),
    record=record,
    access_key=ACCOUNT,
    secret_key=KEY,
    own_page=0,
    page_sizes=(1, 2, 3, 1000, 5000, None),
    engines=("azure",),
    initiated="first sight",
    folds={"backslash": "back/sl"},
    told={"controls": Told("failed", "it takes such a name, and then answers 500 for the listing")},
    habits=("one upload a name; lists committed blobs too", "its own pages, of 5,000, were not filled"),
)
