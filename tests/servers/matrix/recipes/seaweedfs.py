"""SeaweedFS: master, volume server, filer and S3 gateway in one process."""

import json
from functools import partial
from pathlib import Path

from servers import free_port
from servers.matrix.declaration import Server, Told
from servers.matrix.process import Launch, one_process, script

ACCESS_KEY, SECRET_KEY = "seaweedaccesskey0001", "seaweed-secret-key-0001"
PARTS = ("master", "volume", "filer", "s3")


def launch(folder: Path, port: int) -> Launch:
    data, config = folder / "data", folder / "s3.json"
    data.mkdir()
    key = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
    config.write_text(json.dumps({"identities": [{"name": "a", "credentials": [key], "actions": ["Admin"]}]}))
    ports = {
        f"-{each}": str(free_port())
        for each in [*(f"{part}.port.grpc" for part in PARTS), "master.port", "volume.port", "filer.port"]
    }
    command = [
        *(script("weed"), "-v=0", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=1000", "-filer", "-s3", "-master.telemetry=false"),
        *("-master.electionTimeout=1s", "-master.resumeState=false", "-volume.preStopSeconds=0"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"),
        *("-s3.iam=false", f"-s3.port={port}", f"-s3.config={config}"),
        *(f"{name}={value}" for name, value in ports.items()),
    ]
    sockets = [f"/tmp/seaweedfs-{part}-grpc-{ports[f'-{part}.port.grpc']}.sock" for part in PARTS]
    return Launch(command, leaves=[Path(each) for each in sockets])


SERVER = Server(
    name="SeaweedFS",
    version="4.48",
    opened=partial(one_process, launch),
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    own_page=10_000,
    refuses=frozenset({"dot segment", "dot-dot segment"}),
    folds={
        "double slash": "dbl/slash",
        "leading slash": "lead",
        "backslash": "back/sl",
        "U+0001": "ctl\ufffdx",
    },
    beyond={
        ("re-sent part", 1): "where a page ends at such a part, one of its versions is listed, whichever"
    },
    told={"controls": Told("unsized", "it lists them with U+FFFD, and does not know that key")},
)
