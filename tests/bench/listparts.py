"""What one ListParts call costs us, against a plain boto3 paginator, on a server with one canned answer."""

import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from bench.turns import take_turns
from botocore.config import Config
from fakes import Recorder

from exporter.config.settings import BucketSettings, Credentials, Secret, StoreKind, TargetSettings
from exporter.model import Upload
from exporter.stores.s3 import S3Store
from exporter.stores.transport import Transport

CALLS = 300
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_PART = (
    "<Part><PartNumber>{}</PartNumber><LastModified>2026-01-01T00:01:00.000Z</LastModified>"
    "<ETag>&quot;7778aef83f66abc1fa1e8477f296d394&quot;</ETag><Size>8388608</Size></Part>"
)
_BODY = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Bucket>media</Bucket><Key>video.mp4</Key><UploadId>1</UploadId><StorageClass>STANDARD</StorageClass>"
    "<PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker>"
    "<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>"
    + "".join(_PART.format(number) for number in (1, 2, 3))
    + "</ListPartsResult>"
).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


def listparts_cpu() -> dict[str, object]:
    """Compare the CPU per call, one call at a time; for information, there is no limit."""
    with _canned_server() as url:
        target = TargetSettings(
            name="bench",
            store=StoreKind.S3,
            buckets=(BucketSettings("media"),),
            region="us-east-1",
            endpoint_url=url,
            addressing_style="path",
            credentials=Credentials(access_key_id=Secret(KEY), secret_access_key=Secret(SECRET)),
        )
        store = S3Store(target, Transport(Recorder(), threading.Event(), tls=target.tls, proxy_url=None))
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )
        upload = Upload("video.mp4", "1")

        def ours() -> int:
            bucket, deadline = target.buckets[0], time.monotonic() + 60
            pages = (store.list_parts(bucket, upload, None, deadline) for _ in range(CALLS))
            return sum(part.size or 0 for page in pages for part in page.items)

        def baseline() -> int:
            paginator = client.get_paginator("list_parts")
            return sum(
                part["Size"]
                for _ in range(CALLS)
                for page in paginator.paginate(Bucket="media", Key=upload.key, UploadId=upload.upload_id)
                for part in page["Parts"]
            )

        if ours() != baseline():
            raise AssertionError("the two do not do the same")
        times = take_turns(ours, baseline, rounds=5)
        store.close()
        client.close()
    per_call = {name: round(float(str(times[name])) / CALLS, 3) for name in ("ours_ms", "baseline_ms")}
    return {**times, **per_call, "calls": CALLS, "parts": 3}


@contextmanager
def _canned_server() -> Iterator[str]:
    """Run the server in a process of its own: its CPU is not ours."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = multiprocessing.get_context("fork").Process(
            target=_answer_all, args=(listener,), daemon=True
        )
        server.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.kill()
            server.join()


def _answer_all(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection,), daemon=True).start()


def _converse(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(65536):
        if data.endswith(b"\r\n\r\n"):
            connection.sendall(_ANSWER)
