"""Rule 5 and the fields of an upload: dates that can be believed, and keys whatever is in them."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from cases import in_turn
from contract.keys import CONTROL_KEYS, ODD_KEYS
from contract.rigs import PARTS, SCAN, UPLOADS, Opener, Part, Rig, Upload, body, fields, items, refused
from servers.s3 import Listing
from servers.standin import Reply

from exporter.model.errors import Reason, StoreError

NOON = datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC).timestamp()
READABLE = {
    "2024-02-29T12:34:56Z": NOON,
    "2024-02-29T12:34:56.789Z": NOON + 0.789,
    "2024-02-29T12:34:56.123456789Z": NOON + 0.123456789,
    "2024-02-29T12:34:56": NOON,
    "2024-02-29 12:34:56": NOON,
    "2024-02-29T20:34:56+08:00": NOON,
    "2024-02-29T07:04:56.5-0530": NOON + 0.5,
    "Thu, 29 Feb 2024 12:34:56 GMT": NOON,
    "Thu, 29 Feb 2024 13:34:56 +0100": NOON,
    "Thu Feb 29 12:34:56 2024": NOON,
    "2024/02/29 12:34:56": NOON,
    " 2024-02-29T12:34:56Z\n": NOON,
}
UNBELIEVABLE = [
    None,
    "",
    "   ",
    "now",
    "2024",
    "20240229",
    "12:34",
    "2024-02-30T00:00:00Z",
    "2024-02-29T25:00:00Z",
    "1709210096",
    "1709210096000",
    "0",
    "-1",
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2005-12-31T23:59:59Z",
    "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2024-02-29T12:34:56+99:99",
    "x" * 10_000,
]


def listed(rig: Rig, initiated: str | None, date: str | None = "") -> float | None:
    """List one upload initiated then; `date` is the server's Date header, '' for the true one."""
    rig.fill([Upload("k", "id-1")])
    rig.fault(UPLOADS, page=items(0, Initiated=initiated))
    if date != "":
        rig.fault(UPLOADS, reply=lambda reply: replace(reply, headers={**reply.headers, "Date": date}))
    (upload,) = rig.uploads()
    return upload.initiated


def http_date(moment: datetime) -> str:
    return formatdate(moment.timestamp(), usegmt=True)


class TestInitiated:
    def test_every_store_s_own_dates_are_exact(self, rig: Rig):
        rig.fill([Upload("k", "id-1", initiated=NOON + 0.125)])
        exact = pytest.approx(NOON + 0.125, abs=1e-6) if rig.store.has_initiation_times else None
        assert [exact] == [upload.initiated for upload in rig.uploads()]

    @in_turn("text", READABLE)
    def test_dates_of_every_shape(self, page_rig: Rig, text: str):
        assert listed(page_rig, text) == pytest.approx(READABLE[text], abs=1e-6)

    @in_turn("text", UNBELIEVABLE)
    def test_an_upload_with_an_unbelievable_date_is_listed_undated(self, page_rig: Rig, text: str | None):
        assert listed(page_rig, text) is None

    def test_one_bad_date_spoils_no_other(self, page_rig: Rig):
        page_rig.fill([Upload("a", "id-1", NOON), Upload("b", "id-2", NOON), Upload("c", "id-3", NOON)])
        page_rig.fault(UPLOADS, page=items(1, Initiated="yesterday"))
        assert [upload.initiated for upload in page_rig.uploads()] == [NOON, None, NOON]

    @pytest.mark.parametrize(("minutes", "dated"), [(-60, True), (0, True), (14, True), (16, False)])
    @pytest.mark.parametrize("year", [2010, 2040])
    def test_the_store_s_clock_decides_what_is_later(
        self, page_rig: Rig, year: int, minutes: int, *, dated: bool
    ):
        now = datetime(year, 6, 1, 12, 0, tzinfo=UTC)
        initiated = datetime.fromtimestamp(now.timestamp() + 60 * minutes, UTC)
        found = listed(page_rig, initiated.isoformat(), http_date(now))
        assert found == (initiated.timestamp() if dated else None)

    @pytest.mark.parametrize("date", [None, "", "soon", "Thu, 99 Foo 2024 12:34:56 GMT"])
    def test_without_its_clock_ours_decides(self, page_rig: Rig, date: str | None):
        if date == "":
            date = " "
        assert listed(page_rig, "2024-02-29T12:34:56Z", date) == NOON
        page_rig.reset()
        assert listed(page_rig, "2999-01-01T00:00:00Z", date) is None


class TestOptionalFields:
    def test_only_key_and_id_are_needed(self, page_rig: Rig):
        page_rig.fill([Upload("k", "id-1", NOON)])
        page_rig.fault(UPLOADS, page=items(0, Initiated=None, Owner=None, Initiator=None, StorageClass=None))
        (upload,) = page_rig.uploads()
        assert (upload.key, upload.upload_id, upload.initiated, upload.storage_class) == (
            "k",
            "id-1",
            None,
            "",
        )

    def test_a_page_of_names_and_nothing_else(self, page_rig: Rig):
        page_rig.fill([Upload("k", "id-1")])
        absent = dict.fromkeys(["Bucket", "KeyMarker", "UploadIdMarker", "MaxUploads", "IsTruncated"])
        page_rig.fault(UPLOADS, page=fields(**absent, NextKeyMarker=None, NextUploadIdMarker=None))
        assert page_rig.ids() == ["id-1"]

    def test_numbers_that_are_none_spoil_nothing(self, page_rig: Rig):
        page_rig.fill([Upload("k", "id-1", parts=[Part(1, 5)])])
        page_rig.fault(UPLOADS, page=fields(MaxUploads=""))
        page_rig.fault(PARTS, page=fields(MaxParts="1e6", PartNumberMarker=""))
        assert page_rig.ids() == ["id-1"]
        assert page_rig.size(Upload("k", "id-1")).bytes == 5

    def test_a_repeated_field_is_its_first(self, page_rig: Rig):
        page_rig.fill([Upload("k", "id-1")])
        page_rig.fault(UPLOADS, reply=body(lambda text: text.replace(b"</Key>", b"</Key><Key>other</Key>")))
        assert [upload.key for upload in page_rig.uploads()] == ["k"]

    def test_the_storage_class_is_kept(self, page_rig: Rig):
        page_rig.fill([Upload("k", "id-1", storage_class="DEEP_ARCHIVE")])
        assert [upload.storage_class for upload in page_rig.uploads()] == ["DEEP_ARCHIVE"]


class TestKeys:
    @in_turn("key", ODD_KEYS)
    def test_odd_keys_are_listed_and_sized(self, xml_rig: Rig, key: str):
        upload = Upload(key, "id-1", parts=[Part(1, 77)])
        xml_rig.fill([upload])
        assert [found.key for found in xml_rig.uploads()] == [key]
        assert xml_rig.size(upload).bytes == 77

    @in_turn("key", CONTROL_KEYS)
    @pytest.mark.parametrize("as_reference", [False, True])
    def test_keys_that_xml_forbids_are_listed_and_sized(
        self, open_page_rig: Opener, key: str, *, as_reference: bool
    ):
        uploads = [Upload(key, f"id-{number}", parts=[Part(1, 77)]) for number in range(3)]
        rig = open_page_rig(scan=replace(SCAN, page_size=1))
        rig.fill(uploads)
        if as_reference:
            rig.fault(UPLOADS, page=referring)
            rig.fault(PARTS, page=referring)
        assert [(found.key, found.upload_id) for found in rig.uploads()] == [
            (key, upload.upload_id) for upload in uploads
        ]
        assert rig.size(uploads[1]).bytes == 77

    @in_turn("reference", ["&#1;", "&#x1;", "&#x01;", "&#X1;", "&#0;", "&#xD800;", "&#99999999;"])
    def test_references_to_what_is_no_character_never_lose_an_upload(self, page_rig: Rig, reference: str):
        page_rig.fill([Upload("KEY", "id-1"), Upload("L", "id-2")])
        page_rig.fault(UPLOADS, reply=body(lambda text: text.replace(b"KEY", reference.encode())))
        try:
            assert page_rig.ids() == ["id-1", "id-2"]
        except StoreError as error:
            assert error.reason == Reason.BAD_RESPONSE  # noqa: PT017 - either will do

    def test_a_key_that_is_not_utf_8_is_counted(self, page_rig: Rig):
        page_rig.fill([Upload("KEY", "id-1"), Upload("L", "id-2")])
        page_rig.fault(UPLOADS, reply=body(lambda text: text.replace(b"KEY", b"caf\xe9 \xff")))
        uploads = page_rig.uploads()
        assert [upload.upload_id for upload in uploads] == ["id-1", "id-2"]
        error = refused(page_rig, Upload(uploads[0].key, "id-1"))
        assert error.reason == Reason.UNSUPPORTED

    def test_an_encoding_the_xml_declares_is_used(self, page_rig: Rig):
        page_rig.fill([Upload("KEY", "id-1")])

        def latin(reply: Reply) -> Reply:
            text = reply.body.replace(b"UTF-8", b"ISO-8859-1").replace(b"KEY", b"caf\xe9")
            return replace(reply, body=text)

        page_rig.fault(UPLOADS, reply=latin)
        assert [upload.key for upload in page_rig.uploads()] == ["caf\u00e9"]

    def test_an_encoding_nobody_knows_is_refused(self, page_rig: Rig):
        page_rig.fault(UPLOADS, reply=body(lambda text: text.replace(b"UTF-8", b"KOI-99")))
        assert refused(page_rig).reason == Reason.BAD_RESPONSE

    @pytest.mark.parametrize("count", [900, 1000])
    def test_pages_of_the_longest_keys(self, page_rig: Rig, count: int):
        page_rig.fill([Upload(f"{number:04}" + "&" * 1020, f"id-{number:04}") for number in range(count)])
        assert len(page_rig.ids()) == count


def referring(page: Listing) -> Listing:
    """Return a page that writes control characters as references, as Ceph does for ListParts."""
    written = page.write

    def write(text: str) -> str:
        return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", lambda m: f"&#x{ord(m[0]):02x};", written(text))

    return replace(page, write=write)
