"""The status page: what it shows of which board, in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import NOW
from unit.boards import HOSTILE, NOTHING, SUMMARY, Drawn
from unit.showing import House, rows

from exporter.board import Entry, ScanResult
from exporter.human import NOTHING as NO
from exporter.web.ages import bins, sparkline
from exporter.web.status import ROWS_PER_PAGE


@pytest.fixture
def house() -> House:
    return House()


class TestRows:
    def test_a_row_per_bucket_says_all_there_is_to_say(self, house: House):
        logs, backups, untried, media = rows(house.page())
        assert logs[:3] == ["prod", "logs", "failing access_denied: ListMultipartUploads: <b>denied</b>"]
        assert logs[3:] == [NO, NO, NO, "", NO, NO, NO, "due", "0.5 s"]
        assert backups[:7] == ["prod", "backups", "incomplete 1 unsized", "3", "2", NO, ""]
        assert backups[7:] == ["1d 1h", "2h 0m", "1m 0s ago", "running for 1m 42s", "1.2 s"]
        assert untried == ["found", "x", "not scanned yet", NO, NO, NO, "", NO, NO, NO, NO, NO]
        assert media[:7] == ["prod", "media", "ok", "12", "0", "10.0 GiB", ""]
        assert media[7:] == ["1d 1h", "2h 0m", "1m 0s ago", "in 4m 0s", "1.2 s"]

    def test_an_empty_bucket_shows_zeros(self):
        drawn = Drawn("empty")
        house = House()
        house.board = drawn.board
        drawn.publish("empty", NOTHING)
        house.views = replace(house.views, board=drawn.board)
        [row] = rows(house.page())
        assert row[3:6] == ["0", "0", "0 B"]

    def test_a_result_of_an_earlier_process_says_so(self, house: House):
        house.board.restore(("found", "x"), ScanResult(SUMMARY, NOW - 30, 1.0), 30.0)
        [row] = rows(house.page(query="target=found"))
        assert row[2:4] == ["not scanned since the start", "5"]

    def test_the_ages_are_drawn_and_told(self, house: House):
        assert 'aria-label="Ages: up to 1h: 1, up to 1d: 2, over 1d: 1"' in house.page()

    def test_no_ages_are_drawn_where_there_is_no_upload_or_no_bound(self):
        assert sparkline(bins((), ())) == sparkline([("up to 1h", 0)]) == ""

    def test_hostile_names_and_messages_stay_text(self, house: House):
        house.board.watch("prod", [Entry("prod", HOSTILE, "s3", 60.0)])
        page = house.page(query="q=script")
        assert "<script" not in page
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;amp;{}%s\\u2028" in page


class TestOrder:
    @pytest.mark.parametrize(
        ("query", "buckets"),
        [
            ("", ["logs", "backups", "x", "media"]),
            ("sort=health&order=desc", ["media", "x", "backups", "logs"]),
            ("sort=bucket", ["backups", "logs", "media", "x"]),
            ("sort=target", ["x", "backups", "logs", "media"]),
            ("sort=uploads", ["media", "backups", "x", "logs"]),
            ("sort=uploads&order=asc", ["backups", "media", "x", "logs"]),
            ("sort=stale", ["backups", "media", "x", "logs"]),
            ("sort=bytes", ["media", "x", "backups", "logs"]),
            ("sort=next", ["logs", "backups", "media", "x"]),
            ("sort=took&order=asc", ["logs", "backups", "media", "x"]),
        ],
    )
    def test_rows_are_sorted_and_what_is_not_known_comes_last(
        self, house: House, query: str, buckets: list[str]
    ):
        assert [row[1] for row in rows(house.page(query=query))] == buckets

    @pytest.mark.parametrize("sort", ["age", "idle", "scanned"])
    def test_the_other_columns_sort_too(self, house: House, sort: str):
        assert {row[1] for row in rows(house.page(query=f"sort={sort}"))[:2]} == {"backups", "media"}

    def test_the_column_says_how_it_is_sorted_and_its_link_turns_it_round(self, house: House):
        page = house.page(query="sort=bytes&target=prod")
        assert page.count("aria-sort=") == 1
        assert 'aria-sort="descending"><a href="./?sort=bytes&amp;order=asc&amp;target=prod">Bytes' in page

    @pytest.mark.parametrize(
        ("query", "buckets"),
        [
            ("target=prod&sort=bucket", ["backups", "logs", "media"]),
            ("health=failing", ["logs"]),
            ("q=DENIED", ["logs"]),
            ("q=back", ["backups"]),
            ("target=&q=&health=", ["logs", "backups", "x", "media"]),
            ("q=%3Cnothing%3E", []),
        ],
    )
    def test_rows_are_chosen_by_target_health_and_text(self, house: House, query: str, buckets: list[str]):
        assert [row[1] for row in rows(house.page(query=query))] == buckets

    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ("sort=size", "400 sort: 'size' is none of health, target, bucket,"),
            ("order=up", "400 order: 'up' is none of asc, desc"),
            ("health=sick", "400 health: 'sick' is none of failing, incomplete, untried, ok"),
            ("page=0", "400 page: '0' is no whole number from 1 to"),
            ("page=%D9%A1", "400 page: '\\u0661' is no whole number"),
            ("page=1e3", "400 page: '1e3' is no whole number"),
            ("nope=1", "400 no such parameter: 'nope'; there are sort, order,"),
            ("q=1&q=2", "400 q: given twice"),
            ("&".join(f"q={n}" for n in range(50)), "400 too many parameters"),
        ],
    )
    def test_a_wrong_query_is_told(self, house: House, query: str, told: str):
        response = house.ask("status", query)
        assert (response.status, response.body.decode()[: len(told)]) == (400, told)

    def test_many_rows_come_page_by_page(self, house: House):
        house.board.declare(Entry("t", f"bucket-{n:03}", "s3", 60.0) for n in range(2 * ROWS_PER_PAGE + 1))
        pages = [house.page(query=f"sort=bucket&page={n}") for n in (1, 2, 3, 99)]
        assert [len(rows(page)) for page in pages] == [ROWS_PER_PAGE, ROWS_PER_PAGE, 1, 1]
        assert 'rel="next" href="./?sort=bucket&amp;order=asc&amp;page=2"' in pages[0]
        assert 'rel="prev"' not in pages[0]
        assert 'rel="next"' not in pages[2]


class TestSummary:
    def test_totals_add_up_what_is_known(self, house: House):
        page = house.page()
        for name, value in (
            ("Buckets", "4"),
            ("Failing", '<a class="bad" href="./?health=failing">1</a>'),
            ("Uploads", "15"),
            ("Bytes", "10.0 GiB"),
            ("Stale uploads", "2"),
            ("Stale bytes", "1.9 MiB"),
            ("Oldest", "1d 1h"),
        ):
            assert f"<dt>{name}</dt><dd>{value}</dd>" in page

    def test_a_board_without_buckets_is_a_page_too(self, house: House):
        house.board.declare([])
        page = house.page()
        assert "No bucket is known yet." in page
        assert f"<dt>Bytes</dt><dd>{NO}</dd>" in page

    def test_failing_discovery_is_told(self, house: House):
        assert (
            "<li>The list of buckets of <b>found</b> cannot be had: access_denied ListBuckets: no "
            "(last had: 2h 1m ago)</li>"
        ) in house.page()

    def test_a_config_that_could_not_be_used_is_told(self, house: House):
        house.problems = ["config.yaml:3: targets[0].<x>: no"]
        assert "what was read before stays: config.yaml:3: targets[0].&lt;x&gt;: no</li>" in house.page()

    def test_without_trouble_there_is_no_such_section(self, house: House):
        house.watched.pop()
        assert "Trouble" not in house.page()

    def test_only_its_own_style_may_be_used_and_no_script(self, house: House):
        policy = dict(house.ask("status").headers)[b"content-security-policy"].decode()
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script" not in policy
        assert "unsafe" not in policy
