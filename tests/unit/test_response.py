"""What comes back over HTTP: pieces in, an answer out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stores.transport import response as answers
from exporter.stores.transport.response import MAX_BODY_BYTES, Headers, Response, ResponseBuffer

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
MOMENT = 784111777.0
HUGE = "1 Jan 99999999999999999999 00:00:00 GMT"
INTERIM = [b"HTTP/1.1 103 Early Hints\r\n", b"Link: </style.css>\r\n", b"Date: then\r\n", b"\r\n"]
PROXY = [b"HTTP/1.1 200 Connection established\r\n", b"Via: 1.1 proxy\r\n", b"\r\n"]
FINAL = [b"HTTP/1.1 200 OK\r\n", b"Date: now\r\n", b"Server: it\r\n", b"\r\n"]


def headers(*lines: str) -> Headers:
    return Headers([b"HTTP/1.1 200 OK\r\n", *(f"{line}\r\n".encode("latin-1") for line in lines), b"\r\n"])


class TestHeaders:
    def test_are_found_by_their_lower_case_name_however_they_were_written(self):
        found = headers("Content-Type: a", "etag: b", "X-AMZ-Bucket-Region: c")
        assert (found["content-type"], found["etag"], found["x-amz-bucket-region"]) == ("a", "b", "c")

    def test_names_are_whole(self):
        found = headers("Date-Of: a", "X-Date: b")
        assert [name in found for name in ("date-of", "x-date", "date", "x")] == [True, True, False, False]

    @pytest.mark.parametrize("line", ["Name: value", "Name:value", "Name:\t value \t"])
    def test_white_space_is_no_part_of_a_value(self, line):
        assert headers(line)["name"] == "value"

    @pytest.mark.parametrize(("line", "name"), [("Name : value", "name"), ("N\xc9: value", "n\xe9")])
    def test_names_that_no_server_should_send_can_be_gone_over(self, line, name):
        """libcurl lets them pass, and boto3's answers are made of all headers."""
        assert dict(headers(line)) == {name: "value"}

    def test_values_keep_their_colons_and_their_case(self):
        assert headers("Location: https://Example.org:443/")["location"] == "https://Example.org:443/"

    def test_values_are_latin_1(self):
        assert headers("Name: caf\xe9")["name"] == "caf\xe9"

    def test_one_without_a_value_is_there(self):
        assert headers("Name:")["name"] == ""

    def test_one_that_is_missing_is_a_key_error(self):
        with pytest.raises(KeyError):
            headers("Name: value")["other"]
        assert headers("Name: value").get("other", "default") == "default"

    def test_of_a_repeated_one_the_last_counts(self):
        found = headers("Name: first", "Other: x", "NAME: last")
        assert dict(found) == {"name": "last", "other": "x"}
        assert (len(found), list(found)) == (2, ["name", "other"])

    @pytest.mark.parametrize("before", [INTERIM, PROXY, [*PROXY, *INTERIM], [*INTERIM, *INTERIM]])
    def test_what_came_before_the_last_head_is_not_among_them(self, before):
        found = Headers([*before, *FINAL])
        assert dict(found) == {"date": "now", "server": "it"}
        assert ("link" in found, "via" in found, len(found)) == (False, False, 2)

    def test_trailers_are_among_them(self):
        assert dict(Headers([*FINAL, b"X-Trailer: t\r\n"])) == {
            "date": "now",
            "server": "it",
            "x-trailer": "t",
        }

    def test_a_status_line_is_no_header_though_it_has_a_colon(self):
        lines = [*INTERIM, b"HTTP/1.1 200 Date: never\r\n", b"Server: it\r\n"]
        assert dict(Headers(lines)) == {"server": "it"}

    def test_without_lines_there_are_none(self):
        assert (len(Headers([])), dict(Headers([]))) == (0, {})


def read_one_by_one(lines: list[bytes]) -> dict[str, str]:
    """Read a head as it comes, line by line: the oracle."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if line.startswith(b"HTTP/"):
            found = {}
        elif colon:
            found[name.strip().lower()] = value.strip()
    return found


NAMES = st.sampled_from(["Date", "date", "DATE", "Da", "X-Date", "Server", "http/x"])
STATUS_LINES = st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 a: b\r\n", b"HTTP/1.0 200\n"])
LINES = st.one_of(
    STATUS_LINES,
    st.sampled_from([b"\r\n", b"\n", b"Date: a\n"]),
    st.builds(lambda name, value: f"{name}: {value}\r\n".encode("latin-1"), NAMES, st.text("ab: \t\xe9")),
)


@given(STATUS_LINES, st.lists(LINES))
def test_headers_are_those_of_a_head_read_line_by_line(status_line, rest):
    lines = [status_line, *rest]
    found, expected = Headers(lines), read_one_by_one(lines)
    assert dict(found) == expected
    assert (len(found), set(found)) == (len(expected), set(expected))
    assert {name: found.get(name) for name in ("date", "da", "x")} == {
        name: expected.get(name) for name in ("date", "da", "x")
    }


class TestReply:
    def test_pieces_become_an_answer(self):
        reply = ResponseBuffer()
        assert [reply.header(line) for line in FINAL] == [None] * 4
        assert [reply.write(piece) for piece in (b"one ", b"and ", b"two")] == [None] * 3
        answer = reply.finish(200)
        assert (answer.status, dict(answer.headers), answer.body) == (
            200,
            {"date": "now", "server": "it"},
            b"one and two",
        )

    @pytest.mark.parametrize(("pieces", "body"), [([], b""), ([b"all"], b"all"), ([b"", b""], b"")])
    def test_bodies_of_few_pieces(self, pieces, body):
        reply = ResponseBuffer()
        for piece in pieces:
            reply.write(piece)
        assert reply.finish(200).body == body

    def test_the_next_answer_has_nothing_of_the_one_before(self):
        reply = ResponseBuffer()
        reply.header(b"HTTP/1.1 200 OK\r\n")
        reply.header(b"Name: value\r\n")
        reply.write(b"body")
        reply.finish(200)
        answer = reply.finish(204)
        assert (answer.status, dict(answer.headers), answer.body) == (204, {}, b"")

    def test_an_answer_stays_as_it_is_when_the_next_comes(self):
        reply = ResponseBuffer()
        reply.header(b"HTTP/1.1 200 OK\r\n")
        reply.header(b"Name: value\r\n")
        reply.write(b"one")
        reply.write(b"two")
        answer = reply.finish(200)
        reply.header(b"Other: value\r\n")
        reply.write(b"three")
        assert (dict(answer.headers), answer.body) == ({"name": "value"}, b"onetwo")

    def test_bodies_up_to_the_cap_are_taken(self, monkeypatch):
        monkeypatch.setattr(answers, "MAX_BODY_BYTES", 10)
        reply = ResponseBuffer()
        assert [reply.write(b"12345"), reply.write(b"12345"), reply.write(b"6")] == [None, None, 0]

    def test_each_body_has_the_whole_cap(self, monkeypatch):
        monkeypatch.setattr(answers, "MAX_BODY_BYTES", 10)
        reply = ResponseBuffer()
        for _ in range(3):
            assert reply.write(b"1234567890") is None
            reply.finish(200)

    @pytest.mark.parametrize("joined", [10, 10_000_000])
    def test_a_listing_may_grow_over_the_cap_of_others_as_long_as_items_come(self, monkeypatch, joined):
        monkeypatch.setattr(answers, "MAX_BODY_BYTES", 100)
        monkeypatch.setattr(answers, "MAX_LISTING_BYTES", 300_000)
        monkeypatch.setattr(answers, "JOINED_BYTES", joined)
        item, blanks = b"<Upload>" + b" " * 92, b" " * 10_000
        reply = ResponseBuffer()
        for pieces, taken in (
            ([item] * 3000, 3000),
            ([item] * 3001, 3000),
            ([blanks] * 3, 0),
            ([item, *[blanks] * 9], 7),
            ([item, *[blanks] * 6, item, *[blanks] * 9], 14),
            ([item] * 10, 10),
        ):
            reply.item = b"<Upload>"
            accepted = [piece for piece in pieces if reply.write(piece) is None]
            assert (len(accepted), reply.too_large) == (taken, taken < len(pieces))
            assert reply.items() == b"".join(accepted).count(b"<Upload>")
            assert reply.finish(200).body == b"".join(accepted)

    def test_what_is_no_listing_may_not(self, monkeypatch):
        monkeypatch.setattr(answers, "MAX_BODY_BYTES", 10)
        reply = ResponseBuffer()
        assert [reply.write(b"<Upload>"), reply.write(b"<Upload>")] == [None, 0]
        assert (reply.limit, reply.items()) == (10, 0)

    def test_the_cap_leaves_room_for_the_largest_page_and_no_more_than_memory_bears(self):
        assert MAX_BODY_BYTES == 64 << 20


class TestMoment:
    def test_the_server_s_clock_stands_above_ours(self):
        assert Response(200, headers(f"Date: {DATE}"), b"").server_time(7.0) == MOMENT

    @pytest.mark.parametrize("text", [None, "", "soon", "Thu, 99 Foo 2024 12:34:56 GMT", "1", "Mon, ", HUGE])
    def test_one_that_is_none_is_ours(self, text):
        found = headers(f"Date: {text}") if text is not None else headers()
        assert Response(200, found, b"").server_time(7.0) == 7.0

    def test_at_the_epoch_it_is_a_moment_too(self):
        assert Response(200, headers("Date: Thu, 01 Jan 1970 00:00:00 GMT"), b"").server_time(7.0) == 0.0

    @given(st.text("0123456789 :,GMTJanSu+-"))
    def test_whatever_it_says_nothing_fails(self, text):
        assert isinstance(Response(200, {"date": text}, b"").server_time(7.0), float)
