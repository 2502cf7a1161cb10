"""XML pages: whatever the key, it comes back as it was; whatever else comes, it is refused."""

import itertools
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from xml.sax.saxutils import escape

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Part, Upload
from exporter.stores import timestamps
from exporter.stores.base import Page, PageRequest
from exporter.stores.parsing import repair
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.pages import read_error, read_parts, read_uploads
from exporter.stores.transport.response import Response

NOW = 1.8e9
LISTING = PageRequest(BucketSettings("b"), None, None)
PARTS_OF_K = PageRequest(LISTING.bucket, Upload("k", "i"), None)
FORBIDDEN = "".join(map(chr, itertools.chain(range(9), (11, 12), range(14, 32)))) + "\ufffe\uffff"
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
control_keys = st.text(st.sampled_from(FORBIDDEN + "\ue000abc123&<>;# \u00e9"), min_size=1, max_size=20)
any_key = st.one_of(keys, control_keys)


def page(*written: str, head: str = "") -> Response:
    """Return a page of uploads whose keys are written like this."""
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>id-{number}</UploadId></Upload>"
        for number, key in enumerate(written)
    )
    text = f"<ListMultipartUploadsResult>{head}{uploads}</ListMultipartUploadsResult>"
    return Response(200, {}, text.encode("utf-8", "surrogatepass"))


def keys_of(answer: Response) -> list[str]:
    return [upload.key for upload in read_uploads(LISTING, answer, None, NOW).items]


def raw(key: str) -> str:
    """Write what XML has a name for, and no more; a bare CR would be read as LF."""
    return escape(key, {"\r": "&#13;"})


def decimal(key: str) -> str:
    return "".join(f"&#{ord(char)};" if char in FORBIDDEN + "\r\n\t" else escape(char) for char in key)


def hexadecimal(key: str) -> str:
    return "".join(f"&#x{ord(char):02X};" for char in key)


class TestKeys:
    @settings(deadline=None)
    @given(st.lists(any_key, min_size=1, max_size=5), st.sampled_from([raw, decimal, hexadecimal]))
    @example(["\ue000000001\x01"], raw)
    @example(["\x01", "\ue000", "&#1;", "&amp;#x01;"], raw)
    @example(["&#xE000;"], decimal)
    def test_any_key_survives_however_it_is_written(self, names: list[str], write: object):
        assert keys_of(page(*map(write, names))) == names

    @settings(deadline=None)
    @given(control_keys, st.sampled_from([raw, decimal, hexadecimal]))
    def test_markers_are_repaired_alike(self, key: str, write: object):
        head = f"<IsTruncated>true</IsTruncated><NextKeyMarker>{write(key)}</NextKeyMarker>"
        found = read_uploads(LISTING, page("\x01", head=head), None, NOW)
        assert found.next_marker == (key, "")

    @settings(deadline=None)
    @given(st.binary(min_size=1, max_size=30).filter(lambda text: not set(text) & set(b"<>&\r")))
    def test_keys_that_are_no_utf_8_are_kept_apart(self, key: bytes):
        (found,) = keys_of(Response(200, {}, page("KEY").body.replace(b"KEY", key)))
        assert found.encode("utf-8", "surrogateescape") == key

    @settings(deadline=None)
    @given(st.lists(any_key, min_size=1, max_size=5), st.sampled_from(["", "\n", "\r\n", "\r\n  "]))
    @example(["\r"], "\r\n")
    @example(["\r\n", "a\r\nb\r", "\n\r\n", "<Key>\r</Key>"], "\r\n  ")
    @example(["cr\r", "\x01\r"], "")
    def test_a_raw_carriage_return_survives_whatever_ends_the_lines(self, names: list[str], between: str):
        body = page(*map(escape, names)).body
        for tag in (b"<Upload>", b"</Upload>", b"<Key>", b"<UploadId>"):
            body = body.replace(tag, between.encode() + tag)
        assert keys_of(Response(200, {}, body)) == names

    @pytest.mark.parametrize("form", ["{}", "s:{}", "{} a='b'", "{}\r\n"])
    @pytest.mark.parametrize(
        "text",
        [
            "a\r",
            "<![CDATA[\r<b>]]>",
            "\r<!-- c -->",
            "<!-- <\r -->a\r",
            "\r\n<![CDATA[\r<]]>\r",
            "<!-- \r --><?x \r?>\r",
            "a<![CDATA[\r]]>",
        ],
    )
    def test_it_survives_in_any_form_of_the_element(self, form: str, text: str):
        tag = form.format("Key")
        element = f"<{tag}>{text}</{tag.split()[0]}>"
        body = page("KEY").body.decode().replace("<Key>KEY</Key>", element)
        body = body.replace("Result>", "Result xmlns:s='urn:s'>", 1)
        (found,) = keys_of(Response(200, {}, body.encode()))
        assert found == re.sub(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>", "", text)

    def test_an_upload_id_alone_is_a_marker(self):
        head = "<NextKeyMarker/><NextUploadIdMarker>i</NextUploadIdMarker>"
        assert read_uploads(LISTING, page("k", head=head), None, NOW).next_marker == ("", "i")

    def test_it_survives_in_the_marker_of_a_key(self):
        head = "<NextKeyMarker>a\r</NextKeyMarker><NextUploadIdMarker>i</NextUploadIdMarker>"
        assert read_uploads(LISTING, page("k", head=head), None, NOW).next_marker == ("a\r", "i")

    def test_fields_that_are_no_keys_are_read_as_xml_says(self):
        damaged = "\r\ni\r</UploadId><StorageClass>C\r\n</StorageClass>"
        body = page("k\r").body.replace(b"id-0</UploadId>", damaged.encode())
        found = read_uploads(LISTING, Response(200, {}, body), None, NOW)
        assert found.items == [Upload("k\r", "i", None, "C")]

    @pytest.mark.parametrize(
        "text", ["<Key>" * 99, "<Key><![CDATA[" * 99, "<Key><!--" * 99, "<a:" * 99, "<Key a"]
    )
    def test_it_is_looked_for_in_what_is_no_xml(self, text: str):
        with pytest.raises(StoreError):
            keys_of(Response(200, {}, f"<ListMultipartUploadsResult>{text}\r".encode()))

    def test_cdata_is_text(self):
        assert keys_of(page("<![CDATA[a<b&c]]>")) == ["a<b&c"]

    def test_a_page_that_parses_is_not_repaired(self):
        assert keys_of(page("\ue000000041")) == ["\ue000000041"]


class TestProof:
    @settings(deadline=None)
    @given(st.binary(max_size=200))
    @example(b"\xff\xfe<\x00!\x00D\x00O\x00C\x00T\x00Y\x00P\x00E\x00")
    @example(b"<?xml version='1.0' encoding='utf-7'?><x/>")
    @example(b"<?xml version='1.0' encoding='idna'?><x/>")
    @example(b"<" * 10_000)
    @example(b"<a>" * 50_000)
    def test_no_bytes_are_a_page_by_chance(self, text: bytes):
        assume(b"Result" not in text)
        for read, request in ((read_uploads, LISTING), (read_parts, PARTS_OF_K)):
            with pytest.raises(StoreError) as caught:
                read(request, Response(200, {}, text), "b", NOW)
            assert caught.value.reason == Reason.BAD_RESPONSE

    @settings(deadline=None)
    @given(st.integers(0, 400))
    def test_no_part_of_a_page_is_a_page(self, end: int):
        body = page(*(f"k\x01{number}" for number in range(3))).body
        with pytest.raises(StoreError):
            read_uploads(LISTING, Response(200, {}, body[: min(end, len(body) - 1)]), "b", NOW)

    def test_uploads_that_are_grouped_by_a_delimiter_are_no_listing(self):
        grouped = "<Delimiter>/</Delimiter><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>"
        with pytest.raises(StoreError, match="CommonPrefixes"):
            keys_of(page("a", "b", head=grouped))
        assert keys_of(page("a", "b", head="<CommonPrefixes/>")) == ["a", "b"]

    @pytest.mark.parametrize("name", ["Upload", "s:Upload"])
    def test_uploads_that_lie_deeper_are_not_none(self, name: str):
        deeper = f"<Uploads xmlns:s='s'><{name}><Key>k</Key></{name}></Uploads>"
        with pytest.raises(StoreError, match="no Upload below its root"):
            keys_of(page(head=deeper))
        assert keys_of(page(head="<Uploads/><UploadIdMarker></UploadIdMarker><Bucket>b</Bucket>")) == []

    def test_parts_that_lie_deeper_are_not_none(self):
        body = b"<ListPartsResult><Parts><Part><PartNumber>1</PartNumber></Part></Parts></ListPartsResult>"
        with pytest.raises(StoreError, match="no Part below its root"):
            read_parts(PARTS_OF_K, Response(200, {}, body), None, NOW)

    @pytest.mark.parametrize(
        "stray",
        [
            "<Incomplete><Key>k</Key><UploadId>i</UploadId></Incomplete>",
            "<All xmlns:s='s'><s:Upload><s:UploadId>i</s:UploadId><s:Key>k</s:Key></s:Upload></All>",
            "<Upload><Key>k</Key><UploadId>i</UploadId><More><UploadId>j</UploadId><Key/></More></Upload>",
            "<UploadId>i</UploadId><Key>k</Key>",
        ],
    )
    @pytest.mark.parametrize("count", [1, 50])
    def test_an_upload_under_another_name_is_not_left_out(self, count: int, stray: str):
        whole = page(*map(str, range(count)))
        other = "<Vendor><Request><UploadId>i</UploadId></Request><Took>3</Took><Key>k</Key></Vendor>"
        assert len(keys_of(whole)) == count == len(keys_of(page(*map(str, range(count)), head=other)))
        with pytest.raises(StoreError, match="has the fields of one that is listed, Key and UploadId"):
            keys_of(page(*map(str, range(count)), head=stray))

    def test_nor_a_part(self):
        parts = "<Part><PartNumber>1</PartNumber><Size>1</Size></Part>"
        body = f"<ListPartsResult>{parts}<More>{parts}</More></ListPartsResult>".encode()
        with pytest.raises(StoreError, match="PartNumber and Size"):
            read_parts(PARTS_OF_K, Response(200, {}, body), None, NOW)

    def test_a_second_list_of_buckets_counts_and_one_under_another_name_is_not_left_out(self):
        buckets = "<Buckets><Bucket><Name>{}</Name><CreationDate/></Bucket></Buckets>"
        lists = buckets.format("a") + buckets.format("b")
        answer = f"<ListAllMyBucketsResult>{lists}</ListAllMyBucketsResult>"
        read = read_buckets(Response(200, {}, answer.encode()))
        assert [bucket.name for bucket in read.items] == ["a", "b"]
        with pytest.raises(StoreError, match="CreationDate and Name"):
            read_buckets(Response(200, {}, answer.replace("Buckets>", "More>", 2).encode()))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
    @pytest.mark.parametrize("key", ["k", "&#1;", "\x01", "&laugh;"])
    def test_a_doctype_is_refused_in_any_encoding(self, encoding: str, key: str):
        text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY laugh "ha">]>{page(key).body.decode()}'
        with pytest.raises(StoreError) as caught:
            read_uploads(LISTING, Response(200, {}, text.encode(encoding)), None, NOW)
        assert caught.value.reason == Reason.BAD_RESPONSE

    @pytest.mark.parametrize("before", ["<!-- \x01 -->", "<?x \x01?>", "\n<!-- \ue000 \x02 -->\n"])
    def test_a_doctype_that_only_the_repair_brings_out_is_refused(self, before: str):
        text = f'{before}<!DOCTYPE x [<!ENTITY laugh "ha">]>{page("&laugh;").body.decode()}'
        with pytest.raises(StoreError, match="DOCTYPE"):
            read_uploads(LISTING, Response(200, {}, text.encode()), None, NOW)

    @pytest.mark.parametrize(
        "dtd", ["x [<!ENTITY", "x [<!ENTITY a 'ha'> <", "html><html><p>", "x [" + "<!ENTITY a 'b'>" * 999]
    )
    def test_a_doctype_is_refused_at_sight(self, dtd: str):
        """What follows is not even looked at, so that entities cost nothing."""
        body = f"<!DOCTYPE {dtd}".encode()
        with pytest.raises(StoreError, match="DOCTYPE"):
            read_uploads(LISTING, Response(200, {}, body), None, NOW)
        assert read_error(body) == ("", "")

    @pytest.mark.parametrize("encoding", ["KOI-99", "Shift_JIS", "UTF-7", "mac_latin2"])
    @pytest.mark.parametrize("key", ["k", "\x01"])
    def test_an_encoding_that_cannot_be_read_is_refused(self, encoding: str, key: str):
        body = f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + page(key).body
        with pytest.raises(StoreError):
            read_uploads(LISTING, Response(200, {}, body), None, NOW)

    @pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "koi8-r", "utf-16"])
    def test_an_encoding_that_is_declared_is_used(self, encoding: str):
        key = "ж" if encoding == "koi8-r" else "é"
        text = f'<?xml version="1.0" encoding="{encoding}"?>{page(key).body.decode()}'
        assert keys_of(Response(200, {}, text.encode(encoding))) == [key]

    def test_a_page_that_is_repaired_is_read_as_utf_8(self):
        key = "é\x01"
        text = f'<?xml version="1.0" encoding="iso-8859-1"?>{page(key).body.decode()}'
        assert keys_of(Response(200, {}, text.encode())) == [key]

    @pytest.mark.parametrize(
        "declared", ["", '<?xml version="1.0" encoding="UTF-8"?>', "<!-- c -->", "<?p i?>"]
    )
    def test_what_comes_before_the_root_changes_nothing(self, declared: str):
        for mark in ("", "\ufeff"):
            body = f"{mark}{declared}\n{page('é').body.decode()}".encode()
            assert keys_of(Response(200, {}, body)) == ["é"]

    @pytest.mark.parametrize("before", ["\n", "\r\n \t", "\ufeff", "\ufeff\n\n", "\n\ufeff"])
    def test_blank_lines_and_a_byte_order_mark_before_the_declaration_are_skipped(self, before: str):
        declared = f'{before}<?xml version="1.0" encoding="UTF-8"?>\n'.encode()
        read = Response(200, {}, declared + page("k", raw("\x01")).body)
        refused = Response(403, {}, declared + b"<Error><Code>AccessDenied</Code></Error>")
        assert (keys_of(read), read_error(refused.body)[0]) == (["k", "\x01"], "AccessDenied")

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("before", ["", "\n", "\ufeff", "\ufeff\r\n", "\n\ufeff"])
    @pytest.mark.parametrize("declared", ['<?xml version="1.0" encoding="UTF-16"?>\n', ""])
    def test_they_are_in_utf_16_too(self, declared: str, before: str, encoding: str):
        text = before + declared + page("é\x01", "ж&#2;").body.decode()
        refused = before + declared + "<Error><Code>AccessDenied</Code></Error>"
        read = keys_of(Response(200, {}, text.encode(encoding)))
        assert (read, read_error(refused.encode(encoding))[0]) == (["é\x01", "ж\x02"], "AccessDenied")

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_a_mark_behind_blank_lines_of_other_bytes_shows_utf_16(self, encoding: str):
        body = b"\r\n" + ("\ufeff" + page("é").body.decode()).encode(encoding)
        assert keys_of(Response(200, {}, body)) == ["é"]

    @pytest.mark.parametrize(
        "body",
        [
            page("é").body.decode().encode("utf-16-le") + b"\n",
            page("\ud800").body.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass"),
            page("é").body.decode().encode("utf-32"),
            b'<?xml version="1.0" encoding="iso-8859-1"?>' + page("é\x01").body.decode().encode("latin-1"),
        ],
    )
    def test_what_is_damaged_in_another_encoding_is_refused(self, body: bytes):
        with pytest.raises(StoreError, match="not the XML of a store") as caught:
            keys_of(Response(200, {}, body))
        assert caught.value.reason is Reason.BAD_RESPONSE

    @pytest.mark.parametrize("before", ["x", "\u2028", "<?xml ?>", "\n<!DOCTYPE a>"])
    def test_nothing_else_before_the_declaration_is(self, before: str):
        declared = f'{before}<?xml version="1.0"?>'.encode()
        with pytest.raises(StoreError) as caught:
            keys_of(Response(200, {}, declared + page("k").body))
        assert caught.value.reason is Reason.BAD_RESPONSE

    def test_more_to_repair_than_any_page_has_is_refused(self, monkeypatch):
        monkeypatch.setattr(repair, "MAX_REPAIRS", 3)
        assert keys_of(page("\x01\x02\x03")) == ["\x01\x02\x03"]
        for too_many in ("\x01\x02\x03\x04", "\r\r\r\r"):
            with pytest.raises(StoreError):
                keys_of(page(too_many))

    @pytest.mark.parametrize("written", ["i\x01", "i&#1;", "\x1f"])
    def test_an_upload_id_that_xml_cannot_hold_is_refused(self, written: str):
        body = page("k\x01").body.replace(b"id-0", written.encode())
        with pytest.raises(StoreError) as caught:
            keys_of(Response(200, {}, body))
        assert caught.value.reason is Reason.BAD_RESPONSE

    @pytest.mark.parametrize("torn", [b"\x01", b"&#x1;", b"\xed\xa0\x80", b"\xff"])
    def test_in_a_storage_class_it_is_a_class_that_is_not_known_and_can_be_stored(self, torn: bytes):
        written = b"<StorageClass>GLA\xef\xbf\xbd" + torn + b"</StorageClass>"
        listed = page("k").body.replace(b"</Upload>", written + b"</Upload>")
        (upload,) = read_uploads(LISTING, Response(200, {}, listed), None, NOW).items
        parts = b"<ListPartsResult>" + written + b"<Key>k</Key></ListPartsResult>"
        of_parts = read_parts(PARTS_OF_K, Response(200, {}, parts), None, NOW).storage_class
        assert (upload.upload_id, upload.storage_class, of_parts.encode()) == (
            "id-0",
            of_parts,
            "GLA\ufffd".encode() + "\ufffd".encode() * (3 if len(torn) == 3 else 1),
        )

    @pytest.mark.parametrize("torn", ["\x01", "&#x1;", "\ud800"])
    @pytest.mark.parametrize("name", ["UploadId", "Initiated"])
    def test_an_id_or_a_date_with_such_characters_is_torn(self, name: str, torn: str):
        text = page("k", head="<Bucket>b</Bucket>").body.decode().replace("id-0", "id")
        text = text.replace("</Upload>", "<Initiated>2026-01-01T00:00:00Z</Initiated></Upload>")
        body = text.replace(f"</{name}>", f"{torn}</{name}>").encode("utf-8", "surrogatepass")
        with pytest.raises(StoreError, match=name) as caught:
            keys_of(Response(200, {}, body))
        assert (caught.value.reason, caught.value.garbled) == (Reason.BAD_RESPONSE, True)

    @pytest.mark.parametrize(
        "name", ["UploadId", "PartNumberMarker", "MaxParts", "PartNumber", "Size", "LastModified"]
    )
    def test_a_number_of_a_part_with_such_characters_is_torn(self, name: str):
        whole = (
            "<ListPartsResult><UploadId>i</UploadId><PartNumberMarker>0</PartNumberMarker><MaxParts>9</MaxParts>"
            "<Part><PartNumber>1</PartNumber><Size>7</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Part>"
            "<New>\x01</New></ListPartsResult>"
        )
        assert read_parts(PARTS_OF_K, Response(200, {}, whole.encode()), None, NOW).items.sizes == [7]
        torn = whole.replace(f"</{name}>", f"\x01</{name}>").encode()
        with pytest.raises(StoreError, match=name) as caught:
            read_parts(PARTS_OF_K, Response(200, {}, torn), None, NOW)
        assert (caught.value.reason, caught.value.garbled) == (Reason.BAD_RESPONSE, True)

    @pytest.mark.parametrize("said", ["true\x0c", "\x1ffalse"])
    def test_a_damaged_word_on_the_end_is_refused(self, said: str):
        with pytest.raises(StoreError, match="IsTruncated"):
            keys_of(page("k", head=f"<IsTruncated>{said}</IsTruncated>"))

    def test_of_a_page_that_is_repaired_all_that_xml_allows_is_as_it_was(self):
        body = page("\x01").body.replace(b"id-0", "\ue000000041".encode())
        (found,) = read_uploads(LISTING, Response(200, {}, body), None, NOW).items
        assert found.upload_id == "\ue000000041"

    def test_entities_nobody_declared_are_refused(self):
        with pytest.raises(StoreError):
            read_uploads(LISTING, page("&laugh;"), None, NOW)

    @pytest.mark.parametrize("named", ["other", "B", "b.", "tenant:b"])
    def test_another_bucket_is_refused(self, named: str):
        with pytest.raises(StoreError, match="another bucket"):
            read_uploads(LISTING, page("k", head=f"<Bucket>{named}</Bucket>"), "b", NOW)

    def test_a_bucket_is_not_compared_where_none_is_expected(self):
        assert keys_of(page("k", head="<Bucket>other</Bucket>")) == ["k"]

    @pytest.mark.parametrize("inside", ["", "<Code>SlowDown</Code>", "<Code>AccessDenied</Code>"])
    def test_an_error_is_a_bad_response_that_may_pass(self, inside: str):
        with pytest.raises(StoreError) as caught:
            read_uploads(LISTING, Response(200, {}, f"<Error>{inside}</Error>".encode()), "b", NOW)
        assert (caught.value.reason, caught.value.retryable) == (Reason.BAD_RESPONSE, "SlowDown" in inside)


def test_a_list_of_buckets_that_names_no_marker_goes_on_after_the_last_name():
    buckets = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in ("a", "b"))
    more = "<IsTruncated>true</IsTruncated>"
    body = f"<ListAllMyBucketsResult>{more}<Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
    read = read_buckets(Response(200, {}, body.encode()))
    assert (read.truncated, read.next_marker, read.last_marker) == (True, None, ("b",))


class TestErrors:
    @pytest.mark.parametrize(
        "text",
        [
            "<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>",
            "<Error xmlns='urn:x'><Message> gone </Message><Code> NoSuchUpload\n</Code></Error>",
            "<e:Error xmlns:e='urn:x'><e:Code>NoSuchUpload</e:Code><e:Message>gone</e:Message></e:Error>",
            "<Error><Code>NoSuchUpload</Code><Message>gone</Message><Key>a\x01&#2;</Key></Error>",
        ],
    )
    def test_they_are_read_in_any_namespace(self, text: str):
        assert read_error(text.encode()) == ("NoSuchUpload", "gone")

    @pytest.mark.parametrize("count", [1, 100])
    def test_a_document_of_many_elements_says_nothing(self, count: int):
        assert read_error(b"<html>" + b"<p/>" * count + b"</html>") == ("", "")
        assert read_error(b"<Error>" + b"<p/>" * count + b"<Code>c</Code></Error>") == ("c", "")

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    @example(b"<a>" * 100_000 + b"</a>" * 100_000)
    @example(b"<?xml version='1.0' encoding='idna'?><Error/>")
    def test_anything_else_says_nothing(self, text: bytes):
        assert read_error(text) == ("", "")


# --- columns, against an oracle that reads item by item


@dataclass(frozen=True)
class Kind:
    root: str
    item: str
    fields: dict[str, str]
    """What an item says where nothing is odd; `#` is its number, of three digits, `@` the prefix."""


DATE = "2026-01-01T00:01:00.#Z"
PARTS = Kind("ListPartsResult", "Part", {"PartNumber": "#", "Size": "8388#", "LastModified": DATE})
UPLOADS = Kind(
    "ListMultipartUploadsResult",
    "Upload",
    {
        "Key": "dir/key #",
        "UploadId": "id-#",
        "Initiated": DATE,
        "StorageClass": "STANDARD",
        "Initiator": "<@DisplayName>9</@DisplayName><@ID>user-#</@ID>",
    },
)
NAMESPACES = (
    ("", ""),
    ("", " xmlns='urn:s'"),
    ("s:", " xmlns:s='urn:s'"),
    ("", " xmlns='urn:s' xmlns:g='urn:g'"),
)
ODD_TEXTS = (
    *("", " 7\n", "7" * 19, "7" * 20, "-1", "1_0", "\u0661", "\u00b2", "é", "0", "\ue000000041"),
    *("2005-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z", "2026-W01-1T00:00:00.000Z", "2026-01-01"),
)
# {0}: the field as the page writes it, {1}: its text, {2}: its name alone
ODD_FIELDS = (
    *("", "<{0}/>", "<{0}> {1} </{0}>", "<{0}>{1}</{0}><{0}>9</{0}>", "<{0}/><{0}>{1}</{0}>"),
    *("<{0}><b/>{1}</{0}>", "<{0}>{1}<b/>9</{0}>", "<{0}>{1}<!-- c -->9</{0}>", "<{0}>{1}<?p i?>9</{0}>"),
    *("<{0}>{1}<![CDATA[9]]></{0}>", "<{0}><![CDATA[]]></{0}>", "<b><{0}>9</{0}></b>", "<b/><{0}>{1}</{0}>"),
    *("<f:{2} xmlns:f='urn:f'>{1}</f:{2}>", "<{2} xmlns='urn:f'>{1}</{2}>", "<{0} xml:lang='en'>{1}</{0}>"),
    *("<f:{2} xmlns:f='urn:f'>9</f:{2}><{0}>{1}</{0}>", "<{0}/><f:{2} xmlns:f='urn:f'>9</f:{2}>"),
    *(f"<{{0}}>{text}</{{0}}>" for text in ODD_TEXTS),
)
# {0}: the item as the page writes it, {1}: its fields, {2}: its name alone
ODD_ITEMS = (
    *("", "<{0}/>", "<b><{0}>{1}</{0}></b>", "<{0}>text{1}text</{0}>", "<!-- c --><{0}>{1}</{0}>"),
    *("<f:{2} xmlns:f='urn:f'>{1}</f:{2}>", "<{0}><b>{1}</b></{0}>", "<{0}>{1}<{0}>{1}</{0}></{0}>"),
)
HEADS = (
    *(
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>false</IsTruncated>",
        "<IsTruncated> 1 </IsTruncated>",
    ),
    *(
        "<StorageClass> GLACIER </StorageClass>",
        "<StorageClass/>",
        "<f:StorageClass xmlns:f='urn:f'>C</f:StorageClass>",
    ),
    *("<NextPartNumberMarker>7</NextPartNumberMarker>", "<NextPartNumberMarker> 0 </NextPartNumberMarker>"),
    *("<NextKeyMarker>k</NextKeyMarker>", "<NextUploadIdMarker>i</NextUploadIdMarker>", "<Bucket>b</Bucket>"),
)
few = st.integers(0, 2)


@st.composite
def bodies(draw: st.DrawFn, kind: Kind) -> bytes:
    """Draw a page that is flawless but for a few fields, a few items, or one field of all items."""
    prefix, declared = draw(st.sampled_from(NAMESPACES))
    names = draw(st.permutations(list(kind.fields)))
    count = draw(st.integers(0, 50))
    odd_column = dict.fromkeys(
        draw(st.lists(st.sampled_from(names), max_size=1)), draw(st.sampled_from(ODD_FIELDS))
    )
    rows = [{name: odd_column.get(name, "<{0}>{1}</{0}>") for name in names} for _ in range(count)]
    for _ in range(draw(few) if rows else 0):
        draw(st.sampled_from(rows))[draw(st.sampled_from(names))] = draw(st.sampled_from(ODD_FIELDS))
    items = ["<{0}>{1}</{0}>"] * count
    for _ in range(draw(few) if rows else 0):
        items[draw(st.integers(0, count - 1))] = draw(st.sampled_from(ODD_ITEMS))
    written = [
        item.format(prefix + kind.item, _fields(kind, row, prefix, number), kind.item)
        for number, (item, row) in enumerate(zip(items, rows, strict=True), 100)
    ]
    written[:0] = draw(st.lists(st.sampled_from(HEADS), max_size=3))
    written += draw(st.lists(st.sampled_from(HEADS), max_size=2))
    return f"<{prefix}{kind.root}{declared}>{''.join(written)}</{prefix}{kind.root}>".encode()


def _fields(kind: Kind, row: dict[str, str], prefix: str, number: int) -> str:
    texts = {n: text.replace("#", str(number)).replace("@", prefix) for n, text in kind.fields.items()}
    return "".join(written.format(prefix + name, texts[name], name) for name, written in row.items())


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _texts(element: ET.Element, name: str) -> list[str]:
    return [child.text or "" for child in element if _local(child) == name]


def _text(root: ET.Element, item: ET.Element, name: str) -> str:
    """Return the first text of this name, one in the root's namespace before any other."""
    return next((child.text or "" for child in _children(root, item, name)), "")


def _children(root: ET.Element, item: ET.Element, name: str) -> list[ET.Element]:
    """Return the children of this name, those in the root's namespace before any other."""
    own = [child for child in item if child.tag == root.tag.replace(_local(root), name)]
    return [*own, *(child for child in item if _local(child) == name)]


def _number(text: str) -> int | None:
    number = int(text) if re.fullmatch(r"\s*[0-9]{1,19}\s*", text) else None
    return number if number is not None and number < 2**63 else None


def _page(root: ET.Element, items: list[Part] | list[Upload], last: tuple[str, ...] | None) -> Page | None:
    """Return the page of these items, None where it has to be refused."""
    said = {text.strip() in {"true", "1"} for text in _texts(root, "IsTruncated")}
    if len(said) > 1:
        return None
    return Page(items, said.pop() if said else None, None, last)


def _is_nested(root: ET.Element, item: str) -> bool:
    return any(_local(element).lower() == item for element in root.iter())


def _has_strays(root: ET.Element, item: str, *marks: str) -> bool:
    """Whether an element has the fields of an item, and is none."""
    items = [each for each in root if _local(each) == item]
    others = [each for each in root.iter() if each not in items]
    return any({_local(child) for child in each}.issuperset(marks) for each in others)


def _has_any(root: ET.Element, *names: str) -> bool:
    return any(_local(element) in names for element in root)


def _slow_parts(body: bytes) -> Page[Part] | None:
    root = ET.fromstring(body)
    if _has_strays(root, "Part", "PartNumber", "Size"):
        return None
    parts = [
        Part(
            _number(_text(root, item, "PartNumber")),
            _number(_text(root, item, "Size")),
            timestamps.parse_past(_text(root, item, "LastModified"), NOW),
        )
        for item in root
        if _local(item) == "Part"
    ]
    if not parts and (_is_nested(root, "part") or not _has_any(root, "Bucket", "IsTruncated")):
        return None
    numbers = [part.start for part in parts if part.start is not None]
    found = _page(root, parts, (str(numbers[-1]),) if numbers else None)
    marker = [*_texts(root, "NextPartNumberMarker"), ""][0].strip()
    storage_class = [*_texts(root, "StorageClass"), ""][0].strip()
    return found and found._replace(
        next_marker=(marker,) if _number(marker) else None, storage_class=storage_class
    )


def _slow_uploads(body: bytes) -> Page[Upload] | None:
    root = ET.fromstring(body)
    if _has_strays(root, "Upload", "Key", "UploadId"):
        return None
    uploads = [
        Upload(
            _text(root, item, "Key"),
            _text(root, item, "UploadId").strip(),
            timestamps.parse_past(_text(root, item, "Initiated"), NOW),
            _text(root, item, "StorageClass").strip(),
            next((_text(root, child, "ID").strip() for child in _children(root, item, "Initiator")), ""),
        )
        for item in root
        if _local(item) == "Upload"
    ]
    if not all(upload.key and upload.upload_id for upload in uploads):
        return None
    if not uploads and (_is_nested(root, "upload") or not _has_any(root, "Bucket", "IsTruncated")):
        return None
    found = _page(root, uploads, uploads[-1][:2] if uploads else None)
    key, upload_id = ([*_texts(root, name), ""][0] for name in ("NextKeyMarker", "NextUploadIdMarker"))
    marker = key, upload_id.strip()
    return found and found._replace(next_marker=marker if any(marker) else None)


def _read(read: object, body: bytes) -> Page | None:
    try:
        found = read(LISTING if read is read_uploads else PARTS_OF_K, Response(200, {}, body), "b", NOW)
    except StoreError:
        return None
    return found._replace(items=list(found.items))


class TestColumns:
    @pytest.mark.slow
    @settings(deadline=None, max_examples=300)
    @given(bodies(PARTS))
    def test_parts_are_read_as_item_by_item(self, body: bytes):
        assert _read(read_parts, body) == _slow_parts(body)

    @pytest.mark.slow
    @settings(deadline=None, max_examples=300)
    @given(bodies(UPLOADS))
    def test_uploads_are_read_as_item_by_item(self, body: bytes):
        assert _read(read_uploads, body) == _slow_uploads(body)

    @pytest.mark.parametrize("count", [1, 100])
    @pytest.mark.parametrize(
        ("inside", "initiator"),
        [
            *(("<ID>me</ID>", "me"), ("<ID> me\n</ID>", "me"), ("<ID>me</ID><ID>9</ID>", "me"), ("", "")),
            *(("<ID/>", ""), ("<ID><b/>9</ID>", ""), ("<b><ID>9</ID></b>", ""), ("me", "")),
            ("<f:ID xmlns:f='urn:f'>9</f:ID><ID>me</ID>", "me"),
        ],
    )
    def test_an_initiator_is_its_id(self, inside: str, initiator: str, count: int):
        upload = f"<Upload><Key>k</Key><UploadId>i</UploadId><Initiator>{inside}</Initiator></Upload>"
        root = "ListMultipartUploadsResult"
        found = _read(read_uploads, f"<{root}>{upload * count}</{root}>".encode())
        assert [each.initiator for each in found.items] == [initiator] * count

    @pytest.mark.parametrize("count", [1, 100])
    @pytest.mark.parametrize(
        ("text", "size"), [(str(2**63 - 1), 2**63 - 1), (str(2**63), None), ("9" * 20, None), ("", None)]
    )
    def test_a_size_is_at_most_what_can_be_stored(self, text: str, size: int | None, count: int):
        written = [f"<Part><Size>{each}</Size></Part>" for each in (text, *range(count))]
        body = f"<ListPartsResult>{''.join(written)}</ListPartsResult>".encode()
        assert _read(read_parts, body).items == [
            Part(None, size),
            *(Part(None, each) for each in range(count)),
        ]

    def test_threads_read_alike(self):
        texts = [page(*(f"{which}/{number}" for number in range(50))).body.decode() for which in range(40)]
        named = [text.replace("Result>", f"Result xmlns='urn:{n % 20}'>", 1) for n, text in enumerate(texts)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda text: keys_of(Response(200, {}, text.encode())), named * 5))
        assert found == [[f"{which}/{number}" for number in range(50)] for which in range(40)] * 5
