"""What the OBS store sends is what the SDK's own client sends: the same names, headers and scopes."""

import re
import socket
from datetime import UTC, datetime

import obs
import pytest
from contract.rig_obs import BUCKET, SIGNATURES, list_page
from contract.rigs import Opener, Part, Rig, Upload
from servers.fill import odd_keys
from servers.s3 import Key
from servers.standin import Request

from exporter import __version__
from exporter.config.settings import BucketSettings, Credentials, Secret

PREFIX = "a b+ü%&=?"  # no slash: the SDK signs one for `v4` as it is not sent
SIGNATURE = re.compile(r"(?<=Signature=)\w+$|(?<=:)[\w/+=]+$")
OWN = {"date", "x-amz-date", "connection", "accept", "accept-encoding"}
"""What no two requests have in common, and what is the transport's own."""


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("token", [None, "tok/en+=="])
def test_every_request_is_as_the_sdk_sends_it(
    open_obs: Opener, monkeypatch: pytest.MonkeyPatch, signature: str, token: str | None
):
    rig = open_obs(signature, credentials=keys(token), bucket=BucketSettings(BUCKET, prefix=PREFIX))
    rig.server.key.token = token
    uploads = [Upload(PREFIX + key, f"id-{n} +.", parts=[Part(1, 1)]) for n, key in enumerate(odd_keys(60))]
    rig.fill(uploads)
    list_page(rig)
    for upload in uploads:
        rig.size(upload)
    assert all(r.headers["user-agent"].endswith(f" mpu-exporter/{__version__}") for r in rig.standin.requests)
    ours = [shape(request) for request in rig.standin.requests]
    rig.standin.forget()
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, port, *__: [loopback(port)])
    ask_by_sdk(rig, uploads)
    assert ours == [shape(request) for request in rig.standin.requests]
    assert len(ours) == 1 + len(uploads)


def keys(token: str | None) -> Credentials:
    key = Key()
    return Credentials(None, Secret(key.access_key_id), Secret(key.secret), Secret(token) if token else None)


def loopback(port: int) -> tuple[object, ...]:
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)


def ask_by_sdk(rig: Rig, uploads: list[Upload]) -> None:
    """Ask for the same pages through the SDK's own client."""
    target, key = rig.target, rig.server.key
    client = obs.ObsClient(
        key.access_key_id,
        key.secret,
        server=target.endpoint_url,
        signature=target.signature,
        path_style=target.signature != "obs",
        region=rig.store.signing_region,
        security_token=key.token,
        is_signature_negotiation=False,
        max_retry_count=0,
    )
    is_v4 = target.signature == "v4"
    date = {"x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")} if is_v4 else None
    listing = obs.ListMultipartUploadsRequest(prefix=PREFIX)
    assert client.listMultipartUploads(BUCKET, listing, extensionHeaders=date).status == 200
    for upload in uploads:
        assert client.listParts(BUCKET, upload.key, upload.upload_id, extensionHeaders=date).status == 200


def shape(request: Request) -> tuple[object, ...]:
    """Return all of a request but its time, its signature and what is the transport's own."""
    headers = {name: value for name, value in request.headers.items() if name not in OWN}
    headers["user-agent"] = headers["user-agent"].removesuffix(f" mpu-exporter/{__version__}")
    headers["authorization"] = SIGNATURE.sub("", headers["authorization"])
    return request.method, request.raw_path, request.query, headers
