"""A process of plain boto3, on one thread: `plainscan.py URL BUCKET UPLOADS PARTS`.

Lists a bucket of so many uploads, then each upload's parts, so many, unless PARTS is 0.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import plain
from bench.pages import Bucket


def main(url: str, name: str, uploads: str, parts: str) -> None:
    """List, and size."""
    bucket, s3 = Bucket(name, int(uploads), int(parts)), plain.client(url)
    (plain.scan if bucket.parts else plain.list_uploads)(s3, bucket)


if __name__ == "__main__":
    main(*sys.argv[1:])
