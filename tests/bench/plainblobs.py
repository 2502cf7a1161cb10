"""What everyone would write: azure-storage-blob, on one thread: `plainblobs.py URL CONTAINER BLOBS BLOCKS`.

Lists a container of so many blobs, then the blocks, so many, of each blob that is not committed.
"""

import sys
from pathlib import Path

from azure.storage.blob import ContainerClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.account import ACCOUNT, ACCOUNT_KEY
from bench.blobpages import Container


def main(url: str, name: str, blobs: str, blocks: str) -> None:
    """List, and size."""
    scan(client(url, name), Container(name, int(blobs), int(blocks)))


def client(url: str, name: str) -> ContainerClient:
    """Return a client as it comes."""
    return ContainerClient(f"{url}/{ACCOUNT}", name, {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY})


def scan(azure: ContainerClient, container: Container) -> None:
    """List a container and size what was found; raises AssertionError where anything was missed."""
    listed = list(azure.list_blobs(include=["uncommittedblobs"]))
    uploads = [blob.name for blob in listed if blob.etag is None and not blob.size]
    blocks = [
        block for name in uploads for block in azure.get_blob_client(name).get_block_list("uncommitted")[1]
    ]
    assert len(listed) == container.blobs
    assert (len(uploads), len(blocks), sum(block.size for block in blocks)) == container.totals


if __name__ == "__main__":
    main(*sys.argv[1:])
