"""XML pages: whatever the key, it comes back as it was; whatever else comes, it is refused."""

import itertools
from xml.sax.saxutils import escape

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from exporter.model import Reason, StoreError
from exporter.stores.answers import Answer
from exporter.stores.xmlpages import read_error, read_parts, read_uploads

NOW = 1.8e9
FORBIDDEN = "".join(map(chr, itertools.chain(range(9), (11, 12), range(14, 32)))) + "\ufffe\uffff"
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
control_keys = st.text(st.sampled_from(FORBIDDEN + "\ue000abc123&<>;# \u00e9"), min_size=1, max_size=20)
any_key = st.one_of(keys, control_keys)


def page(*written: str, head: str = "") -> Answer:
    """Return a page of uploads whose keys are written like this."""
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>id-{number}</UploadId></Upload>"
        for number, key in enumerate(written)
    )
    text = f"<ListMultipartUploadsResult>{head}{uploads}</ListMultipartUploadsResult>"
    return Answer(200, {}, text.encode("utf-8", "surrogatepass"))


def keys_of(answer: Answer) -> list[str]:
    return [upload.key for upload in read_uploads(answer, None, NOW).items]


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
        found = read_uploads(page("\x01", head=head), None, NOW)
        assert found.next_marker == (key, "")

    @settings(deadline=None)
    @given(st.binary(min_size=1, max_size=30).filter(lambda text: not set(text) & set(b"<>&\r")))
    def test_keys_that_are_no_utf_8_are_kept_apart(self, key: bytes):
        (found,) = keys_of(Answer(200, {}, page("KEY").body.replace(b"KEY", key)))
        assert found.encode("utf-8", "surrogateescape") == key

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
        for read in (read_uploads, read_parts):
            with pytest.raises(StoreError) as caught:
                read(Answer(200, {}, text), "b", NOW)
            assert caught.value.reason == Reason.BAD_RESPONSE

    @settings(deadline=None)
    @given(st.integers(0, 400))
    def test_no_part_of_a_page_is_a_page(self, end: int):
        body = page(*(f"k\x01{number}" for number in range(3))).body
        with pytest.raises(StoreError):
            read_uploads(Answer(200, {}, body[: min(end, len(body) - 1)]), "b", NOW)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
    @pytest.mark.parametrize("key", ["k", "&#1;", "\x01", "&laugh;"])
    def test_a_doctype_is_refused_in_any_encoding(self, encoding: str, key: str):
        text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY laugh "ha">]>{page(key).body.decode()}'
        with pytest.raises(StoreError) as caught:
            read_uploads(Answer(200, {}, text.encode(encoding)), None, NOW)
        assert caught.value.reason == Reason.BAD_RESPONSE

    @pytest.mark.parametrize("before", ["<!-- \x01 -->", "<?x \x01?>", "\n<!-- \ue000 \x02 -->\n"])
    def test_a_doctype_that_only_the_repair_brings_out_is_refused(self, before: str):
        text = f'{before}<!DOCTYPE x [<!ENTITY laugh "ha">]>{page("&laugh;").body.decode()}'
        with pytest.raises(StoreError, match="DOCTYPE"):
            read_uploads(Answer(200, {}, text.encode()), None, NOW)

    def test_entities_nobody_declared_are_refused(self):
        with pytest.raises(StoreError):
            read_uploads(page("&laugh;"), None, NOW)

    @pytest.mark.parametrize("named", ["other", "B", "b.", "tenant:b"])
    def test_another_bucket_is_refused(self, named: str):
        with pytest.raises(StoreError, match="another bucket"):
            read_uploads(page("k", head=f"<Bucket>{named}</Bucket>"), "b", NOW)

    def test_a_bucket_is_not_compared_where_none_is_expected(self):
        assert keys_of(page("k", head="<Bucket>other</Bucket>")) == ["k"]

    @pytest.mark.parametrize("inside", ["", "<Code>SlowDown</Code>", "<Code>AccessDenied</Code>"])
    def test_an_error_is_a_bad_response_that_may_pass(self, inside: str):
        with pytest.raises(StoreError) as caught:
            read_uploads(Answer(200, {}, f"<Error>{inside}</Error>".encode()), "b", NOW)
        assert (caught.value.reason, caught.value.retryable) == (Reason.BAD_RESPONSE, "SlowDown" in inside)


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

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_anything_else_says_nothing(self, text: bytes):
        assert read_error(text) == ("", "")
