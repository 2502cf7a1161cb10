"""What comes back over HTTP: pieces in, an answer out."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stores.transport import listing_body, response_buffer
from exporter.stores.transport.memory import Budget, TargetMemory
from exporter.stores.transport.response import Headers, Response
from exporter.stores.transport.response_buffer import ResponseBuffer

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


PAUSE = pycurl.WRITEFUNC_PAUSE
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS, "raw deflate": -zlib.MAX_WBITS}


def a_buffer() -> ResponseBuffer:
    memory = TargetMemory()
    return ResponseBuffer(memory, memory.multi)


def packed_buffer(encoding: str) -> ResponseBuffer:
    reply = a_buffer()
    for line in (b"HTTP/1.1 200 OK\r\n", f"Content-Encoding: {encoding}\r\n".encode(), b"\r\n"):
        reply.header(line)
    return reply


def limit_bodies(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for module in (response_buffer, listing_body):
        monkeypatch.setattr(module, "MAX_BODY_BYTES", size)
    monkeypatch.setattr(response_buffer, "LARGE_BYTES", size // 2)
    monkeypatch.setattr(response_buffer, "MAX_LISTING_BYTES", 300_000)
    monkeypatch.setattr(listing_body, "PIECE_BYTES", 250)


class TestReply:
    def test_pieces_become_an_answer(self):
        reply = a_buffer()
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
        reply = a_buffer()
        for piece in pieces:
            reply.write(piece)
        assert reply.finish(200).body == body

    @pytest.mark.parametrize("size", [1, 2, 1000, 1500])
    def test_pieces_of_any_size_take_little_more_than_their_bytes(self, size: int):
        """A server may send a body two bytes at a time."""
        reply, piece = a_buffer(), b"x" * size
        tracemalloc.start()
        for _ in range(40_000 // size):
            reply.write(bytes(bytearray(piece)))  # of its own, as libcurl's are
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 1.25 * reply.received_bytes + 2_000
        assert reply.finish(200).body == piece * (40_000 // size)

    def test_lines_of_a_head_take_little_more_than_their_bytes(self):
        reply = a_buffer()
        reply.header(FINAL[0])
        tracemalloc.start()
        for number in range(10_000):
            reply.header(b"%d:\r\n" % number)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 1.25 * reply.received_head_bytes + 10_000
        assert len(reply.finish(200).headers) == 10_000

    def test_the_next_answer_has_nothing_of_the_one_before(self):
        reply = a_buffer()
        reply.header(b"HTTP/1.1 200 OK\r\n")
        reply.header(b"Name: value\r\n")
        reply.write(b"body")
        reply.finish(200)
        answer = reply.finish(204)
        assert (answer.status, dict(answer.headers), answer.body) == (204, {}, b"")

    def test_an_answer_stays_as_it_is_when_the_next_comes(self):
        reply = a_buffer()
        reply.header(b"HTTP/1.1 200 OK\r\n")
        reply.header(b"Name: value\r\n")
        reply.write(b"one")
        reply.write(b"two")
        answer = reply.finish(200)
        reply.header(b"Other: value\r\n")
        reply.write(b"three")
        assert (dict(answer.headers), answer.body) == ({"name": "value"}, b"onetwo")

    def test_bodies_up_to_the_cap_are_taken(self, monkeypatch):
        limit_bodies(monkeypatch, 10)
        reply = a_buffer()
        assert [reply.write(b"12345"), reply.write(b"12345"), reply.write(b"6")] == [None, None, 0]
        assert "cap" in str(reply.error)

    def test_each_body_has_the_whole_cap(self, monkeypatch):
        limit_bodies(monkeypatch, 10)
        reply = a_buffer()
        for _ in range(3):
            assert reply.write(b"1234567890") is None
            reply.finish(200)

    def test_a_listing_may_grow_over_the_cap_of_others_as_long_as_items_come(self, monkeypatch):
        limit_bodies(monkeypatch, 1000)
        item, blanks = b"<Upload>" + b" " * 92, b" " * 1000
        reply = a_buffer()
        for pieces, taken in (
            ([item] * 3000, 3000),
            ([item] * 3001, 3000),
            ([blanks] * 3, 1),
            ([item, *[blanks] * 9], 1),
            ([item] * 20 + [blanks] * 9, 20),
        ):
            reply.item = b"<Upload>"
            accepted = [piece for piece in pieces if reply.write(piece) is None]
            assert (len(accepted), bool(reply.error)) == (taken, taken < len(pieces))
            answer = reply.finish(200)
            if not reply.error and answer.listing and taken == len(pieces):
                assert (answer.body, b"".join(answer.listing.pieces())) == (b"", b"".join(accepted))
                assert answer.listing.packed_bytes < answer.size / 5

    def test_of_a_large_refusal_the_beginning_is_kept(self, monkeypatch):
        limit_bodies(monkeypatch, 1000)
        reply = a_buffer()
        reply.item = b"<Upload>"
        for _ in range(30):
            reply.write(b"<Upload>" + b" " * 92)
        answer = reply.finish(500)
        assert (answer.listing, answer.body[:8], len(answer.body)) == (None, b"<Upload>", 200)

    def test_what_is_no_listing_may_not(self, monkeypatch):
        limit_bodies(monkeypatch, 10)
        reply = a_buffer()
        assert [reply.write(b"<Upload>"), reply.write(b"<Upload>")] == [None, 0]

    def test_what_a_body_needs_beyond_the_budget_is_waited_for(self, monkeypatch):
        memory = TargetMemory()
        share = Budget(100_000).share()
        monkeypatch.setattr(response_buffer, "FREE_BYTES", 10)
        monkeypatch.setattr(response_buffer, "_STEP", 60_000)
        first, second, third = (ResponseBuffer(memory, share) for _ in range(3))
        waited = []
        third.on_wait = lambda: waited.append("third")
        assert first.write(b"x" * 60_000) is None
        assert second.write(b"x" * 60_000) is None  # one may exceed it
        assert (third.write(b"x" * 60_000), third.waits, waited) == (PAUSE, True, ["third"])
        answer = second.finish(200)
        assert not third.has_memory()
        del answer
        assert third.has_memory()
        assert third.write(b"x" * 60_000) is None
        assert third.finish(200).body == b"x" * 60_000

    @pytest.mark.parametrize("step", [1, 7, 100_000])
    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "raw deflate"])
    def test_packed_bodies_are_unpacked(self, encoding, step):
        packer = zlib.compressobj(9, zlib.DEFLATED, WINDOWS[encoding.lower()])
        packed = packer.compress(b"one and two" * 50) + packer.flush()
        reply = packed_buffer(encoding.split()[-1])
        for start in range(0, len(packed), step):
            assert reply.write(packed[start : start + step]) is None
        assert reply.decoding_error() is None
        assert reply.finish(200).body == b"one and two" * 50

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("br", b"x"),
            ("gzip, gzip", b"x"),
            ("gzip", b"no gzip"),
            ("gzip", gzip.compress(b"x", mtime=0) + b"more"),  # the same name in each worker
            ("gzip", gzip.compress(b" " * 10_000_000, mtime=0)),
        ],
    )
    def test_what_cannot_be_unpacked_within_bounds_is_refused(self, encoding, body):
        reply = packed_buffer(encoding)
        assert reply.write(body) == 0
        assert "cannot be decoded" in str(reply.error)

    def test_a_packed_body_without_its_end_is_no_answer(self):
        reply = packed_buffer("gzip")
        assert reply.write(gzip.compress(b"x")[:-9]) is None
        assert "has no end" in str(reply.decoding_error())


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
