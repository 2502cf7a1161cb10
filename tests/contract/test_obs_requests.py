"""What the OBS store asks for, byte by byte: names, markers, addresses."""

import time
from typing import Any, NoReturn

import pytest
from contract.rig_obs import BUCKET, SIGNATURES, list_page
from contract.rigs import Opener, Part, Rig, Upload, failure, some_uploads
from servers.fill import odd_keys

from exporter.config.settings import BucketSettings, ScanSettings
from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores.transport.multi import MultiTransport

ONE = ScanSettings(page_size=1, retries=0)


class TestNames:
    @pytest.mark.parametrize("signature", SIGNATURES)
    def test_odd_keys_go_out_exactly_and_markers_travel_as_they_came(self, open_obs: Opener, signature: str):
        rig = open_obs(signature, scan=ONE)
        keys = [key for key in odd_keys(150) if "\r" not in key]  # which XML readers turn into \n
        uploads = [Upload(key, f"u/{n} +", parts=[Part(1, n), Part(7, 1)]) for n, key in enumerate(keys)]
        rig.fill(uploads)
        listed = {upload.key: upload.upload_id for upload in rig.uploads()}
        assert listed == {upload.key: upload.upload_id for upload in uploads}
        assert [rig.size(upload).bytes for upload in uploads] == [n + 1 for n in range(len(keys))]
        assert [rig.size(upload).parts for upload in uploads[:3]] == [2, 2, 2]

    @pytest.mark.parametrize("key", [" ", "\t", "\u00a0"])
    def test_a_blank_marker_does_not_start_the_listing_over(self, open_obs: Opener, key: str):
        rig = open_obs(scan=ONE)
        rig.fill([Upload(key, "first"), Upload(key, "second"), Upload("\U0010ffff", "third")])
        assert rig.ids() == ["first", "second", "third"]
        assert rig.standin.requests[1].argument("key-marker") == key
        assert len(rig.standin.requests) == 3

    def test_a_blank_prefix_is_sent(self, open_obs: Opener):
        rig = open_obs(bucket=BucketSettings(BUCKET, prefix=" "))
        rig.fill([Upload(" x", "wanted"), Upload("y", "other")])
        assert rig.ids() == ["wanted"]

    def test_a_key_that_is_no_unicode_is_refused_before_anything_is_sent(self, obs_rig: Rig):
        with pytest.raises(StoreError) as raised:
            obs_rig.size(Upload("\udc80", "id"))
        assert (raised.value.reason, obs_rig.standin.requests) == (Reason.UNSUPPORTED, [])

    def test_a_marker_of_buckets_that_is_no_unicode_is_refused_before_anything_is_sent(self, obs_rig: Rig):
        error = failure(obs_rig.store.list_buckets, ("\udc80",), time.monotonic() + 10)
        assert (error.reason, obs_rig.standin.requests) == (Reason.UNSUPPORTED, [])

    @pytest.mark.parametrize("signature", SIGNATURES)
    def test_only_what_is_configured_is_asked_for(self, open_obs: Opener, signature: str):
        rig = open_obs(
            signature, bucket=BucketSettings(BUCKET, prefix="a/b c"), scan=ScanSettings(page_size=7)
        )
        list_page(rig)
        with pytest.raises(GoneError):
            rig.size(Upload("key", "id"))
        asked = [request.query for request in rig.standin.requests]
        uploads = {"uploads": [""], "prefix": ["a/b c"], "max-uploads": ["7"]}
        assert asked == [uploads, {"uploadId": ["id"], "max-parts": ["7"]}]

    def test_without_a_page_size_the_store_decides(self, obs_rig: Rig):
        list_page(obs_rig)
        with pytest.raises(GoneError):
            obs_rig.size(Upload("key", "id"))
        assert [request.query for request in obs_rig.standin.requests] == [
            {"uploads": [""]},
            {"uploadId": ["id"]},
        ]

    @pytest.mark.parametrize("bucket", ["a/b", "a?b", "a#b", "@evil", "..", "bücket", "ten:ant"])
    def test_a_bucket_that_fits_into_no_host_name_is_refused(self, open_obs: Opener, bucket: str):
        rig = open_obs(bucket=BucketSettings(bucket))
        assert (failure(list_page, rig).reason, rig.standin.requests) == (Reason.UNSUPPORTED, [])

    @pytest.mark.parametrize("bucket", ["a/b", "a?b", "..", "bücket"])
    def test_a_bucket_that_fits_into_no_path_is_refused(self, open_obs: Opener, bucket: str):
        rig = open_obs("v2", bucket=BucketSettings(bucket))
        assert (failure(list_page, rig).reason, rig.standin.requests) == (Reason.UNSUPPORTED, [])


class TestEndpoints:
    @pytest.mark.parametrize(("host", "signature"), [("::1", "v2"), ("::1", "v4"), ("127.0.0.1", "v2")])
    def test_an_ip_address_has_the_bucket_in_the_path(self, open_obs: Opener, host: str, signature: str):
        name = f"[{host}]" if ":" in host else host
        settings = {"signature": "obs"} if signature == "v2" else {}
        rig = open_obs(signature, host=host, name=name, **settings)
        rig.fill(some_uploads(3))
        assert len(list_page(rig)) == 3
        [request] = rig.standin.requests
        assert (request.host, request.target) == (f"{name}:{rig.standin.port}", f"/{BUCKET}?uploads")

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"endpoint_url": "http://localhost:1/obs"}, "path"),
            ({"endpoint_url": None}, "endpoint_url"),
            ({"endpoint_url": "localhost:1"}, "endpoint_url"),
            ({"endpoint_url": "http://127.0.0.1:1", "addressing_style": "virtual"}, "host name"),
            ({"endpoint_url": "http://[::1]:1", "addressing_style": "virtual"}, "host name"),
        ],
    )
    def test_what_cannot_be_addressed_is_said(self, open_obs: Opener, changes: dict[str, Any], said: str):
        error = failure(list_page, open_obs(**changes))
        assert (error.reason, error.retryable) == (Reason.UNSUPPORTED, False)
        assert said in str(error)

    @pytest.mark.parametrize(
        ("url", "sent"),
        [
            ("http://obs.example.com", "http://media.obs.example.com:80/?uploads"),
            ("https://obs.example.com/", "https://media.obs.example.com:443/?uploads"),
            ("https://OBS.example.com:8443", "https://media.obs.example.com:8443/?uploads"),
        ],
    )
    def test_scheme_and_port_are_the_endpoints(
        self, open_obs: Opener, monkeypatch: pytest.MonkeyPatch, url: str, sent: str
    ):
        rig, seen = open_obs(endpoint_url=url), []
        refuse = StoreError(Reason.CONNECTION, "not sent")
        monkeypatch.setattr(MultiTransport, "start", lambda _, url, *__: (seen.append(url), throw(refuse)))
        failure(list_page, rig)
        assert seen == [sent]


def throw(error: Exception) -> NoReturn:
    raise error
