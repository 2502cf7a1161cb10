"""What the parts of an upload add up to, whatever the pages of ListParts look like."""

import random
from dataclasses import replace

import pytest
from contract.rigs import (
    PARTS,
    SCAN,
    Opener,
    Part,
    Rig,
    Upload,
    body,
    fields,
    items,
    refused,
)
from contract.scans import summary_of
from servers.s3 import EPOCH, Listing, iso, without_arguments

from exporter.model.errors import GoneError, Reason
from exporter.model.uploads import PartTotals

MIB = 2**20


def upload_of(*sizes: int, key: str = "k", numbers: range | list[int] | None = None) -> Upload:
    """Return an upload with parts of these sizes, the newest first."""
    pairs = zip(numbers or range(1, len(sizes) + 1), sizes, strict=True)
    return Upload(key, "id-1", parts=[Part(number, size, EPOCH + 1e6 - number) for number, size in pairs])


def sized(open_rig: Opener, upload: Upload, page_size: int | None) -> Rig:
    rig = open_rig(scan=replace(SCAN, page_size=page_size))
    rig.fill([upload])
    return rig


class TestEveryStore:
    def test_an_upload_without_parts_has_none(self, rig: Rig):
        if rig.is_of_blocks:
            return  # without any there is no upload
        upload = upload_of()
        rig.fill([upload])
        totals = rig.size(upload)
        assert (totals.parts, totals.bytes, totals.last_modified) == (0, 0, None)

    @pytest.mark.parametrize("page_size", [1, 2, 7, None])
    def test_parts_are_counted_once_over_all_pages(self, open_rig: Opener, page_size: int | None):
        upload = upload_of(*[MIB] * 6, 1000)
        rig = sized(open_rig, upload, page_size)
        totals = rig.size(upload)
        assert (totals.parts, totals.bytes) == (7, 6 * MIB + 1000)
        assert rig.traffic.requests == {PARTS: 1 if rig.is_of_blocks else -(-7 // (page_size or 7))}

    def test_an_upload_that_is_not_there_has_ended(self, rig: Rig):
        with pytest.raises(GoneError):
            rig.size(upload_of(MIB))
        assert rig.traffic.failures == {}

    def test_the_fullest_upload_has_the_most_parts_not_the_most_bytes(self, rig: Rig):
        rig.fill([upload_of(1, 2, 3, key="a"), replace(upload_of(9 * MIB, 1, key="b"), upload_id="id-2")])
        assert summary_of(rig).fullest_upload_parts == 3

    def test_many_parts(self, rig: Rig):
        upload = upload_of(*[MIB] * 1500)
        rig.fill([upload])
        assert rig.size(upload).bytes == 1500 * MIB


class TestXml:
    def test_the_newest_part_is_the_last_activity(self, xml_rig: Rig):
        upload = upload_of(1, 2, 3)
        xml_rig.fill([replace(upload, storage_class="GLACIER")])
        assert xml_rig.size(upload) == PartTotals(3, 6, EPOCH + 1e6 - 1, "GLACIER")

    @pytest.mark.parametrize("ended", ["NoSuchUpload", "NoSuchKey"])
    def test_ended_is_said_in_two_ways(self, xml_rig: Rig, ended: str):
        xml_rig.answer(PARTS, xml_rig.refusal(404, ended))
        with pytest.raises(GoneError):
            xml_rig.size(upload_of(1))

    def test_a_bucket_that_is_gone_is_no_ended_upload(self, xml_rig: Rig):
        xml_rig.answer(PARTS, xml_rig.refusal(404, "NoSuchBucket"))
        error = refused(xml_rig, upload_of(1))
        assert (error.reason, type(error) is GoneError) == (Reason.NOT_FOUND, False)

    @pytest.mark.parametrize("marker", [None, "", "0", "none", "-1", "1e3"])
    @pytest.mark.parametrize("size", [1, 2])
    def test_without_a_marker_the_last_number_goes_on(
        self, open_xml_rig: Opener, size: int, marker: str | None
    ):
        upload = upload_of(*range(1, 6), numbers=[3, 5, 900, 901, 10000])
        rig = sized(open_xml_rig, upload, size)
        rig.fault(PARTS, page=fields(NextPartNumberMarker=marker))
        assert rig.size(upload).bytes == 15

    def test_a_marker_on_the_last_page_is_not_followed(self, xml_rig: Rig):
        upload = upload_of(1, 2)
        xml_rig.fill([upload])
        xml_rig.fault(PARTS, page=fields(NextPartNumberMarker="2"))
        xml_rig.size(upload)
        assert xml_rig.traffic.requests == {PARTS: 1}

    def test_a_marker_that_means_the_next_part_is_handed_back_as_given(self, open_xml_rig: Opener):
        upload = upload_of(1, 2, 3, 4, 5)
        rig = sized(open_xml_rig, upload, 2)

        def beyond(page: Listing) -> Listing:
            first, last = (int(page.items[number]["PartNumber"] or 0) for number in (0, -1))
            asked = "0" if first == 1 else str(first)
            return fields(PartNumberMarker=asked, NextPartNumberMarker=str(last + 1))(page)

        def at(request: object) -> object:
            marker = int(request.argument("part-number-marker", "1"))
            marked = without_arguments("part-number-marker")(request)
            return replace(marked, target=f"{marked.target}&part-number-marker={marker - 1}")

        rig.fault(PARTS, page=beyond, request=at)
        assert rig.size(upload).bytes == 15

    @pytest.mark.parametrize("truncated", ["true", "false"])
    def test_a_server_that_ignores_markers_counts_no_part_twice(self, open_xml_rig: Opener, truncated: str):
        upload = upload_of(1, 2, 3, 4, 5)
        rig = sized(open_xml_rig, upload, 5)
        rig.fault(PARTS, {1}, page=fields(IsTruncated="true"))
        rig.fault(PARTS, {2}, request=without_arguments("part-number-marker"))
        rig.fault(PARTS, {2}, page=fields(IsTruncated=truncated))
        if truncated == "true":
            assert refused(rig, upload).reason == Reason.BAD_RESPONSE
        else:
            assert rig.size(upload) == PartTotals(5, 15, EPOCH + 1e6 - 1, "STANDARD")

    @pytest.mark.parametrize("first", [True, False])
    @pytest.mark.parametrize(("later", "size"), [(5, 705), (0, None), (-5, 6)])
    def test_of_a_part_listed_twice_the_one_that_was_sent_last_counts(
        self, page_rig: Rig, later: int, size: int | None, *, first: bool
    ):
        upload = upload_of(1, 2, 3)
        page_rig.fill([upload])
        again = {"Size": "700", "LastModified": iso(upload.parts[0].modified + later)}

        def twice(page: Listing) -> Listing:
            other = page.items[0] | again
            return replace(page, items=[other, *page.items] if first else [*page.items, other])

        page_rig.fault(PARTS, page=twice)
        totals = page_rig.size(upload)
        in_order = 6 if first else 705
        assert (3, size or in_order) == (totals.parts, totals.bytes)
        assert EPOCH + 1e6 - 1 + max(later, 0) == totals.last_modified

    @pytest.mark.parametrize("seed", range(3))
    def test_parts_may_come_in_any_order(self, open_xml_rig: Opener, seed: int):
        upload = upload_of(*range(1, 31))
        rig = sized(open_xml_rig, upload, 10)

        def shuffled(page: Listing) -> Listing:
            items = page.items[:]
            random.Random(seed).shuffle(items)
            return replace(page, items=items)

        rig.fault(PARTS, page=shuffled)
        assert rig.size(upload).bytes == sum(range(1, 31))

    def test_ten_thousand_parts(self, page_rig: Rig):
        upload = upload_of(*[5 * MIB] * 10_000)
        page_rig.fill([upload])
        totals = page_rig.size(upload)
        assert (totals.parts, totals.bytes) == (10_000, 10_000 * 5 * MIB)
        assert page_rig.traffic.requests == {PARTS: 10}

    def test_truncated_with_neither_marker_nor_part_is_refused(self, page_rig: Rig):
        upload = upload_of()
        page_rig.fill([upload])
        page_rig.fault(PARTS, page=fields(IsTruncated="true", NextPartNumberMarker=None))
        assert refused(page_rig, upload).reason == Reason.BAD_RESPONSE

    def test_truncated_for_ever_is_refused(self, open_xml_rig: Opener):
        upload = upload_of(1, 2, 3)
        rig = sized(open_xml_rig, upload, 2)
        rig.fault(PARTS, page=fields(IsTruncated="true"))
        assert refused(rig, upload).reason == Reason.BAD_RESPONSE
        assert rig.traffic.requests[PARTS] < 10

    def test_a_completed_upload_that_still_lists_its_parts_is_sized(self, page_rig: Rig):
        upload = upload_of(1, 2)
        page_rig.fill([upload])
        page_rig.fault(PARTS, page=fields(StorageClass=None, Initiator=None, Owner=None))
        assert (page_rig.size(upload).bytes, page_rig.size(upload).storage_class) == (3, "")

    @pytest.mark.parametrize(
        "size", [None, "", " ", "-1", "1e6", "1.0", "1_000", "\u0661", "0x10", "+5", "9" * 25]
    )
    def test_a_size_that_is_no_count_of_bytes_leaves_the_bytes_unknown(self, page_rig: Rig, size: str | None):
        upload = upload_of(1, 2)
        page_rig.fill([upload])
        page_rig.fault(PARTS, page=items(1, Size=size))
        totals = page_rig.size(upload)
        assert (totals.parts, totals.bytes) == (2, None)

    @pytest.mark.parametrize(
        ("sizes", "total"),
        [
            ((2**62, 2**53 + 1), 2**62 + 2**53 + 1),
            ((2**63 - 2, 1), 2**63 - 1),
            ((2**63 - 1, 1), None),
            ((2**63, 1), None),
            ((10**19 - 1, 1), None),
        ],
    )
    def test_huge_sizes_are_added_exactly_up_to_what_can_be_stored(
        self, page_rig: Rig, sizes: tuple[int, int], total: int | None
    ):
        upload = upload_of(*sizes)
        page_rig.fill([upload])
        totals = page_rig.size(upload)
        assert (totals.parts, totals.bytes) == (2, total)

    @pytest.mark.parametrize("number", [None, "", "x"])
    def test_a_part_without_a_number_is_counted_and_its_bytes_are_unknown(
        self, page_rig: Rig, number: str | None
    ):
        upload = upload_of(1, 2)
        page_rig.fill([upload])
        page_rig.fault(
            PARTS,
            page=items(1, PartNumber=number),
        )
        totals = page_rig.size(upload)
        assert (totals.parts, totals.bytes) == (2, None)

    @pytest.mark.parametrize("modified", [None, "", "soon", "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
    def test_a_part_whose_time_cannot_be_believed_is_no_activity(self, page_rig: Rig, modified: str | None):
        upload = upload_of(1, 2)
        page_rig.fill([upload])
        page_rig.fault(
            PARTS,
            page=lambda page: replace(
                page, items=[page.items[0] | {"LastModified": modified}, page.items[1]]
            ),
        )
        assert page_rig.size(upload).last_modified == EPOCH + 1e6 - 2

    def test_a_prefixed_body_is_read_as_well(self, page_rig: Rig):
        upload = upload_of(1, 2)
        page_rig.fill([upload])
        page_rig.fault(PARTS, reply=body(lambda text: b"\xef\xbb\xbf" + text))
        assert page_rig.size(upload).bytes == 3
