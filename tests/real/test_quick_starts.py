"""The quick starts of docs/configuration.md, each as it stands with its store, or what stands in for it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from docs.documents import GUIDE, files
from servers.azure import ACCOUNT, Azure, Blob, blocks_of
from servers.ceph import MPU, Ceph
from servers.gcs import Gcs
from servers.glacier import Glacier
from servers.glacier import Upload as Archive
from servers.google import Identities
from servers.obs import Obs
from servers.s3 import S3, Key, Part, Upload
from servers.standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

SECTION = GUIDE["configuration"].partition("\n## Quick starts\n")[2].partition("\n## ")[0]
AMAZON, COMPATIBLE, GOOGLE, AZURE, OBS, GLACIER = files(SECTION, "config.yaml")
KEYS = {"AWS_ACCESS_KEY_ID": Key.access_key_id, "AWS_SECRET_ACCESS_KEY": Key.secret}
UPLOADS = [Upload("film", "1", parts=[Part(1, 100), Part(2, 11)])]


def scan(text: str, home: Path, *, told: str = "", **environ: str) -> dict[str, tuple[int, int]]:
    """Return the uploads of each bucket, and their bytes, as `scan` finds them for this config.

    It tells nothing beside but one line that begins with `told`, if that.
    """
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "scan", "--config.file=-", "--format=json"],
        input=text,
        env={"HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == bool(told)
    assert done.stderr.startswith(told)
    buckets = json.loads(done.stdout)["buckets"]
    return {each["bucket"]: (each["values"]["uploads"], each["values"]["bytes"]) for each in buckets}


@pytest.mark.parametrize("text", [AMAZON, COMPATIBLE, GOOGLE, AZURE, OBS, GLACIER])
def test_each_has_at_most_eight_lines(text: str):
    assert len(text.splitlines()) <= 8


def test_amazon_s3(tmp_path: Path):
    server = S3()
    server.buckets |= {"media": UPLOADS, "backups": []}
    with StandIn(server) as standin:
        found = scan(AMAZON, tmp_path, AWS_ENDPOINT_URL_S3=standin.url, **KEYS)
    assert found == {"media": (1, 111), "backups": (0, 0)}


def test_an_s3_compatible_store(ceph: Ceph, ceph_bucket: str, tmp_path: Path):
    """The bucket is one of those that the tests share with this gateway, so that its name is another."""
    client = ceph.client()
    upload_id = client.create_multipart_upload(Bucket=ceph_bucket, Key="film")["UploadId"]
    client.upload_part(Bucket=ceph_bucket, Key="film", UploadId=upload_id, PartNumber=1, Body=b"x" * 111)
    url = yaml.safe_load(COMPATIBLE)["targets"][0]["endpoint_url"]
    text = COMPATIBLE.replace(url, ceph.endpoint_url).replace("registry", ceph_bucket)
    found = scan(text, tmp_path, CEPH_KEY=MPU.access_key, CEPH_SECRET=MPU.secret_key)
    assert found == {ceph_bucket: (1, 111)}


def test_google_cloud_storage(tmp_path: Path):
    server = Gcs()
    server.tokens, server.buckets["media"] = {"ya29.issued-1"}, UPLOADS
    with StandIn(server) as standin, StandIn(Identities()) as metadata:
        text = f"{GOOGLE.rstrip()}\n    endpoint_url: {standin.url}\n"
        found = scan(text, tmp_path, GCE_METADATA_HOST=f"127.0.0.1:{metadata.port}")
    assert found == {"media": (1, 111)}


def test_azure_blob_storage(tmp_path: Path):
    server = Azure()
    server.containers["media"] = {"film": Blob("film", blocks_of([100, 11])), "done": Blob("done", length=5)}
    with StandIn(server) as standin:
        fields = {
            "AccountName": ACCOUNT,
            "AccountKey": server.key.secret,
            "BlobEndpoint": f"{standin.url}/{ACCOUNT}",
        }
        written = ";".join(f"{name}={value}" for name, value in fields.items())
        no_dates = "azure/media: the store does not tell when uploads were initiated"
        found = scan(AZURE, tmp_path, told=no_dates, AZURE_STORAGE_CONNECTION_STRING=written)
    assert found == {"media": (1, 111)}


def test_huawei_obs(tmp_path: Path):
    server = Obs()
    server.buckets["media-eu"] = UPLOADS
    url = yaml.safe_load(OBS)["targets"][0]["endpoint_url"]
    with StandIn(server) as standin:
        text = OBS.replace(url, standin.url)
        found = scan(text, tmp_path, OBS_KEY=Key.access_key_id, OBS_SECRET=Key.secret)
    assert found == {"media-eu": (1, 111)}


def test_amazon_glacier(tmp_path: Path):
    server = Glacier()
    server.vaults["tapes"] = {"1": Archive("1", parts={0: (1024 * 1024 - 1, "0" * 64)})}
    with StandIn(server) as standin:
        found = scan(GLACIER, tmp_path, AWS_ENDPOINT_URL_GLACIER=standin.url, **KEYS)
    assert found == {"tapes": (1, 1024 * 1024)}
