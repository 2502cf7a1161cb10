"""What everyone would write: plain boto3, its paginators, its threads."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import boto3
from bench.account import KEYS, REGION, Keys
from bench.pages import Bucket, Names
from botocore.config import Config
from mypy_boto3_s3 import S3Client


def client(url: str, threads: int = 1, keys: Keys = KEYS) -> S3Client:
    """Return a client as it comes, with a connection for each thread."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(s3={"addressing_style": "path"}, proxies={}, max_pool_connections=threads),
    )


def list_uploads(s3: S3Client, bucket: Bucket) -> list[Names]:
    """List all uploads; raises AssertionError where one was missed."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket.name)
    found = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page["Uploads"]]
    assert len(found) == bucket.uploads
    return found


def scan(s3: S3Client, bucket: Bucket, threads: int = 1) -> None:
    """List a bucket and size what was found."""
    size(s3, bucket, list_uploads(s3, bucket), threads)


def size(s3: S3Client, bucket: Bucket, uploads: Iterable[Names], threads: int = 1) -> None:
    """List the parts of these uploads; raises AssertionError where one was missed."""
    paginator = s3.get_paginator("list_parts")

    def bytes_of(upload: Names) -> int:
        key, upload_id = upload
        pages = paginator.paginate(Bucket=bucket.name, Key=key, UploadId=upload_id)
        return sum(part["Size"] for page in pages for part in page["Parts"])

    if threads == 1:  # on this thread: a pool of one would cost more
        sizes = set(map(bytes_of, uploads))
    else:
        with ThreadPoolExecutor(threads) as pool:
            sizes = set(pool.map(bytes_of, uploads))
    assert sizes == {bucket.parts * bucket.part_bytes}
