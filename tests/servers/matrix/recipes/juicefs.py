"""The gateway of JuiceFS, on SQLite and a folder."""

import subprocess
from functools import partial
from pathlib import Path

from servers.matrix.declaration import Server
from servers.matrix.process import Launch, one_process, script

ACCESS_KEY, SECRET_KEY = "juicefsaccesskey0001", "juicefs-secret-key-0001"


def launch(folder: Path, port: int) -> Launch:
    program, meta = script("juicefs"), f"sqlite3://{folder}/meta.db"
    form = [program, "format", "--storage=file", f"--bucket={folder}/data/", "--trash-days=0", meta, "matrix"]
    subprocess.run(form, check=True, capture_output=True, timeout=60, env={"HOME": str(folder)})
    command = [
        *(program, "gateway", "--no-usage-report", "--no-banner", "--multi-buckets", "--backup-meta=0"),
        *(f"--log={folder}/gateway.log", f"--cache-dir={folder}/cache", meta, f"127.0.0.1:{port}"),
    ]
    users = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "HOME": str(folder)}
    return Launch(command, users)


SERVER = Server(
    name="JuiceFS gateway",
    version="1.4.2",
    opened=partial(one_process, launch),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    refuses=frozenset({"dot segment", "dot-dot segment"}),
    folds={"leading slash": "lead", "U+0001": "ctl\ufffdx"},
)
