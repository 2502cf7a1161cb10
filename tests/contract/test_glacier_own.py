"""What is Glacier's own: JSON that proves itself, markers that may be the text `null`, parts by range."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from contract.rig_glacier import (
    ARN,
    VAULT,
    GlacierRig,
    Opener,
    an_upload,
    body,
    failure,
    paged,
    refusal,
    vault,
)
from contract.rigs import PARTS, UPLOADS, Part, Upload, ids_of, some_uploads
from servers.glacier import lower_cased, with_marker
from servers.standin import Request

from exporter.config.settings import BucketSettings
from exporter.model import Reason
from exporter.stores.paging import RestartError


@pytest.fixture(scope="module")
def _shared() -> Iterator[GlacierRig]:
    with vault() as rig:
        yield rig


@pytest.fixture
def rig(_shared: GlacierRig) -> GlacierRig:
    """Return a rig as new, which other tests use before and after."""
    _shared.reset()
    return _shared


@pytest.fixture
def open_rig() -> Iterator[Opener]:
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(vault(**changes))


def unproven(name: str) -> dict[str, bytes]:
    """Return bodies that are no page with a list of this name."""
    page = f'"{name}": [], "Marker": null'
    return {
        "empty": b"",
        "blank": b" \n",
        "html": b"<!DOCTYPE html><html><body>Sign in</body></html>",
        "xml": b"<ListMultipartUploadsResult/>",
        "cut": f"{{{page}".encode(),
        "twice": f"{{{page}}}{{{page}}}".encode(),
        "null": b"null",
        "number": b"5",
        "array": f"[{{{page}}}]".encode(),
        "empty array": b"[]",
        "empty object": b"{}",
        "lower-cased": json.dumps({name[0].lower() + name[1:]: [], "marker": None}).encode(),
        "another list": b'{"VaultList": [], "Marker": null}',
        "list is null": f'{{"{name}": null}}'.encode(),
        "list is object": f'{{"{name}": {{}}}}'.encode(),
        "list is text": f'{{"{name}": ""}}'.encode(),
        "list of texts": f'{{"{name}": ["u1"]}}'.encode(),
        "list of lists": f'{{"{name}": [[]]}}'.encode(),
        "list twice": f'{{"{name}": [], {page}}}'.encode(),
        "marker twice": f'{{{page}, "Marker": null}}'.encode(),
        "inner twice": f'{{{page}, "Other": {{"a": 1, "a": 1}}}}'.encode(),
        "not a number": f'{{{page}, "Other": NaN}}'.encode(),
        "infinity": f'{{{page}, "Other": -Infinity}}'.encode(),
        "long number": f'{{{page}, "Other": {"1" * 5000}}}'.encode(),
        "latin-1": f'{{{page}, "Other": "é"}}'.encode("latin-1"),
        "utf-16": f"{{{page}}}".encode("utf-16"),
        "byte order mark": f"{{{page}}}".encode("utf-8-sig"),
        "deep": f'{{{page}, "Other": {"[" * 200_000}'.encode(),
    }


class TestProof:
    @pytest.mark.parametrize("kind", unproven("Parts"))
    def test_uploads_that_do_not_prove_themselves(self, rig: GlacierRig, kind: str):
        rig.answer(UPLOADS, body(unproven("UploadsList")[kind]))
        assert failure(rig.ids).reason == Reason.BAD_RESPONSE
        assert rig.traffic.failures == {(UPLOADS, Reason.BAD_RESPONSE): 1}

    @pytest.mark.parametrize("kind", unproven("Parts"))
    def test_parts_that_do_not_prove_themselves(self, rig: GlacierRig, kind: str):
        rig.answer(PARTS, body(unproven("Parts")[kind]))
        assert failure(lambda: rig.size(an_upload())).reason == Reason.BAD_RESPONSE

    def test_names_in_lower_case_are_no_empty_vault(self, rig: GlacierRig):
        rig.fill(some_uploads(2))
        rig.fault(UPLOADS, page=lower_cased)
        assert failure(rig.ids).reason == Reason.BAD_RESPONSE

    def test_a_failure_in_a_success_is_refused_yet_asked_again(self, rig: GlacierRig):
        rig.fill(some_uploads(1))
        rig.answer(UPLOADS, replace(refusal(400, "SlowDown"), status=200), {1})
        assert rig.ids() == ["u000"]
        rig.answer(UPLOADS, replace(refusal(403, "AccessDenied"), status=200))
        refused = failure(rig.ids)
        assert (refused.reason, refused.code) == (Reason.BAD_RESPONSE, "AccessDeniedException")

    @pytest.mark.parametrize("upload_id", [None, "", 5, ["u1"]])
    def test_an_upload_without_its_id_is_refused(self, rig: GlacierRig, upload_id: object):
        rig.fault(UPLOADS, page=lambda page: page | {"UploadsList": [{"MultipartUploadId": upload_id}]})
        assert failure(rig.ids).reason == Reason.BAD_RESPONSE

    @pytest.mark.parametrize("name", ["attic2", "at", "Attic", "", "attic/x"])
    def test_another_vault_is_refused(self, rig: GlacierRig, name: str):
        upload = {"MultipartUploadId": "u1", "VaultARN": ARN + name}
        rig.fault(UPLOADS, page=lambda page: page | {"UploadsList": [upload]})
        assert "another vault" in str(failure(rig.ids))
        rig.fill([an_upload()])
        rig.fault(PARTS, page=lambda page: page | {"VaultARN": ARN + name})
        assert "another vault" in str(failure(lambda: rig.size(an_upload())))

    @pytest.mark.parametrize(
        "arn", [None, "", 5, "arn:aws-cn:glacier:cn-north-1:1:vaults/attic", "attic-alias"]
    )
    def test_a_vault_that_is_named_otherwise_or_not_at_all_is_no_other(self, rig: GlacierRig, arn: object):
        upload = {"MultipartUploadId": "u1", "VaultARN": arn}
        rig.fault(UPLOADS, page=lambda page: page | {"UploadsList": [upload]})
        assert rig.ids() == ["u1"]

    def test_the_parts_of_another_upload_are_refused(self, rig: GlacierRig):
        rig.fill([an_upload(2)])
        rig.fault(PARTS, {1}, page=lambda page: page | {"MultipartUploadId": "u2"})
        assert "another upload" in str(failure(lambda: rig.size(an_upload())))
        rig.fault(PARTS, {2}, page=lambda page: page | {"MultipartUploadId": None})
        assert rig.size(an_upload()).parts == 2


class TestMarkers:
    @pytest.mark.parametrize("marker", [None, "", "null", " null "])
    def test_none_empty_and_the_text_null_end_a_listing(self, open_rig: Opener, marker: object):
        rig = paged(open_rig, 2, [*some_uploads(5), an_upload(5)])
        rig.fault(UPLOADS, page=with_marker(marker))
        rig.fault(PARTS, page=with_marker(marker))
        assert len(rig.ids()) == 2
        assert rig.size(an_upload()).parts == 2
        assert rig.traffic.requests == {UPLOADS: 1, PARTS: 1}

    def test_a_marker_that_is_not_there_ends_a_listing(self, open_rig: Opener):
        rig = paged(open_rig, 2, some_uploads(5))
        rig.fault(UPLOADS, page=lambda page: {"UploadsList": page["UploadsList"]})
        assert len(rig.ids()) == 2

    @pytest.mark.parametrize("marker", [5, 0, False, [], {}, ["u1"]])
    def test_a_marker_that_is_no_text_is_refused(self, rig: GlacierRig, marker: object):
        rig.fill([*some_uploads(1), an_upload(1)])
        rig.fault(UPLOADS, page=with_marker(marker))
        rig.fault(PARTS, page=with_marker(marker))
        assert "Marker" in str(failure(rig.ids))
        assert "Marker" in str(failure(lambda: rig.size(an_upload())))

    @pytest.mark.parametrize("token", ["None", "1001", "+/= %41&?#", "ü", " x ", "nullable", "a" * 1000])
    def test_a_marker_is_handed_back_as_it_came(self, open_rig: Opener, token: str):
        rig = paged(open_rig, 3, [*some_uploads(5), an_upload(5)])
        own: list[str] = []

        def issue(page: dict[str, object]) -> dict[str, object]:
            own.append(str(page["Marker"]))
            return page | {"Marker": token}

        def resolve(request: Request) -> Request:
            assert request.argument("marker") == token
            return replace(request, target=f"{request.raw_path}?limit=3&marker={own.pop()}")

        for operation, ask in ((UPLOADS, rig.ids), (PARTS, lambda: rig.size(an_upload()))):
            rig.fault(operation, {1}, page=issue)
            rig.fault(operation, {2}, request=resolve)
            ask()
        assert rig.traffic.requests == {UPLOADS: 2, PARTS: 2}

    @pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["u1", "null ", "u1"]])
    def test_markers_that_come_again_are_refused(self, open_rig: Opener, cycle: list[str]):
        rig = paged(open_rig, 2, [*some_uploads(5), an_upload(5)])
        marks = iter([mark for mark in cycle * 20 if mark.strip() != "null"])
        for operation in (UPLOADS, PARTS):
            rig.fault(
                operation,
                request=lambda request: replace(request, target=request.raw_path),
                page=lambda page: page | {"Marker": next(marks)},
            )
        assert "does not move" in str(failure(rig.ids))
        assert "does not move" in str(failure(lambda: rig.size(an_upload())))
        assert sum(rig.traffic.requests.values()) < 10

    def test_an_empty_page_with_a_marker_is_no_end(self, open_rig: Opener):
        rig = paged(open_rig, 2, some_uploads(5))
        rig.fault(UPLOADS, {2}, page=lambda page: page | {"UploadsList": []})
        assert len(rig.ids()) == 3

    def test_a_marker_refused_later_starts_over(self, open_rig: Opener):
        rig = paged(open_rig, 2, some_uploads(5))
        rig.answer(UPLOADS, refusal(400, "InvalidArgument"), {2})
        with pytest.raises(RestartError):
            rig.ids()

    def test_the_order_of_uploads_means_nothing(self, open_rig: Opener):
        uploads = some_uploads(120)
        rig = paged(open_rig, None, uploads)
        listed = rig.ids()
        assert listed != ids_of(uploads)
        assert sorted(listed) == ids_of(uploads)
        assert rig.traffic.requests[UPLOADS] == 3


class TestWhatIsAsked:
    @pytest.mark.parametrize(("page_size", "limit"), [(None, []), (7, ["7"]), (50, ["50"]), (1000, ["50"])])
    def test_the_limit_is_sent_where_set_and_never_above_50(
        self, open_rig: Opener, page_size: int | None, limit: list[str]
    ):
        rig = paged(open_rig, page_size, [*some_uploads(3), an_upload(3)])
        rig.ids()
        rig.size(an_upload())
        assert [request.query.get("limit", []) for request in rig.standin.requests] == [limit, limit]

    @pytest.mark.parametrize("account", ["-", "123456789012"])
    def test_the_account_stands_in_the_path(self, open_rig: Opener, account: str):
        rig = open_rig(account_id=account)
        rig.ids()
        assert rig.standin.requests[0].path == f"/{account}/vaults/{VAULT}/multipart-uploads"

    def test_a_foreign_account_is_denied(self, open_rig: Opener):
        assert failure(open_rig(account_id="210987654321").ids).reason == Reason.ACCESS_DENIED

    def test_without_a_region_there_is_a_default(self, open_rig: Opener):
        rig = open_rig(region=None)
        rig.ids()
        assert rig.store.signing_region == "us-east-1"
        assert "/us-east-1/glacier/aws4_request" in rig.standin.requests[0].headers["authorization"]

    @pytest.mark.parametrize("upload_id", ["a-_b", "a/b", "a+b %41", "..", "ü", "?x=1#y", "null"])
    def test_any_upload_id_is_asked_for_as_it_came(self, rig: GlacierRig, upload_id: str):
        upload = Upload("key", upload_id, parts=[Part(1, 10)])
        rig.fill([upload])
        assert rig.ids() == [upload_id]
        assert rig.size(upload).bytes == 10

    def test_vaults_are_called_by_name(self, open_rig: Opener):
        rig = open_rig(bucket=BucketSettings("My.old_vault-1"))
        rig.fill([an_upload(1)])
        assert rig.ids() == ["u1"]
        assert rig.size(an_upload()).parts == 1
