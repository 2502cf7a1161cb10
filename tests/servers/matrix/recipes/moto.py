"""moto's server: a mock of AWS, in memory."""

from functools import partial
from pathlib import Path

from servers.matrix.declaration import KEYS, Server, Told
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
    after_restart="forgets all",
    initiated="fixed",
    refuses=frozenset({"line feed"}),
    told=dict.fromkeys(
        (*KEYS, "plain", "re-sent part", "prefix", "churn", "restart"),
        Told("unsized", "answers ListParts with another document, ListPartsResponse"),
    ),
)
