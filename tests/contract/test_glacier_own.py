"""What is Glacier's own: JSON that proves itself, markers that may be the text `null`, parts by range."""

import json
from dataclasses import replace

import pytest
from contract.rig_glacier import ARN, VAULT, an_upload, body, paged, refusal
from contract.rigs import PARTS, UPLOADS, Opener, Part, Rig, Upload, failure, ids_of, some_uploads
from servers.glacier import lower_cased, with_marker
from servers.standin import Request

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason
from exporter.stores.pagination.listing import RestartError


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


GARBLED = {
    *("empty", "blank", "cut", "twice", "list twice", "marker twice", "inner twice", "not a number"),
    *("infinity", "long number", "latin-1", "deep"),
}
"""What may be a page that was damaged on the way: it is asked for once more."""


class TestProof:
    @pytest.mark.parametrize("kind", unproven("Parts"))
    def test_uploads_that_do_not_prove_themselves(self, vault: Rig, kind: str):
        vault.answer(UPLOADS, body(unproven("UploadsList")[kind]))
        assert failure(vault.ids).reason == Reason.BAD_RESPONSE
        assert vault.traffic.failures == {(UPLOADS, Reason.BAD_RESPONSE): 1 + (kind in GARBLED)}

    @pytest.mark.parametrize("kind", unproven("Parts"))
    def test_parts_that_do_not_prove_themselves(self, vault: Rig, kind: str):
        vault.answer(PARTS, body(unproven("Parts")[kind]))
        assert failure(vault.size, an_upload()).reason == Reason.BAD_RESPONSE

    def test_names_in_lower_case_are_no_empty_vault(self, vault: Rig):
        vault.fill(some_uploads(2))
        vault.fault(UPLOADS, page=lower_cased)
        assert failure(vault.ids).reason == Reason.BAD_RESPONSE

    def test_a_failure_in_a_success_is_refused_yet_asked_again(self, vault: Rig):
        vault.fill(some_uploads(1))
        vault.answer(UPLOADS, replace(refusal(400, "SlowDown"), status=200), {1})
        assert vault.ids() == ["u000"]
        vault.answer(UPLOADS, replace(refusal(403, "AccessDenied"), status=200))
        refused = failure(vault.ids)
        assert (refused.reason, refused.code) == (Reason.BAD_RESPONSE, "AccessDeniedException")

    @pytest.mark.parametrize("upload_id", [None, "", 5, ["u1"]])
    def test_an_upload_without_its_id_is_refused(self, vault: Rig, upload_id: object):
        vault.fault(UPLOADS, page=lambda page: page | {"UploadsList": [{"MultipartUploadId": upload_id}]})
        assert failure(vault.ids).reason == Reason.BAD_RESPONSE

    @pytest.mark.parametrize("name", ["attic2", "at", "Attic", "", "attic/x"])
    def test_another_vault_is_refused(self, vault: Rig, name: str):
        upload = {"MultipartUploadId": "u1", "VaultARN": ARN + name}
        vault.fault(UPLOADS, page=lambda page: page | {"UploadsList": [upload]})
        assert "another vault" in str(failure(vault.ids))
        vault.fill([an_upload()])
        vault.fault(PARTS, page=lambda page: page | {"VaultARN": ARN + name})
        assert "another vault" in str(failure(vault.size, an_upload()))

    @pytest.mark.parametrize(
        "arn", [None, "", 5, "arn:aws-cn:glacier:cn-north-1:1:vaults/attic", "attic-alias"]
    )
    def test_a_vault_that_is_named_otherwise_or_not_at_all_is_no_other(self, vault: Rig, arn: object):
        upload = {"MultipartUploadId": "u1", "VaultARN": arn}
        vault.fault(UPLOADS, page=lambda page: page | {"UploadsList": [upload]})
        assert vault.ids() == ["u1"]

    def test_the_parts_of_another_upload_are_refused(self, vault: Rig):
        vault.fill([an_upload(2)])
        vault.fault(PARTS, {1}, page=lambda page: page | {"MultipartUploadId": "u2"})
        assert "another upload" in str(failure(vault.size, an_upload()))
        vault.fault(PARTS, {2}, page=lambda page: page | {"MultipartUploadId": None})
        assert vault.size(an_upload()).parts == 2


class TestMarkers:
    @pytest.mark.parametrize("marker", [None, "", "null", " null "])
    def test_none_empty_and_the_text_null_end_a_listing(self, open_vault: Opener, marker: object):
        vault = paged(open_vault, 2, [*some_uploads(5), an_upload(5)])
        vault.fault(UPLOADS, page=with_marker(marker))
        vault.fault(PARTS, page=with_marker(marker))
        assert len(vault.ids()) == 2
        assert vault.size(an_upload()).parts == 2
        assert vault.traffic.requests == {UPLOADS: 1, PARTS: 1}

    def test_a_marker_that_is_not_there_ends_a_listing(self, open_vault: Opener):
        vault = paged(open_vault, 2, some_uploads(5))
        vault.fault(UPLOADS, page=lambda page: {"UploadsList": page["UploadsList"]})
        assert len(vault.ids()) == 2

    @pytest.mark.parametrize("marker", [5, 0, False, [], {}, ["u1"]])
    def test_a_marker_that_is_no_text_is_refused(self, vault: Rig, marker: object):
        vault.fill([*some_uploads(1), an_upload(1)])
        vault.fault(UPLOADS, page=with_marker(marker))
        vault.fault(PARTS, page=with_marker(marker))
        assert "Marker" in str(failure(vault.ids))
        assert "Marker" in str(failure(vault.size, an_upload()))

    @pytest.mark.parametrize("token", ["None", "1001", "+/= %41&?#", "ü", " x ", "nullable", "a" * 1000])
    def test_a_marker_is_handed_back_as_it_came(self, open_vault: Opener, token: str):
        vault = paged(open_vault, 3, [*some_uploads(5), an_upload(5)])
        own: list[str] = []

        def issue(page: dict[str, object]) -> dict[str, object]:
            own.append(str(page["Marker"]))
            return page | {"Marker": token}

        def resolve(request: Request) -> Request:
            assert request.argument("marker") == token
            return replace(request, target=f"{request.raw_path}?limit=3&marker={own.pop()}")

        for operation, ask in ((UPLOADS, vault.ids), (PARTS, lambda: vault.size(an_upload()))):
            vault.fault(operation, {1}, page=issue)
            vault.fault(operation, {2}, request=resolve)
            ask()
        assert vault.traffic.requests == {UPLOADS: 2, PARTS: 2}

    @pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["u1", "null ", "u1"]])
    def test_markers_that_come_again_are_refused(self, open_vault: Opener, cycle: list[str]):
        vault = paged(open_vault, 2, [*some_uploads(5), an_upload(5)])
        marks = iter([mark for mark in cycle * 20 if mark.strip() != "null"])
        for operation in (UPLOADS, PARTS):
            vault.fault(
                operation,
                request=lambda request: replace(request, target=request.raw_path),
                page=lambda page: page | {"Marker": next(marks)},
            )
        assert "does not move" in str(failure(vault.ids))
        assert "does not move" in str(failure(vault.size, an_upload()))
        assert sum(vault.traffic.requests.values()) < 10

    def test_an_empty_page_with_a_marker_is_no_end(self, open_vault: Opener):
        vault = paged(open_vault, 2, some_uploads(5))
        vault.fault(UPLOADS, {2}, page=lambda page: page | {"UploadsList": []})
        assert len(vault.ids()) == 3

    def test_a_marker_refused_later_starts_over(self, open_vault: Opener):
        vault = paged(open_vault, 2, some_uploads(5))
        vault.answer(UPLOADS, refusal(400, "InvalidArgument"), {2})
        with pytest.raises(RestartError):
            vault.ids()

    def test_the_order_of_uploads_means_nothing(self, open_vault: Opener):
        uploads = some_uploads(120)
        vault = paged(open_vault, None, uploads)
        listed = vault.ids()
        assert listed != ids_of(uploads)
        assert sorted(listed) == ids_of(uploads)
        assert vault.traffic.requests[UPLOADS] == 3


class TestWhatIsAsked:
    @pytest.mark.parametrize(("page_size", "limit"), [(None, []), (7, ["7"]), (50, ["50"]), (1000, ["50"])])
    def test_the_limit_is_sent_where_set_and_never_above_50(
        self, open_vault: Opener, page_size: int | None, limit: list[str]
    ):
        vault = paged(open_vault, page_size, [*some_uploads(3), an_upload(3)])
        vault.ids()
        vault.size(an_upload())
        assert [request.query.get("limit", []) for request in vault.standin.requests] == [limit, limit]

    @pytest.mark.parametrize("account", ["-", "123456789012"])
    def test_the_account_stands_in_the_path(self, open_vault: Opener, account: str):
        vault = open_vault(account_id=account)
        vault.ids()
        assert vault.standin.requests[0].path == f"/{account}/vaults/{VAULT}/multipart-uploads"

    def test_a_foreign_account_is_denied(self, open_vault: Opener):
        assert failure(open_vault(account_id="210987654321").ids).reason == Reason.ACCESS_DENIED

    def test_without_a_region_there_is_a_default(self, open_vault: Opener):
        vault = open_vault(region=None)
        vault.ids()
        assert vault.store.signing_region == "us-east-1"
        assert "/us-east-1/glacier/aws4_request" in vault.standin.requests[0].headers["authorization"]

    @pytest.mark.parametrize("upload_id", ["a-_b", "a/b", "a+b %41", "..", "ü", "?x=1#y", "null"])
    def test_any_upload_id_is_asked_for_as_it_came(self, vault: Rig, upload_id: str):
        upload = Upload("key", upload_id, parts=[Part(1, 10)])
        vault.fill([upload])
        assert vault.ids() == [upload_id]
        assert vault.size(upload).bytes == 10

    def test_vaults_are_called_by_name(self, open_vault: Opener):
        vault = open_vault(bucket=BucketSettings("My.old_vault-1"))
        vault.fill([an_upload(1)])
        assert vault.ids() == ["u1"]
        assert vault.size(an_upload()).parts == 1
