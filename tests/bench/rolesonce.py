"""A process of plain boto3 clients, one per role, each listing its bucket: `rolesonce.py URL BUCKET ...`.

`AWS_ENDPOINT_URL_STS` says where roles are to be had. Prints the most memory it had, in MiB.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import boto3
from bench import plain
from bench.account import REGION
from bench.pages import Bucket
from bench.procfs import memory_mib
from mypy_boto3_s3 import S3Client

ROLE = "arn:aws:iam::123456789012:role/{}"


def main(url: str, *buckets: str) -> None:
    """Take the roles, make the clients, keep them, and print."""
    clients = [taken(url, bucket) for bucket in buckets]
    for client, bucket in zip(clients, buckets, strict=True):
        plain.list_uploads(client, Bucket(bucket, 1))
    json.dump({"mib": memory_mib("self")}, sys.stdout)


def taken(url: str, bucket: str) -> S3Client:
    """Return a client that signs as the bucket's role, as every guide shows it."""
    keys = {"aws_access_key_id": f"key-{bucket}", "aws_secret_access_key": f"secret-{bucket}"}
    sts = boto3.client("sts", region_name=REGION, **keys)
    session = sts.assume_role(RoleArn=ROLE.format(bucket), RoleSessionName="bench")["Credentials"]
    return plain.client(url, keys=(session["AccessKeyId"], session["SecretAccessKey"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
