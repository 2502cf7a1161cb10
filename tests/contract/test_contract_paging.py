"""Rule 2: where a listing ends, where it goes on, and where it is refused."""

from dataclasses import replace

import pytest
from cases import in_turn
from contract.rigs import SCAN, UPLOADS, Opener, Rig, Upload, body, fields, ids_of, some_uploads
from contract.rigs import refused as refusal_of
from servers.s3 import Listing, without_arguments
from servers.standin import Request

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.stores.pagination.listing import RestartError

SPELLINGS = {
    "true": ["true", "True", "TRUE", " true ", "\n1\t", "1"],
    "false": ["false", "False", " FALSE", "0"],
}


def paged(open_rig: Opener, size: int, uploads: list[Upload], **settings: object) -> Rig:
    """Return a rig whose server is asked for pages of `size`."""
    rig = open_rig(scan=replace(SCAN, page_size=size), **settings)
    rig.fill(uploads)
    return rig


def refused(rig: Rig) -> StoreError:
    error = refusal_of(rig)
    assert error.reason == Reason.BAD_RESPONSE
    assert rig.traffic.requests[UPLOADS] < 10
    return error


class TestEveryStore:
    def test_an_empty_bucket_has_no_uploads(self, rig: Rig):
        assert rig.ids() == []
        assert rig.traffic.requests == {UPLOADS: 1}

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
    def test_every_upload_is_listed_once_at_any_page_size(self, open_rig: Opener, size: int):
        uploads = some_uploads(12)
        rig = paged(open_rig, size, uploads)
        assert sorted(rig.ids()) == ids_of(uploads)
        assert rig.traffic.requests[UPLOADS] == -(-12 // size)

    def test_the_page_size_is_sent_only_where_it_is_set(self, open_rig: Opener, rig: Rig):
        rig.fill(some_uploads(1))
        rig.ids()
        assert rig.limits[0] not in rig.standin.requests[-1].query
        sized = paged(open_rig, 3, [])
        sized.ids()
        assert sized.standin.requests[-1].query[sized.limits[0]] == ["3"]

    def test_no_parameter_is_sent_empty(self, open_rig: Opener):
        rig = paged(open_rig, 2, some_uploads(5))
        rig.ids()
        sent = [pair for request in rig.standin.requests for pair in request.pairs if request.method == "GET"]
        assert {name for name, value in sent if not value} <= {"uploads"}

    def test_pages_are_yielded_as_they_come(self, open_rig: Opener):
        rig = paged(open_rig, 2, some_uploads(5))
        next(rig.pages())
        assert rig.traffic.requests[UPLOADS] == 1


class TestEnd:
    @in_turn("spelling", SPELLINGS["false"])
    def test_false_ends_whatever_markers_stand_beside_it(self, xml_rig: Rig, spelling: str):
        xml_rig.fill(some_uploads(3))
        xml_rig.fault(
            UPLOADS, page=fields(IsTruncated=spelling, NextKeyMarker="key/000", NextUploadIdMarker="x")
        )
        assert len(xml_rig.ids()) == 3
        assert xml_rig.traffic.requests[UPLOADS] == 1

    @in_turn("spelling", SPELLINGS["true"])
    def test_true_goes_on_however_it_is_spelt(self, open_xml_rig: Opener, spelling: str):
        rig = paged(open_xml_rig, 3, some_uploads(5))
        rig.fault(UPLOADS, {1}, page=fields(IsTruncated=spelling))
        assert len(rig.ids()) == 5

    @in_turn("spelling", ["", "maybe", "yes", "truefalse", "2"])
    def test_anything_else_is_refused(self, xml_rig: Rig, spelling: str):
        xml_rig.fault(UPLOADS, page=fields(IsTruncated=spelling))
        refused(xml_rig)

    def test_said_both_ways_is_refused(self, xml_rig: Rig):
        both = b"<IsTruncated>true</IsTruncated><IsTruncated>false</IsTruncated>"
        xml_rig.fault(
            UPLOADS,
            reply=body(lambda text: text.replace(b"<IsTruncated>false</IsTruncated>", both)),
        )
        refused(xml_rig)

    def test_unsaid_ends_where_no_marker_is_given(self, xml_rig: Rig):
        xml_rig.fill(some_uploads(3))
        xml_rig.fault(UPLOADS, page=fields(IsTruncated=None, NextKeyMarker=None, NextUploadIdMarker=None))
        assert len(xml_rig.ids()) == 3

    def test_unsaid_goes_on_where_a_marker_is_given(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 3, some_uploads(5))
        rig.fault(UPLOADS, {1}, page=fields(IsTruncated=None))
        assert len(rig.ids()) == 5

    def test_short_pages_are_no_end(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 3, some_uploads(9))

        def shorter(page: Listing) -> Listing:
            last = page.items[0]
            markers = {"NextKeyMarker": last["Key"], "NextUploadIdMarker": last["UploadId"]}
            return replace(page, items=page.items[:1], fields=page.fields | markers)

        rig.fault(UPLOADS, {1, 2}, page=shorter)
        assert rig.ids() == ids_of(some_uploads(9))

    def test_empty_truncated_pages_are_no_end(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 3, some_uploads(5))
        rig.fault(UPLOADS, {1}, page=lambda page: empty(page, "key/"))
        rig.fault(UPLOADS, {2}, page=lambda page: empty(page, "key/0"))
        assert rig.ids() == ids_of(some_uploads(5))

    def test_an_empty_last_page_is_an_end_that_one_more_request_confirms(self, xml_rig: Rig):
        xml_rig.fill(some_uploads(4))
        xml_rig.fault(UPLOADS, {1}, page=fields(IsTruncated="true"))
        assert len(xml_rig.ids()) == 4
        assert xml_rig.traffic.requests[UPLOADS] == 3

    @pytest.mark.parametrize("ignored", [1, 2])
    def test_a_server_without_paging_is_listed_whole(self, open_xml_rig: Opener, ignored: int):
        rig = paged(open_xml_rig, ignored, some_uploads(5))
        rig.fault(UPLOADS, request=without_arguments("max-uploads", "key-marker", "upload-id-marker"))
        assert rig.ids() == ids_of(some_uploads(5))

    def test_one_more_than_asked_is_taken(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(7))
        rig.fault(
            UPLOADS, request=lambda r: replace(r, target=r.target.replace("max-uploads=2", "max-uploads=3"))
        )
        assert rig.ids() == ids_of(some_uploads(7))


def empty(page: Listing, key_marker: str) -> Listing:
    changes = {"IsTruncated": "true", "NextKeyMarker": key_marker, "NextUploadIdMarker": ""}
    return replace(page, items=[], fields=page.fields | changes)


class TestMarkers:
    @pytest.mark.parametrize("size", [1, 2, 3])
    @pytest.mark.parametrize("absent", [None, ""])
    def test_without_them_the_last_listed_pair_goes_on(
        self, open_xml_rig: Opener, size: int, absent: str | None
    ):
        uploads = [Upload("one", f"id{number}") for number in range(5)]
        rig = paged(open_xml_rig, size, uploads)
        rig.fault(UPLOADS, page=fields(NextKeyMarker=absent, NextUploadIdMarker=absent))
        assert rig.ids() == ids_of(uploads)

    def test_an_id_without_its_key_is_no_marker(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.fault(UPLOADS, page=fields(NextKeyMarker=None))
        assert rig.ids() == ids_of(some_uploads(5))

    def test_a_key_alone_travels_alone(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.fault(UPLOADS, page=fields(NextUploadIdMarker=None))
        assert rig.ids() == ids_of(some_uploads(5))
        assert all("upload-id-marker" not in request.query for request in rig.standin.requests)

    @in_turn("key", ["None", " ", "null", "a b", "+", "%41", "a//b", "..", "ü", "&<>\"'"])
    @pytest.mark.parametrize("size", [1, 2])
    def test_any_key_may_stand_at_a_page_s_edge(self, open_xml_rig: Opener, key: str, size: int):
        uploads = sorted(
            [Upload(key, "include"), Upload(key, "a"), *some_uploads(3)], key=lambda u: u.key.encode()
        )
        rig = paged(open_xml_rig, size, uploads)
        assert rig.ids() == ids_of(uploads)

    def test_ids_are_not_compared(self, open_xml_rig: Opener):
        uploads = [Upload("one", f"id{9 - number}", initiated=1.7e9 + number) for number in range(9)]
        rig = paged(open_xml_rig, 2, uploads)
        assert rig.ids() == ids_of(uploads)

    def test_opaque_markers_are_handed_back_as_given(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        issued: dict[str, tuple[str, str]] = {}

        def issue(page: Listing) -> Listing:
            asked = list(issued)[-1] if issued else ""
            token = f"+/token {len(issued)}%="
            issued[token] = (page.fields["NextKeyMarker"] or "", page.fields["NextUploadIdMarker"] or "")
            marked = fields(NextKeyMarker=token, NextUploadIdMarker=None)(page)
            marked = fields(KeyMarker=asked, UploadIdMarker="")(marked)
            return replace(marked, items=page.items[::-1])

        def resolve(request: Request) -> Request:
            if not (token := request.argument("key-marker")):
                return request
            key, upload_id = issued[token]
            markers = f"uploads&max-uploads=2&key-marker={key}&upload-id-marker={upload_id}"
            return replace(request, target=f"{request.raw_path}?{markers}")

        rig.fault(UPLOADS, page=issue, request=resolve)
        assert sorted(rig.ids()) == ids_of(some_uploads(5))

    def test_a_repeated_marker_item_counts_once(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 3, some_uploads(8))
        pages: list[Listing] = []

        def inclusive(page: Listing) -> Listing:
            repeated = pages[-1].items[-1:] if pages else []
            pages.append(page)
            return replace(page, items=repeated + page.items)

        rig.fault(UPLOADS, page=inclusive)
        assert rig.ids() == ids_of(some_uploads(8))


class TestNoProgress:
    def test_a_server_that_ignores_markers_is_refused(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.fault(UPLOADS, request=without_arguments("key-marker", "upload-id-marker"))
        assert "does not move" in str(refused(rig))

    @pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"]])
    def test_markers_that_come_again_are_refused(self, open_xml_rig: Opener, cycle: list[str]):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        count = iter(range(100))

        def turn(page: Listing) -> Listing:
            key = cycle[next(count) % len(cycle)]
            return fields(IsTruncated="true", NextKeyMarker=key, NextUploadIdMarker=key)(page)

        ignoring = without_arguments("key-marker", "upload-id-marker")
        rig.fault(UPLOADS, page=turn, request=ignoring)
        refused(rig)

    def test_truncated_for_ever_is_refused(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.fault(UPLOADS, page=fields(IsTruncated="true"))
        refused(rig)

    def test_truncated_with_neither_marker_nor_item_is_refused(self, xml_rig: Rig):
        xml_rig.fault(UPLOADS, page=fields(IsTruncated="true", NextKeyMarker=None, NextUploadIdMarker=None))
        assert "says not where it goes on" in str(refused(xml_rig))


class TestRestart:
    @pytest.mark.parametrize(("status", "code"), [(400, "InvalidArgument"), (404, "NoSuchUpload")])
    def test_a_marker_refused_later_goes_on_by_the_key_alone(
        self, open_xml_rig: Opener, status: int, code: str
    ):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.answer(UPLOADS, rig.refusal(status, code), {2})
        assert rig.ids() == ids_of(some_uploads(5))

    @pytest.mark.parametrize(("status", "code"), [(400, "InvalidArgument"), (404, "NoSuchUpload")])
    def test_a_key_refused_as_well_starts_over(self, open_xml_rig: Opener, status: int, code: str):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.answer(UPLOADS, rig.refusal(status, code), {2, 3})
        with pytest.raises(RestartError):
            rig.ids()
        assert rig.ids() == ids_of(some_uploads(5))

    def test_no_such_upload_on_the_first_page_means_empty(self, xml_rig: Rig):
        xml_rig.answer(UPLOADS, xml_rig.refusal(404, "NoSuchUpload"))
        assert xml_rig.ids() == []

    def test_an_invalid_argument_on_the_first_page_is_a_failure(self, xml_rig: Rig):
        xml_rig.answer(UPLOADS, xml_rig.refusal(400, "InvalidArgument"))
        refused(xml_rig)


class TestChangesMeanwhile:
    @pytest.mark.parametrize("change", ["insert", "end", "end the last"])
    def test_uploads_that_stay_are_listed_once(self, open_xml_rig: Opener, change: str):
        uploads = some_uploads(9)
        rig = paged(open_xml_rig, 3, uploads)
        pages = rig.pages()
        listed = next(pages)
        after = {
            "insert": [Upload("key/000a", "new"), *uploads],
            "end": uploads[1:4] + uploads[5:],
            "end the last": uploads[:8],
        }[change]
        rig.fill(after)
        listed += [upload for page in pages for upload in page]
        ids = [upload.upload_id for upload in listed]
        assert len(ids) == len(set(ids))
        assert {u.upload_id for u in after if u in uploads} <= set(ids)


class TestWhatIsAsked:
    def test_neither_delimiter_nor_encoding(self, open_xml_rig: Opener):
        rig = paged(open_xml_rig, 2, some_uploads(5))
        rig.ids()
        names = {name for request in rig.standin.requests for name in request.query}
        assert names <= {"uploads", "max-uploads", "key-marker", "upload-id-marker"}

    def test_the_prefix_of_the_bucket(self, open_xml_rig: Opener):
        uploads = [Upload("db/1 +%é", "1"), Upload("log/2", "2"), Upload("db/3", "3")]
        rig = paged(open_xml_rig, 1, uploads, bucket=BucketSettings("media", prefix="db/"))
        assert sorted(rig.ids()) == ["1", "3"]
