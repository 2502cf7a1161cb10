"""rclone's `serve s3`, on a folder."""

from functools import partial
from pathlib import Path

from servers.matrix.declaration import Server
from servers.matrix.process import Launch, one_process, script

ACCESS_KEY, SECRET_KEY = "rcloneaccesskey00001", "rclone-secret-key-0001"


def launch(folder: Path, port: int) -> Launch:
    data = folder / "data"
    data.mkdir()
    command = [
        *(script("rclone"), "serve", "s3", f"--addr=127.0.0.1:{port}", f"--config={folder}/none"),
        *(f"--cache-dir={folder}/cache", f"--auth-key={ACCESS_KEY},{SECRET_KEY}", str(data)),
    ]
    return Launch(command)


SERVER = Server(
    name="rclone serve s3",
    version="1.75.2",
    opened=partial(one_process, launch),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    own_page=0,
    habits=("takes 1,000 uploads at most",),
    after_restart="forgets uploads",
    refuses=frozenset(
        {"another size for a part", "double slash", "leading slash", "dot segment", "dot-dot segment"}
    ),
    folds={"trailing slash": "trail"},
)
