"""moto's server: a mock of AWS, in memory."""

from functools import partial
from pathlib import Path

from servers.matrix.declaration import GROUPS, Server, Told
from servers.matrix.process import Launch, one_process, script


def launch(folder: Path, port: int) -> Launch:
    return Launch(
        [script("moto_server"), "-H", "127.0.0.1", "-p", str(port)], {"S3_IGNORE_SUBDOMAIN_BUCKETNAME": "1"}
    )


SERVER = Server(
    name="moto",
    version="5.2.5",
    opened=partial(one_process, launch),
    own_page=0,
    page_sizes=(2, None),
    habits=("lists all uploads in one page, whatever is asked for",),
    after_restart="forgets all",
    initiated="fixed",
    refuses=frozenset({"line feed"}),
    told=dict.fromkeys(
        [group for group in GROUPS if group not in {"empty", "many"}],
        Told("unsized", "its answer to ListParts is another document, ListPartsResponse"),
    ),
)
