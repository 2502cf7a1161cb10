"""Signatures of OBS requests: those that its SDK makes of the same request, keys and moment."""

import warnings
from email.utils import formatdate
from time import gmtime, strftime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from servers import need_package

from exporter.stores.base import PARTS_OPERATION as PARTS
from exporter.stores.base import UPLOADS_OPERATION as UPLOADS
from exporter.stores.obs.credentials import Keys
from exporter.stores.obs.endpoint import Server
from exporter.stores.obs.signature import ObsRequest, ObsSigner

with warnings.catch_warnings():  # where it is not compiled yet, Python complains of its string escapes
    warnings.simplefilter("ignore")
    need_package("obs")
    from obs.auth import Authentication, V4Authentication
    from obs.convertor import Adapter

REGION, HTTPS = "eu-de", 443
keys = st.builds(
    Keys,
    st.text("AZ09", min_size=1),
    st.text("az+/ü", min_size=1),
    st.none() | st.text("az+/=", min_size=1),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
bucket_lists = st.lists(st.tuples(st.just("marker"), texts.filter(bool)), max_size=1)
requests = st.one_of(
    st.builds(lambda arguments: ObsRequest("ListBuckets", "", "", arguments), bucket_lists),
    st.just(ObsRequest("GetBucketLifecycleConfiguration", "media", "", [("lifecycle", None)])),
    st.builds(lambda text: ObsRequest(UPLOADS, "media", "", [("uploads", None), ("prefix", text)]), texts),
    st.builds(
        lambda key, id_: ObsRequest(PARTS, "media", key, [("uploadId", id_), ("max-parts", 7)]),
        texts.filter(bool),
        texts.filter(bool),
    ),
)
seconds = st.integers(10**9, 2 * 10**9)
servers = st.builds(
    Server,
    st.sampled_from(["obs.eu-de.example", "127.0.0.1"]),
    st.sampled_from([80, 443, 9000]),
    st.just("https"),
    st.booleans(),
)


def by_sdk(server: Server, signature: str, request: ObsRequest, keys: Keys, second: int) -> str:
    """Return the signature alone: what stands before it is told elsewhere, and may be spaced otherwise."""
    names = Adapter("v2" if server.path_style and signature == "obs" else signature)
    headers = {names.security_token_header(): keys.token} if keys.token else {}
    arguments = dict(request.arguments)
    if signature == "v4":
        moment = strftime("%Y%m%dT%H%M%SZ", gmtime(second))
        headers |= {"Host": host_of(server, request.bucket), names.date_header(): moment}
        sdk = V4Authentication(
            keys.access_key, keys.secret, REGION, moment[:8], moment, server.path_style, names
        )
    else:
        headers["Date"] = formatdate(second, usegmt=True)
        if signature == "obs" and not request.bucket:
            headers[names.location_header()] = "true"
        sdk = Authentication(
            keys.access_key, keys.secret, server.path_style, names, server.host, is_cname=False
        )
    signed = sdk.doAuth("GET", request.bucket, request.key, arguments, headers)["Authorization"]
    return end_of(signed)


def host_of(server: Server, bucket: str) -> str:
    name = server.host if server.path_style or not bucket else f"{bucket}.{server.host}"
    return name if server.port == HTTPS else f"{name}:{server.port}"


def end_of(authorization: str) -> str:
    return authorization.rpartition("Signature=")[2].rpartition(":")[2]


@settings(deadline=None)
@given(
    st.sampled_from(["obs", "v2", "v4"]),
    servers,
    requests,
    st.lists(st.tuples(keys, seconds), min_size=1, max_size=3),
)
@example(
    "obs",
    Server("h", 80, "http", path_style=False),
    ObsRequest(PARTS, "media", "key", [("uploadId", "id")]),
    [(Keys("A", "s", None), 10**9), (Keys("B", "s", None), 10**9), (Keys("B", "t", None), 10**9 + 1)],
)
def test_every_request_is_signed_as_by_the_sdk_with_the_keys_and_at_the_moment_given(
    signature: str, server: Server, request: ObsRequest, moments: list[tuple[Keys, int]]
):
    signer = ObsSigner(server, signature, REGION, asks_for_regions=not request.bucket)
    for each, second in moments:
        _, lines = signer.sign(request, each, second + 0.9)
        [authorization] = [line for line in lines if line.startswith("Authorization: ")]
        assert by_sdk(server, signature, request, each, second) == end_of(authorization)


@pytest.mark.parametrize("signature", ["obs", "v4"])
@pytest.mark.parametrize(("key", "upload_id"), [("a\ud800", "id"), ("key", "\udfff")])
def test_what_is_not_unicode_is_refused(signature: str, key: str, upload_id: str):
    signer = ObsSigner(Server("host", 80, "http", path_style=True), signature, REGION)
    with pytest.raises(UnicodeEncodeError):
        signer.sign(ObsRequest(PARTS, "media", key, [("uploadId", upload_id)]), Keys("A", "s", None), 0)


@pytest.mark.parametrize("signature", ["obs", "v4"])
def test_nothing_shows_the_keys(signature: str):
    signer = ObsSigner(Server("host", 80, "http", path_style=True), signature, REGION)
    signer.sign(ObsRequest(PARTS, "media", "key", []), Keys("A", "the-secret", "the-token"), 0)
    assert "the-" not in f"{signer!r} {vars(signer)}"
