"""The Glacier stand-in is what it stands for: Amazon's own client drives it, and misuse is refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from itertools import chain
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import calculate_tree_hash
from servers.glacier import API_VERSION, MIB, Glacier
from servers.s3 import EPOCH, iso
from servers.standin import StandIn

ARCHIVE = os.urandom(2 * MIB + 100)


@pytest.fixture
def glacier() -> Glacier:
    server = Glacier(clock=lambda: EPOCH)
    server.vaults["attic"] = {}
    return server


@pytest.fixture
def standin(glacier: Glacier) -> Iterator[StandIn]:
    with StandIn(glacier) as server:
        yield server


@pytest.fixture
def client(glacier: Glacier, standin: StandIn) -> Iterator[Any]:
    with connected(standin, glacier.key.access_key_id, glacier.key.secret) as made:
        yield made


@contextmanager
def connected(standin: StandIn, access_key_id: str, secret: str, token: str | None = None) -> Iterator[Any]:
    made = boto3.client(
        "glacier",
        "eu-west-1",
        endpoint_url=standin.url,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield made
    finally:
        made.close()


def initiate(client: Any, size: int = 2 * MIB, **fields: str) -> dict[str, str]:
    made = client.initiate_multipart_upload(vaultName="attic", partSize=str(size), **fields)
    return {"vaultName": "attic", "uploadId": made["uploadId"]}


def send(client: Any, upload: dict[str, str], first: int, content: bytes) -> dict[str, Any]:
    covered = f"bytes {first}-{first + len(content) - 1}/*"
    return client.upload_multipart_part(**upload, range=covered, body=content)


@contextmanager
def refused(status: int, code: str) -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, code)


def test_an_upload_lives_from_its_initiation_to_its_completion(client: Any, glacier: Glacier):
    upload = initiate(client, archiveDescription="dump.tar")
    listed = client.list_multipart_uploads(vaultName="attic")
    arn = "arn:aws:glacier:eu-west-1:123456789012:vaults/attic"
    described = {
        "MultipartUploadId": upload["uploadId"],
        "VaultARN": arn,
        "ArchiveDescription": "dump.tar",
        "PartSizeInBytes": 2 * MIB,
        "CreationDate": iso(EPOCH),
    }
    assert listed["UploadsList"] == [described]
    assert "Marker" not in listed
    assert client.list_parts(**upload)["Parts"] == []

    sent = send(client, upload, 2 * MIB, ARCHIVE[2 * MIB :])
    assert sent["checksum"] == sha256(ARCHIVE[2 * MIB :]).hexdigest()
    for _ in range(2):  # a part may be sent again
        sent = send(client, upload, 0, ARCHIVE[: 2 * MIB])
    assert sent["checksum"] == calculate_tree_hash(BytesIO(ARCHIVE[: 2 * MIB]))
    parts = client.list_parts(**upload)
    assert [part["RangeInBytes"] for part in parts["Parts"]] == ["0-2097151", "2097152-2097251"]
    assert {name: parts[name] for name in described} == described

    ended = client.complete_multipart_upload(
        **upload, archiveSize=str(len(ARCHIVE)), checksum=calculate_tree_hash(BytesIO(ARCHIVE))
    )
    assert ended["archiveId"]
    assert glacier.vaults["attic"] == {}
    with refused(404, "ResourceNotFoundException"):
        client.list_parts(**upload)


def test_an_aborted_upload_is_gone(client: Any):
    upload = initiate(client)
    assert client.abort_multipart_upload(**upload)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(404, "ResourceNotFoundException"):
        client.abort_multipart_upload(**upload)
    assert client.list_multipart_uploads(vaultName="attic")["UploadsList"] == []


@pytest.mark.parametrize("limit", [None, "1", "7", "50"])
def test_every_upload_is_on_one_page(client: Any, limit: str | None):
    ids = {initiate(client)["uploadId"] for _ in range(53)}
    pages = client.get_paginator("list_multipart_uploads").paginate(
        vaultName="attic", PaginationConfig={"PageSize": limit}
    )
    listed = [[upload["MultipartUploadId"] for upload in page["UploadsList"]] for page in pages]
    assert len(listed) == -(-53 // int(limit or 50))
    assert sorted(chain.from_iterable(listed)) == sorted(ids)


@pytest.mark.parametrize("parts_page", [10, 50])
def test_every_part_is_on_one_page(client: Any, glacier: Glacier, parts_page: int):
    glacier.parts_page = parts_page
    upload = initiate(client, MIB)
    for number in range(12):
        send(client, upload, number * MIB, bytes([number]) * MIB)
    pages = list(client.get_paginator("list_parts").paginate(**upload))
    assert len(pages) == -(-12 // parts_page)
    ranges = [part["RangeInBytes"] for page in pages for part in page["Parts"]]
    assert ranges == [f"{number * MIB}-{(number + 1) * MIB - 1}" for number in range(12)]


def test_vaults_are_listed(client: Any, glacier: Glacier):
    glacier.vaults |= {f"vault-{number:02}": {} for number in range(14)}
    pages = list(client.get_paginator("list_vaults").paginate())
    assert [len(page["VaultList"]) for page in pages] == [10, 5]
    assert {vault["VaultName"] for page in pages for vault in page["VaultList"]} == set(glacier.vaults)


@pytest.mark.parametrize(
    "parameters", [{"limit": "0"}, {"limit": "51"}, {"limit": "x"}, {"marker": "no one's"}]
)
def test_wrong_parameters_are_refused(client: Any, parameters: dict[str, str]):
    upload = initiate(client)
    with refused(400, "InvalidParameterValueException"):
        client.list_multipart_uploads(vaultName="attic", **parameters)
    with refused(400, "InvalidParameterValueException"):
        client.list_parts(**upload, **parameters)


def test_parts_that_do_not_fit_are_refused(client: Any, glacier: Glacier):
    upload = initiate(client, MIB)
    for first, content in [(5, b"x"), (0, b"x" * (MIB + 1))]:
        with refused(400, "InvalidParameterValueException"):
            send(client, upload, first, content)
    with refused(400, "InvalidParameterValueException"):
        client.upload_multipart_part(**upload, range="bytes 0-0/*", body=b"x", checksum="0" * 64)
    with refused(400, "InvalidParameterValueException"):
        initiate(client, MIB + 1)
    send(client, upload, MIB, b"x")
    with refused(400, "InvalidParameterValueException"):
        client.complete_multipart_upload(**upload, archiveSize="1", checksum=sha256(b"x").hexdigest())
    assert list(glacier.vaults["attic"][upload["uploadId"]].parts) == [MIB]


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ({"secret": "another"}, 403, "InvalidSignatureException"),
        ({"access_key_id": "AKIAANOTHER7EXAMPLE"}, 400, "UnrecognizedClientException"),
        ({"token": "stale"}, 400, "UnrecognizedClientException"),
    ],
)
def test_whoever_is_not_the_key_is_refused(
    glacier: Glacier, standin: StandIn, key: dict[str, str], status: int, code: str
):
    own = {"access_key_id": glacier.key.access_key_id, "secret": glacier.key.secret}
    with connected(standin, **own | key) as stranger, refused(status, code):
        stranger.list_multipart_uploads(vaultName="attic")


def test_vaults_and_accounts_of_others_are_refused(client: Any):
    with refused(404, "ResourceNotFoundException"):
        client.list_multipart_uploads(vaultName="cellar")
    with refused(403, "AccessDeniedException"):
        client.list_multipart_uploads(vaultName="attic", accountId="210987654321")
    assert client.list_multipart_uploads(vaultName="attic", accountId="123456789012")["UploadsList"] == []


@pytest.mark.parametrize(
    ("service", "version", "answer"),
    [
        ("glacier", API_VERSION, (200, b"UploadsList")),
        ("s3", API_VERSION, (403, b"InvalidSignatureException")),
        ("glacier", "2006-03-01", (400, b"MissingParameterValueException")),
        ("glacier", None, (400, b"MissingParameterValueException")),
        (None, API_VERSION, (403, b"MissingAuthenticationTokenException")),
    ],
)
def test_service_and_version_are_looked_at(
    glacier: Glacier, standin: StandIn, service: str | None, version: str | None, answer: tuple[int, bytes]
):
    request = AWSRequest("GET", f"{standin.url}/-/vaults/attic/multipart-uploads")
    if version:
        request.headers["x-amz-glacier-version"] = version
    if service:
        SigV4Auth(Credentials(glacier.key.access_key_id, glacier.key.secret), service, "eu-west-1").add_auth(
            request
        )
    session = URLLib3Session()
    try:
        response = session.send(request.prepare())
    finally:
        session.close()
    assert response.status_code == answer[0]
    assert answer[1] in response.content


def test_a_call_it_does_not_know_is_a_change(client: Any, glacier: Glacier):
    with refused(404, "UnknownOperationException"):
        client.delete_vault(vaultName="attic")
    with refused(404, "UnknownOperationException"):
        client.list_jobs(vaultName="attic")
    initiate(client)
    assert len(glacier.changes) == 3
