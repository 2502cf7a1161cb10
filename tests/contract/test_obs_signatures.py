"""The signatures of OBS: what is signed, by whom, and that the stand-in checks it."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from contract.rig_obs import BUCKET, SIGNATURES, list_page
from contract.rigs import PARTS, UPLOADS, Opener, Part, Rig, Upload, failure, some_uploads
from servers.obs import sign, string_to_sign
from servers.s3 import Key
from servers.standin import Request

from exporter.config.credentials import Credentials, Secret
from exporter.model.errors import Reason


def configured(key: Key) -> Credentials:
    token = Secret(key.token) if key.token else None
    return Credentials(None, Secret(key.access_key_id), Secret(key.secret), token)


class TestTheStandIn:
    def test_it_signs_as_amazon_documents_version_2(self):
        request = Request("GET", "/photos/puppy.jpg", {"date": "Tue, 27 Mar 2007 19:36:42 +0000"})
        text = string_to_sign(request, "x-amz-", "/johnsmith/photos/puppy.jpg")
        assert sign(Key().secret, text) == "bWq2s1WEIj+Ydj0vQ697zp+IXMU="

    @pytest.mark.parametrize("signature", SIGNATURES)
    @pytest.mark.parametrize(
        "wrong", [{"secret": "wrong"}, {"access_key_id": "unknown"}, {"token": "wanted"}]
    )
    def test_it_refuses_who_signs_wrongly(self, open_obs: Opener, signature: str, wrong: dict[str, str]):
        rig = open_obs(signature)
        rig.server.key = replace(rig.server.key, **wrong)
        assert failure(list_page, rig).reason == Reason.CREDENTIALS

    def test_it_encodes_as_a_form_when_asked(self, obs_rig: Rig):
        obs_rig.fill([Upload("a b+c", "u")])
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        text = f"GET\n\n\n{date}\n/{BUCKET}/?uploads"
        digest = hmac.new(obs_rig.server.key.secret.encode(), text.encode(), hashlib.sha1).digest()
        headers = {
            "host": f"{BUCKET}.localhost",
            "date": date,
            "authorization": f"OBS {obs_rig.server.key.access_key_id}:{base64.b64encode(digest).decode()}",
        }
        page = obs_rig.server(Request("GET", "/?uploads&encoding-type=url", headers)).body.decode()
        assert "<EncodingType>url</EncodingType>" in page
        assert "<Key>a+b%2Bc</Key>" in page
        assert 'xmlns="http://obs.myhwclouds.com/doc/2015-06-30/"' in page
        assert "DisplayName" not in page

    def test_it_answers_the_negotiation(self, obs_rig: Rig):
        assert obs_rig.server(Request("HEAD", "/?apiversion", {})).headers == {"x-obs-api": "3.0"}


class TestSignatures:
    def test_obs_puts_the_bucket_in_the_host_and_speaks_only_obs(self, obs_rig: Rig):
        list_page(obs_rig)
        [request] = obs_rig.standin.requests
        assert request.host == f"{BUCKET}.localhost:{obs_rig.standin.port}"
        assert request.target == "/?uploads"
        assert request.headers["authorization"].startswith(f"OBS {obs_rig.server.key.access_key_id}:")
        assert not [name for name in request.headers if name.startswith("x-amz-")]

    @pytest.mark.parametrize(("signature", "scheme"), [("v2", "AWS"), ("v4", "AWS4-HMAC-SHA256")])
    def test_the_others_put_it_in_the_path(self, open_obs: Opener, signature: str, scheme: str):
        rig = open_obs(signature)
        list_page(rig)
        [request] = rig.standin.requests
        assert (request.host, request.target) == (f"localhost:{rig.standin.port}", f"/{BUCKET}?uploads")
        assert request.headers["authorization"].startswith(f"{scheme} ")

    @pytest.mark.parametrize("signature", ["v2", "v4"])
    def test_the_bucket_can_be_put_in_the_host_for_them_too(self, open_obs: Opener, signature: str):
        rig = open_obs(signature, addressing_style="virtual")
        list_page(rig)
        assert rig.standin.requests[0].host == f"{BUCKET}.localhost:{rig.standin.port}"

    def test_obs_in_the_path_is_signed_as_v2(self, open_obs: Opener):
        rig = open_obs("v2", signature="obs", addressing_style="path")
        rig.fill(some_uploads(1))
        assert len(list_page(rig)) == 1

    @pytest.mark.parametrize("signature", SIGNATURES)
    def test_a_security_token_is_sent_and_signed(self, open_obs: Opener, signature: str):
        key = Key(token="token/+==")
        rig = open_obs(signature, credentials=configured(key))
        rig.server.key = key
        rig.fill(some_uploads(2))
        assert len(list_page(rig)) == 2
        name = "x-obs-security-token" if signature == "obs" else "x-amz-security-token"
        assert rig.standin.requests[0].headers[name] == key.token

    @pytest.mark.parametrize(
        ("signature", "region", "signed"),
        [("obs", None, ""), ("obs", "eu-de", "eu-de"), ("v4", None, "us-east-1"), ("v4", "eu-de", "eu-de")],
    )
    def test_the_region(self, open_obs: Opener, signature: str, region: str | None, signed: str):
        rig = open_obs(signature, region=region)
        list_page(rig)
        assert rig.store.signing_region == signed
        assert signature == "obs" or f"/{signed}/s3/" in rig.standin.requests[0].headers["authorization"]

    def test_nothing_is_negotiated(self, obs_rig: Rig):
        obs_rig.fill([Upload("key", "id", parts=[Part(1, 5)])])
        assert obs_rig.size(obs_rig.server.buckets[BUCKET][0]).bytes == 5
        list_page(obs_rig)
        assert [request.method for request in obs_rig.standin.requests] == ["GET", "GET"]
        assert obs_rig.traffic.requests == {UPLOADS: 1, PARTS: 1}
