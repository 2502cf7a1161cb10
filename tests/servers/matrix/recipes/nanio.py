"""nanio: buckets are folders, objects are files."""

from functools import partial
from pathlib import Path

from servers.matrix.declaration import Server
from servers.matrix.process import Launch, one_process, script

ACCESS_KEY, SECRET_KEY = "nanioaccesskey000001", "nanio-secret-key-0001"


def launch(folder: Path, port: int) -> Launch:
    command = [
        *(script("nanio"), "serve", "--host=127.0.0.1", f"--port={port}", f"--data-dir={folder}/data"),
        *("--no-access-log", "--log-level=warning"),
    ]
    return Launch(command, {"NANIO_ACCESS_KEY": ACCESS_KEY, "NANIO_SECRET_KEY": SECRET_KEY})


SERVER = Server(
    name="nanio",
    version="0.1.7",
    opened=partial(one_process, launch),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    own_page=0,
    page_sizes=(2, None),
    habits=("lists all uploads in one page, whatever is asked for",),
    refuses=frozenset({"percent", "tab", "line feed", "carriage return"}),
)
