"""A process of plain boto3 clients, one per bucket, each listing it once: `plainonce.py URL BUCKET ...`.

Prints the most memory it had, in MiB.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import plain
from bench.pages import Bucket
from bench.procfs import memory_mib


def main(url: str, *buckets: str) -> None:
    """Make the clients, keep them, and print."""
    clients = [plain.client(url, keys=(bucket, bucket)) for bucket in buckets]
    for client, bucket in zip(clients, buckets, strict=True):
        plain.list_uploads(client, Bucket(bucket, 1))
    json.dump({"mib": memory_mib("self")}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
