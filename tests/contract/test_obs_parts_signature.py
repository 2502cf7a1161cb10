"""The first question for an upload's parts: signed without the SDK, it is what the SDK would have sent."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.stores.base import PARTS_OPERATION
from exporter.stores.obs.credentials import Keys
from exporter.stores.obs.endpoint import Server
from exporter.stores.obs.signature import ObsRequest, ObsSigner

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
servers = st.builds(
    Server,
    st.sampled_from(["obs.eu-de.example", "127.0.0.1", "[::1]"]),
    st.sampled_from([80, 443, 9000]),
    st.sampled_from(["http", "https"]),
    st.booleans(),
)
keys = st.builds(Keys, st.just("AKIA"), st.text(max_size=20), st.sampled_from([None, "", "token/+=="]))
UPLOAD_ID = "0000018D/+=&?% ~"


@settings(deadline=None)
@given(
    servers,
    st.sampled_from(["obs", "v2"]),
    texts,
    texts,
    st.lists(st.tuples(keys, st.floats(0, 4e9)), min_size=1, max_size=4),
)
@example(Server("h", 80, "http", True), "obs", "a/../b //c\r\n%41+", UPLOAD_ID, [(Keys("A", "s", "t"), 1e9)])  # noqa: FBT003
@example(
    Server("h", 80, "http", True),  # noqa: FBT003
    "v2",
    "key",
    "id",
    [(Keys("A", "s", None), 1.0), (Keys("B", "s", None), 1.9), (Keys("B", "t", None), 1.0)],
)
def test_it_is_what_the_sdk_sends_for_any_key_keys_and_moment(
    server: Server, signature: str, key: str, upload_id: str, moments: list[tuple[Keys, float]]
):
    signer = ObsSigner(server, signature, "")
    own = signer.parts_signer("media")
    for each, now in moments:
        request = ObsRequest(PARTS_OPERATION, "media", key, [("uploadId", upload_id)])
        expected = signer.sign(request, each, now)
        url, lines = own.sign(key, upload_id, each, now)
        assert (expected.url, sorted(expected.header_lines())) == (url, sorted(lines))


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
@pytest.mark.parametrize("place", ["key", "upload id"])
def test_what_is_not_unicode_is_refused(text: str, place: str):
    own = ObsSigner(Server("host", 80, "http", path_style=True), "obs", "").parts_signer("media")
    with pytest.raises(UnicodeEncodeError):
        own.sign(
            text if place == "key" else "key", text if place == "upload id" else "id", Keys("A", "s", None), 0
        )


def test_nothing_shows_the_keys():
    own = ObsSigner(Server("host", 80, "http", path_style=True), "obs", "").parts_signer("media")
    own.sign("key", "id", Keys("A", "the-secret", "the-token"), 0)
    shown = f"{own!r} {own} {vars(own)}"
    assert [secret for secret in ("the-secret", "the-token") if secret in shown] == []
