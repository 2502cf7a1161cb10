"""Glacier's fields, its parts by range, and its refusals."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from contract.rig_glacier import (
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
from contract.rigs import PARTS, UPLOADS
from servers.glacier import error, with_ranges
from servers.standin import Reply

from exporter.config.settings import BucketSettings
from exporter.model import GoneError, PartTotals, Reason, StoreError


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


def sized(rig: GlacierRig, *ranges: object) -> PartTotals:
    """Return the totals of an upload whose parts are said to be these."""
    rig.fill([an_upload()])
    rig.fault(PARTS, page=with_ranges(*ranges))
    return rig.size(an_upload())


class TestFields:
    def listed(self, rig: GlacierRig, **fields: object):
        upload = {"MultipartUploadId": "u1", **fields}
        rig.fault(UPLOADS, page=lambda page: page | {"UploadsList": [upload]})
        return rig.uploads()[0]

    @pytest.mark.parametrize(
        ("description", "key"),
        [(None, ""), ("", ""), (5, ""), ("dump.tar", "dump.tar"), ("é \n", "é \n"), ("null", "null")],
    )
    def test_the_key_is_the_description(self, rig: GlacierRig, description: object, key: str):
        assert self.listed(rig, ArchiveDescription=description).key == key

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
    def test_the_initiation_is_a_text_to_be_believed(
        self, rig: GlacierRig, text: object, initiated: float | None
    ):
        assert self.listed(rig, CreationDate=text).initiated == initiated

    def test_the_store_s_clock_says_what_is_the_future(self, rig: GlacierRig):
        rig.fault(
            UPLOADS,
            reply=lambda r: replace(r, headers={**r.headers, "Date": "Sun, 01 Jan 2012 00:00:00 GMT"}),
        )
        assert self.listed(rig, CreationDate="2012-03-19T23:20:59.130Z").initiated is None

    def test_the_storage_class_is_glacier(self, rig: GlacierRig):
        assert self.listed(rig).storage_class == "GLACIER"
        assert rig.store.has_part_times is False


class TestParts:
    @pytest.mark.parametrize(("parts_page", "size"), [(10, None), (50, None), (10, 50), (50, 10), (50, 1)])
    @pytest.mark.parametrize("count", [0, 1, 10, 11, 35])
    def test_pages_of_any_size_add_up(self, open_rig: Opener, parts_page: int, size: int | None, count: int):
        rig = paged(open_rig, size, [an_upload(count)], parts_page=parts_page)
        assert rig.size(an_upload()) == PartTotals(count, 10 * count)
        asked = min(parts_page, size or parts_page)
        assert rig.traffic.requests[PARTS] == max(1, -(-count // asked))

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
            (["0-9223372036854775807"], 1, 2**63),
        ],
    )
    def test_bytes_are_those_covered(self, rig: GlacierRig, ranges: list[str], parts: int, total: int):
        assert sized(rig, *ranges) == PartTotals(parts, total)

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
            *("1e1-20", "\u0660-9", "0-9\n1", "0-" + "9" * 5000, None, 5, ["0-9"], {}),
        ],
    )
    def test_a_range_that_cannot_be_read_leaves_the_bytes_unknown(self, rig: GlacierRig, covered: object):
        assert sized(rig, "0-9", covered) == PartTotals(2, None)

    def test_ranges_come_in_any_order_over_pages(self, open_rig: Opener):
        rig = paged(open_rig, 3, [an_upload(8)])
        rig.fault(PARTS, page=lambda page: page | {"Parts": page["Parts"][::-1]})
        assert rig.size(an_upload()) == PartTotals(8, 80)

    def test_ranges_repeated_on_a_later_page_count_once(self, open_rig: Opener):
        rig = paged(open_rig, 2, [an_upload(6)])
        first: list[object] = []

        def repeat(page: dict[str, list[object]]) -> dict[str, object]:
            first[:] = first or page["Parts"]
            return page | {"Parts": first + page["Parts"]}

        rig.fault(PARTS, page=repeat)
        assert rig.size(an_upload()) == PartTotals(6, 60)


class TestEnded:
    @pytest.mark.parametrize("page", [1, 2])
    def test_an_upload_that_ended_is_gone(self, open_rig: Opener, page: int):
        rig = paged(open_rig, 2, [an_upload(5)])
        rig.answer(PARTS, refusal(404, "NoSuchUpload"), {page})
        assert isinstance(failure(lambda: rig.size(an_upload())), GoneError)
        assert not rig.traffic.failures

    @pytest.mark.parametrize("name", [VAULT, "uploads", "upload-ID.was_not-found"])
    def test_a_vault_that_is_gone_is_no_ended_upload(self, open_rig: Opener, name: str):
        rig = open_rig(bucket=BucketSettings(name))
        rig.fill([an_upload(1)])
        rig.ids()
        del rig.glacier.vaults[name]
        for ask in (rig.ids, lambda: rig.size(an_upload())):
            refused = failure(ask)
            assert (type(refused), refused.reason) == (StoreError, Reason.NOT_FOUND)

    @pytest.mark.parametrize(
        "message",
        ["The upload ID was not found: a-vault-of-ids", "Not found.", "", "No upload u1 in vault attic"],
    )
    def test_a_resource_that_may_be_the_upload_is_it(self, rig: GlacierRig, message: str):
        rig.answer(PARTS, error(404, "ResourceNotFoundException", message))
        assert isinstance(failure(lambda: rig.size(an_upload())), GoneError)

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [
            (body(b"<html>404</html>", 404), Reason.BAD_RESPONSE),
            (error(404, "UnknownOperationException", "upload"), Reason.BAD_RESPONSE),
            (error(400, "ResourceNotFoundException", "The upload ID was not found: u1"), Reason.NOT_FOUND),
            (error(403, "AccessDeniedException", "upload"), Reason.ACCESS_DENIED),
        ],
    )
    def test_any_other_refusal_says_nothing_of_the_upload(
        self, rig: GlacierRig, reply: Reply, reason: Reason
    ):
        rig.answer(PARTS, reply)
        refused = failure(lambda: rig.size(an_upload()))
        assert (type(refused), refused.reason) == (StoreError, reason)


class TestRefusals:
    @pytest.mark.parametrize("operation", [UPLOADS, PARTS])
    def test_throttling_comes_as_a_400_and_is_tried_again(self, rig: GlacierRig, operation: str):
        rig.fill([an_upload(1)])
        rig.answer(operation, error(400, "ThrottlingException", "Rate exceeded"), {1, 2})
        ask = rig.ids if operation == UPLOADS else lambda: rig.size(an_upload())
        ask()
        assert rig.traffic.requests == {operation: 3}
        assert rig.traffic.failures == {(operation, Reason.THROTTLED): 2}

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
    def test_each_has_its_reason(
        self, rig: GlacierRig, status: int, code: str, reason: Reason, requests: int
    ):
        rig.answer(UPLOADS, error(status, code, "No such luck."))
        refused = failure(rig.ids)
        assert (refused.reason, refused.code, refused.status) == (reason, code, status)
        assert "No such luck." in str(refused)
        assert rig.traffic.requests[UPLOADS] == requests

    @pytest.mark.parametrize(
        "reply",
        [
            body(b"", 400, **{"x-amzn-ErrorType": "ThrottlingException"}),
            body(b"{}", 400, **{"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/"}),
            body(b'{"__type": "com.amazon.coral.service#ThrottlingException"}', 400),
            body(b'{"code": "ThrottlingException", "message": null}', 400),
        ],
    )
    def test_the_code_is_read_wherever_it_stands(self, rig: GlacierRig, reply: Reply):
        rig.answer(UPLOADS, reply)
        refused = failure(rig.ids)
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
    def test_a_refusal_whose_body_says_nothing_goes_by_its_status(self, rig: GlacierRig, content: bytes):
        rig.answer(UPLOADS, body(content, 502))
        refused = failure(rig.ids)
        assert (refused.reason, refused.status, refused.code) == (Reason.SERVER_ERROR, 502, "")
        assert rig.traffic.requests[UPLOADS] == 3

    @pytest.mark.parametrize("status", [201, 202, 204, 301, 307])
    def test_a_page_is_a_200(self, rig: GlacierRig, status: int):
        rig.fault(UPLOADS, reply=lambda reply: replace(reply, status=status))
        assert failure(rig.ids).reason == Reason.BAD_RESPONSE

    def test_a_wrong_secret_is_a_matter_of_credentials(self, open_rig: Opener):
        rig = open_rig()
        rig.glacier.key.secret = "another"
        assert failure(rig.ids).reason == Reason.CREDENTIALS

    def test_an_unknown_key_is_a_matter_of_credentials(self, open_rig: Opener):
        rig = open_rig()
        rig.glacier.key.access_key_id = "AKIAANOTHER7EXAMPLE"
        refused = failure(rig.ids)
        assert (refused.reason, refused.status) == (Reason.CREDENTIALS, 400)
