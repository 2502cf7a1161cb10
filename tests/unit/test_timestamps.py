"""Dates of every shape that stores write, and what is not believed."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.stores import timestamps

moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


class TestRead:
    @settings(deadline=None)
    @given(moments, zones)
    def test_iso_with_any_offset(self, moment: datetime, zone: timezone):
        assert timestamps.parse(moment.astimezone(zone).isoformat()) == pytest.approx(
            moment.timestamp(), abs=1e-6
        )

    @settings(deadline=None)
    @given(moments, st.integers(0, 10**9 - 1), st.integers(1, 9))
    def test_iso_with_any_fraction(self, moment: datetime, fraction: int, digits: int):
        whole = moment.replace(microsecond=0)
        text = f"{fraction:09}"[:digits]
        found = timestamps.parse(f"{whole:%Y-%m-%dT%H:%M:%S}.{text}Z")
        assert found == pytest.approx(whole.timestamp() + float(f"0.{text}"), abs=1e-6)

    @settings(deadline=None)
    @given(moments)
    def test_other_shapes_to_the_second(self, moment: datetime):
        whole = moment.replace(microsecond=0)
        for text in (
            format_datetime(whole, usegmt=True),
            f"{whole:%a %b %d %H:%M:%S %Y}",
            f"{whole:%Y/%m/%d %H:%M:%S}",
            f"{whole:%Y-%m-%d %H:%M:%S}",
            f"{whole:%Y-%m-%dT%H:%M:%S}+0000",
        ):
            assert timestamps.parse(text) == whole.timestamp()

    @pytest.mark.slow
    @settings(deadline=None)
    @given(st.text(max_size=80))
    @example("2024")
    @example("20240101")
    @example("1709210096")
    @example("1709210096000")
    @example("10:30")
    @example("Jan 2024")
    @example("0000-00-00T00:00:00Z")
    @example("2024-01-01T24:00:00Z")
    @example("2024-01-01")
    @example("2024-01-01T00:00:00.Z")
    @example("2024-01-01T00:00:00.1234567890Z")
    @example("\u0662\u0660\u0662\u0664-01-01T00:00:00Z")
    def test_anything_else_is_no_date(self, text: str):
        assert timestamps.parse(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "Sat, 31 Foo 00000001 99:99:99 +0000 xx",
            "Sat, 31 Oct 2020 24:00:00 GMT",
            "Sat, 32 Oct 2020 23:00:00 GMT",
            "x" * 64,
            "31 Oct 2020",
        ],
    )
    def test_what_cannot_be_a_date_is_not_parsed(self, text: str, monkeypatch):
        """To find out takes the parser twenty times as long as a date does, and a page may hold millions."""
        parsed: list[str] = []
        monkeypatch.setattr(timestamps, "parsedate_to_datetime", parsed.append)
        assert (timestamps.parse(text), parsed) == (None, [])

    @pytest.mark.parametrize(
        ("text", "offset"),
        [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
            ("6 nov 1994 08:49:37 -0700 (MST)", 7),
            ("Sun, 6 November 1994 08:49:37 EST", 5),
            ("Sun, 06 Nov 1994 8:49:37", 0),
            ("Sun Nov  6 08:49:37 1994", 0),
            ("1994/11/6 8:49:37", 0),
        ],
    )
    def test_older_shapes(self, text: str, offset: int):
        assert timestamps.parse(text) == datetime(1994, 11, 6, 8 + offset, 49, 37, tzinfo=UTC).timestamp()

    @pytest.mark.parametrize("text", [None, "", " "])
    def test_nothing_is_no_date(self, text: str | None):
        assert timestamps.parse(text) is None


class TestBelievable:
    @pytest.mark.parametrize(
        ("text", "believed"),
        [
            ("2005-12-31T23:59:59Z", False),
            ("2006-01-01T00:00:00Z", True),
            ("2026-06-01T00:15:00Z", True),
            ("2026-06-01T00:15:01Z", False),
            ("nonsense", False),
        ],
    )
    def test_from_2006_to_a_quarter_of_an_hour_past_the_store_s_clock(self, text: str, *, believed: bool):
        found = timestamps.parse_past(text, NOW)
        assert found == (timestamps.parse(text) if believed else None)


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{round(moment.microsecond / 1000):03}Z"


usual = moments.map(lambda moment: iso(moment.replace(microsecond=moment.microsecond % 999_000)))
odd = st.sampled_from(
    [
        *(
            "",
            " ",
            "nonsense",
            "2026-W01-1T00:00:00.000Z",
            "2026-01-01x00:00:00.000Z",
            "2026-02-30T00:00:00.000Z",
        ),
        *("2026-01-01T24:00:00.000Z", "2026-01-01T00:00:00.000z", "2026-01-01T00:00:00.000Z ", "2026-01-01"),
        *(
            "T00:00:00.000Z",
            "2026-01-01T00:00:00.0000Z",
            "2026-01-01T00:00:00.00Z",
            "2026-01-01T00:00:00,000Z",
        ),
        *("\u0662\u0660\u0662\u0664-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z", "2026/01/01 00:00:00"),
    ]
)


class TestColumn:
    @settings(deadline=None)
    @given(st.lists(usual, max_size=5), st.lists(odd, max_size=2), st.randoms(use_true_random=False))
    @example(["2026-01-01T00:01:00.001Z"], [], None)
    @example([], ["2026-01-01", "T00:00:00.000Z"], None)
    def test_each_is_read_as_if_it_stood_alone(self, texts: list[str], others: list[str], rng: object):
        column = texts + others
        if rng:
            rng.shuffle(column)
        assert timestamps.parse_past_column(column, NOW) == [
            timestamps.parse_past(text, NOW) for text in column
        ]

    @settings(deadline=None)
    @given(st.lists(st.integers(int(timestamps.EARLIEST * 1000), int(NOW * 1000))))
    def test_believable_dates_are_exact(self, milliseconds: list[int]):
        texts = [iso(datetime.fromtimestamp(number / 1000, UTC)) for number in milliseconds]
        assert timestamps.parse_past_column(texts, NOW) == [number / 1000 for number in milliseconds]
