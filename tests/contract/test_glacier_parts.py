"""Glacier's fields, its parts by range, and its refusals."""

from dataclasses import replace

import pytest
from contract.rig_glacier import VAULT, an_upload, body, paged, refusal
from contract.rigs import PARTS, UPLOADS, Opener, Rig, failure
from servers.glacier import error, with_ranges
from servers.standin import Reply

from exporter.config.settings import BucketSettings
from exporter.model.errors import GoneError, Reason, StoreError
from exporter.model.uploads import PartTotals


def sized(vault: Rig, *ranges: object) -> PartTotals:
    """Return the totals of an upload whose parts are said to be these."""
    vault.fill([an_upload()])
    vault.fault(PARTS, page=with_ranges(*ranges))
    return vault.size(an_upload())


class TestFields:
    def listed(self, vault: Rig, **fields: object):
        upload = {"MultipartUploadId": "u1", **fields}
        vault.fault(UPLOADS, page=lambda page: page | {"UploadsList": [upload]})
        return vault.uploads()[0]

    @pytest.mark.parametrize(
        ("description", "key"),
        [(None, ""), ("", ""), (5, ""), ("dump.tar", "dump.tar"), ("é \n", "é \n"), ("null", "null")],
    )
    def test_the_key_is_the_description(self, vault: Rig, description: object, key: str):
        assert self.listed(vault, ArchiveDescription=description).key == key

    @pytest.mark.parametrize(
        ("text", "initiated"),
        [
            ("2012-03-19T23:20:59.130Z", 1332199259.13),
            ("2012-03-19T23:20:59Z", 1332199259.0),
            (None, None),
            ("", None),
            (1332199259, None),
            ("soon", None),
            ("1999-01-01T00:00:00.000Z", None),
            ("2999-01-01T00:00:00.000Z", None),
        ],
    )
    def test_the_initiation_is_a_text_to_be_believed(self, vault: Rig, text: object, initiated: float | None):
        assert self.listed(vault, CreationDate=text).initiated == initiated

    def test_the_store_s_clock_says_what_is_the_future(self, vault: Rig):
        vault.fault(
            UPLOADS,
            reply=lambda r: replace(r, headers={**r.headers, "Date": "Sun, 01 Jan 2012 00:00:00 GMT"}),
        )
        assert self.listed(vault, CreationDate="2012-03-19T23:20:59.130Z").initiated is None

    def test_the_storage_class_is_glacier(self, vault: Rig):
        assert self.listed(vault).storage_class == "GLACIER"
        assert vault.store.has_part_times is False


class TestParts:
    @pytest.mark.parametrize(("parts_page", "size"), [(10, None), (50, None), (10, 50), (50, 10), (50, 1)])
    @pytest.mark.parametrize("count", [0, 1, 10, 11, 35])
    def test_pages_of_any_size_add_up(
        self, open_vault: Opener, parts_page: int, size: int | None, count: int
    ):
        vault = paged(open_vault, size, [an_upload(count)], parts_page=parts_page)
        assert vault.size(an_upload()) == PartTotals(count, 10 * count)
        asked = min(parts_page, size or parts_page)
        assert vault.traffic.requests[PARTS] == max(1, -(-count // asked))

    @pytest.mark.parametrize(
        ("ranges", "parts", "total"),
        [
            (["0-4194303"], 1, 4194304),
            (["0-0"], 1, 1),
            (["10-19", "0-9"], 2, 20),
            (["0-9", "0-9"], 1, 10),
            (["0-9", "5-14"], 2, 15),
            (["0-99", "10-19", "200-209"], 3, 110),
            (["100-109", "300-309"], 2, 20),
            ([" 0-9 "], 1, 10),
            (["0-9223372036854775806"], 1, 2**63 - 1),
        ],
    )
    def test_bytes_are_those_covered(self, vault: Rig, ranges: list[str], parts: int, total: int):
        assert sized(vault, *ranges) == PartTotals(parts, total)

    @pytest.mark.parametrize(
        "covered",
        [
            *(
                "",
                "-",
                "0-",
                "-9",
                "9-0",
                "-1-9",
                "0--9",
                "0-9-9",
                "bytes 0-9",
                "0-9/*",
                "0..9",
                "a-b",
                "0 - 9",
            ),
            *(
                "1e1-20",
                "\u0660-9",
                "0-9\n1",
                "0-9223372036854775807",
                "9999999999999999990-9999999999999999999",
                "0-" + "9" * 5000,
                None,
                5,
                ["0-9"],
                {},
            ),
        ],
    )
    def test_a_range_that_cannot_be_read_leaves_the_bytes_unknown(self, vault: Rig, covered: object):
        assert sized(vault, "0-9", covered) == PartTotals(2, None)

    def test_ranges_come_in_any_order_over_pages(self, open_vault: Opener):
        vault = paged(open_vault, 3, [an_upload(8)])
        vault.fault(PARTS, page=lambda page: page | {"Parts": page["Parts"][::-1]})
        assert vault.size(an_upload()) == PartTotals(8, 80)

    def test_ranges_repeated_on_a_later_page_count_once(self, open_vault: Opener):
        vault = paged(open_vault, 2, [an_upload(6)])
        first: list[object] = []

        def repeat(page: dict[str, list[object]]) -> dict[str, object]:
            first[:] = first or page["Parts"]
            return page | {"Parts": first + page["Parts"]}

        vault.fault(PARTS, page=repeat)
        assert vault.size(an_upload()) == PartTotals(6, 60)


class TestEnded:
    @pytest.mark.parametrize("page", [1, 2])
    def test_an_upload_that_ended_is_gone(self, open_vault: Opener, page: int):
        vault = paged(open_vault, 2, [an_upload(5)])
        vault.answer(PARTS, refusal(404, "NoSuchUpload"), {page})
        assert isinstance(failure(vault.size, an_upload()), GoneError)
        assert not vault.traffic.failures

    @pytest.mark.parametrize("name", [VAULT, "uploads", "upload-ID.was_not-found"])
    def test_a_vault_that_is_gone_is_no_ended_upload(self, open_vault: Opener, name: str):
        vault = open_vault(bucket=BucketSettings(name))
        vault.fill([an_upload(1)])
        vault.ids()
        del vault.server.vaults[name]
        for ask in (vault.ids, lambda: vault.size(an_upload())):
            refused = failure(ask)
            assert (type(refused), refused.reason) == (StoreError, Reason.NOT_FOUND)

    @pytest.mark.parametrize(
        "message",
        ["The upload ID was not found: a-vault-of-ids", "Not found.", "", "No upload u1 in vault attic"],
    )
    def test_a_resource_that_may_be_the_upload_is_it(self, vault: Rig, message: str):
        vault.answer(PARTS, error(404, "ResourceNotFoundException", message))
        assert isinstance(failure(vault.size, an_upload()), GoneError)

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (body(b"<html>404</html>", 404), Reason.BAD_RESPONSE),
            (error(404, "UnknownOperationException", "upload"), Reason.BAD_RESPONSE),
            (error(400, "ResourceNotFoundException", "The upload ID was not found: u1"), Reason.NOT_FOUND),
            (error(403, "AccessDeniedException", "upload"), Reason.ACCESS_DENIED),
        ],
    )
    def test_any_other_refusal_says_nothing_of_the_upload(self, vault: Rig, reply: Reply, reason: Reason):
        vault.answer(PARTS, reply)
        refused = failure(vault.size, an_upload())
        assert (type(refused), refused.reason) == (StoreError, reason)


class TestRefusals:
    @pytest.mark.parametrize("operation", [UPLOADS, PARTS])
    def test_throttling_comes_as_a_400_and_is_tried_again(self, vault: Rig, operation: str):
        vault.fill([an_upload(1)])
        vault.answer(operation, error(400, "ThrottlingException", "RateLimit exceeded"), {1, 2})
        ask = vault.ids if operation == UPLOADS else lambda: vault.size(an_upload())
        ask()
        assert vault.traffic.requests == {operation: 3}
        assert vault.traffic.failures == {(operation, Reason.THROTTLED): 2}

    @pytest.mark.parametrize(
        ("status", "code", "reason", "requests"),
        [
            (400, "ThrottlingException", Reason.THROTTLED, 3),
            (400, "PolicyEnforcedException", Reason.THROTTLED, 3),
            (500, "ServiceUnavailableException", Reason.SERVER_ERROR, 3),
            (408, "RequestTimeoutException", Reason.TIMEOUT, 3),
            (400, "UnrecognizedClientException", Reason.CREDENTIALS, 1),
            (403, "InvalidSignatureException", Reason.CREDENTIALS, 1),
            (400, "ExpiredTokenException", Reason.CREDENTIALS, 1),
            (403, "MissingAuthenticationTokenException", Reason.CREDENTIALS, 1),
            (403, "AccessDeniedException", Reason.ACCESS_DENIED, 1),
            (400, "NoLongerSupportedException", Reason.UNSUPPORTED, 1),
            (400, "InvalidParameterValueException", Reason.BAD_RESPONSE, 1),
        ],
    )
    def test_each_has_its_reason(self, vault: Rig, status: int, code: str, reason: Reason, requests: int):
        vault.answer(UPLOADS, error(status, code, "No such luck."))
        refused = failure(vault.ids)
        assert (refused.reason, refused.code, refused.status) == (reason, code, status)
        assert "No such luck." in str(refused)
        assert vault.traffic.requests[UPLOADS] == requests

    @pytest.mark.parametrize(
        "reply",
        [
            body(b"", 400, **{"x-amzn-ErrorType": "ThrottlingException"}),
            body(b"{}", 400, **{"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/"}),
            body(b'{"__type": "com.amazon.coral.service#ThrottlingException"}', 400),
            body(b'{"code": "ThrottlingException", "message": null}', 400),
        ],
    )
    def test_the_code_is_read_wherever_it_stands(self, vault: Rig, reply: Reply):
        vault.answer(UPLOADS, reply)
        refused = failure(vault.ids)
        assert (refused.reason, refused.code) == (Reason.THROTTLED, "ThrottlingException")

    @pytest.mark.parametrize(
        "content",
        [
            *(
                b"",
                b"<html>Bad gateway</html>",
                b"[]",
                b"5",
                b"null",
                b'"x"',
                b"{",
                b"\xff\xfe{}",
                b"[" * 200_000,
            ),
            *(b'{"code": 5}', b'{"code": null, "message": ["x"]}', b'{"__type": {}}', b'{"x": NaN}'),
        ],
    )
    def test_a_refusal_whose_body_says_nothing_goes_by_its_status(self, vault: Rig, content: bytes):
        vault.answer(UPLOADS, body(content, 502))
        refused = failure(vault.ids)
        assert (refused.reason, refused.status, refused.code) == (Reason.SERVER_ERROR, 502, "")
        assert vault.traffic.requests[UPLOADS] == 3

    @pytest.mark.parametrize("status", [201, 202, 204, 301, 307])
    def test_a_page_is_a_200(self, vault: Rig, status: int):
        vault.fault(UPLOADS, reply=lambda reply: replace(reply, status=status))
        assert failure(vault.ids).reason == Reason.BAD_RESPONSE

    def test_a_wrong_secret_is_a_matter_of_credentials(self, open_vault: Opener):
        vault = open_vault()
        vault.server.key.secret = "another"
        assert failure(vault.ids).reason == Reason.CREDENTIALS

    def test_an_unknown_key_is_a_matter_of_credentials(self, open_vault: Opener):
        vault = open_vault()
        vault.server.key.access_key_id = "AKIAANOTHER7EXAMPLE"
        refused = failure(vault.ids)
        assert (refused.reason, refused.status) == (Reason.CREDENTIALS, 400)
