"""The pages as HTML, read by a parser: what they show, in which order, and that keys stay text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes import NOW
from hostile import MALICIOUS_KEYS
from lxml import html
from unit.app_requests import ask
from unit.example_app import DROPPED, FAILURE, ExampleApp, found, worst
from unit.example_board import HOSTILE, NOTHING, SUMMARY, ExampleBoard

from exporter.config.sharding import Shard
from exporter.model.errors import Failure, Reason
from exporter.model.results import ScanResult
from exporter.model.targets import Discovery, Selection
from exporter.model.uploads import Upload
from exporter.state.board import Entry
from exporter.text.humanize import DASH
from exporter.text.quoting import one_line
from exporter.web.pages.age_chart import label_groups, sparkline
from exporter.web.pages.columns import ORDERINGS
from exporter.web.pages.status import PAGE_SIZE

if TYPE_CHECKING:
    from exporter.web.app import App

    Element = html.HtmlElement


@pytest.fixture
def shown() -> ExampleApp:
    return ExampleApp()


def page(app: App, target: str = "/") -> Element:
    answer = ask(app, target)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return html.document_fromstring(answer.body.decode())


def texts(element: Element) -> str:
    """Return its text with blanks between elements, but none within what is in two parts for the style."""
    joined = ""
    for part in element.xpath(".//text()[normalize-space()]"):
        is_tail = part.getparent().xpath("parent::span[@class='fit'] and preceding-sibling::span")
        joined += part.strip() if is_tail or not joined else f" {part.strip()}"
    return joined


def name(head: Element) -> str:
    return head.xpath("string(.//span[starts-with(@class, 'fit')])")


def order(document: Element) -> list[str]:
    return [name(head) for head in document.xpath("//tbody[@class='card']//th")]


def scripts(document: Element) -> list[str]:
    return document.xpath("//script/text()")


def tiles(document: Element) -> dict[str, str]:
    return {texts(tile.find("dt")): texts(tile.find("dd")) for tile in document.xpath("//dl/div")}


class TestTotals:
    def test_they_add_up_what_is_known_and_say_what_is_not(self, shown: ExampleApp):
        assert tiles(page(shown.app)) == {
            "Buckets": "4 1 failing",
            "Uploads": "15 1 bucket not known",
            "Bytes": "353.2 MiB 1 upload unsized",
            "Stale": "6 2.9 MiB show them",
            "Oldest": "1d 1h 2026-09-20 13:13:19",
            "A month": "0.01 USD where prices are known",
        }

    def test_a_bucket_whose_bytes_are_not_known_counts_as_unsized(self):
        drawn = ExampleBoard("a")
        drawn.publish("a", replace(SUMMARY, bytes=None, unsized=5))
        assert tiles(page(drawn.app))["Bytes"] == f"{DASH} 5 uploads unsized"

    def test_uploads_that_listings_hide_and_that_stores_deny_are_told(self):
        drawn = ExampleBoard("a", "b")
        for bucket in "ab":
            drawn.publish(bucket, replace(SUMMARY, unlisted=2, denied=1))
        assert tiles(page(drawn.app))["Uploads"] == "10 4 unlisted, 2 denied, not counted"

    def test_the_oldest_is_at_least_that_old_where_its_store_does_not_tell(self):
        shown = ExampleApp([])
        entry = shown.board.get(("prod", "media"))
        oldest = replace(entry.summary, oldest_initiated=NOW - 30 * 86400.0)
        shown.board.declare([replace(entry, store="azure", summary=oldest)])
        document = page(shown.app)
        assert tiles(document)["Oldest"].startswith("≥ 30d 0h ")
        assert cells_of(document, "media")["Oldest"].startswith("≥ 30d 0h ")

    def test_nothing_at_all(self):
        shown = tiles(page(ExampleBoard().app))
        assert (shown["Buckets"], shown["Uploads"], shown["Oldest"]) == ("0 none failing", DASH, DASH)


class TestAges:
    def test_each_number_has_a_bar(self, shown: ExampleApp):
        uploads, sizes = (table.xpath("tbody/tr") for table in tables_of_ages(page(shown.app)))
        assert [
            (texts(row[0]), texts(row[2]), row.xpath("string(.//rect[2]/@width)")) for row in uploads
        ] == [
            ("up to 1h", "3", "500"),
            ("1h to 1d", "6", "1000"),
            ("over 1d", "3", "500"),
        ]
        assert [(texts(row[2]), row.xpath("string(.//rect[2]/@width)")) for row in sizes] == [
            ("2.9 MiB", "10"),
            ("62.9 MiB", "220"),
            ("286.1 MiB", "1000"),
        ]

    def test_a_row_has_a_small_picture_of_bytes_with_words(self, shown: ExampleApp):
        label = page(shown.app).xpath("string(//svg[@role='img']/@aria-label)")
        assert label == "Bytes by age: up to 1h: 976.6 KiB; 1h to 1d: 21.0 MiB; over 1d: 95.4 MiB"

    @pytest.mark.parametrize("age_bytes", [(), (0, 0, 0)], ids=["not known", "none"])
    def test_without_bytes_the_picture_is_one_of_uploads_and_says_so(self, age_bytes: tuple[int, ...]):
        drawn = ExampleBoard("a")
        drawn.publish("a", replace(SUMMARY, age_bytes=age_bytes))
        document = page(drawn.app)
        label = document.xpath("string(//svg[@role='img']/@aria-label)")
        assert label == "Uploads by age: up to 1h: 1; 1h to 1d: 2; over 1d: 1"
        assert 1 + bool(age_bytes) == len(tables_of_ages(document))

    def test_no_uploads_no_picture(self):
        assert sparkline("Uploads", ((1.0, 0), (None, 0)), str) is None
        assert sparkline("Uploads", (), str) is None

    def test_labels(self):
        bounds = (30.0, 90.0, 3600.0, 5400.0, 86400.0, 90000.0, None)
        assert [
            *(
                "up to 30s",
                "30s to 1m 30s",
                "1m 30s to 1h",
                "1h to 1h 30m",
                "1h 30m to 1d",
                "1d to 1d 1h",
            ),
            "over 1d 1h",
        ] == [label for label, _ in label_groups([(bound, 1) for bound in bounds])]

    def test_of_other_bounds_only_the_first_are_drawn(self):
        drawn = ExampleBoard("a", "b")
        drawn.board.declare([ExampleBoard.entry("a"), ExampleBoard.entry("b", ages=(60.0,))])
        drawn.publish("a")
        drawn.publish("b", replace(SUMMARY, age_counts=(1, 2), age_bytes=(1, 2)))
        assert [len(table.xpath("tbody/tr")) for table in tables_of_ages(page(drawn.app))] == [3, 3]


def tables_of_ages(document: Element) -> list[Element]:
    return document.xpath("//table[@class='ages']")


class TestRows:
    def test_a_bucket_in_full(self, shown: ExampleApp):
        cells = cells_of(page(shown.app), "backups")
        assert cells["Uploads"] == "5"
        assert cells["Bytes"] == "117.7 MiB 1 unsized"
        assert cells["Stale"] == "2 976.6 KiB"
        assert cells["Oldest"] == "1d 1h 2026-09-20"
        assert cells["Longest idle"] == "2h 0m"
        assert cells["A month"] == "< 0.01 USD"
        assert cells["Health"] == "incomplete"
        assert cells["why"] == "ListParts: AccessDenied"
        assert cells["Next scan"].startswith("now for ")
        assert cells["Last success"].endswith(" ago took 1.2s")

    def test_spans_say_since_when(self, shown: ExampleApp):
        times = page(shown.app, "/?q=backups").xpath("//tbody[@class='card']//time[@title]")
        assert [(each.get("title"), each.get("datetime")) for each in times] == [
            *[("2026-09-20 13:13:19 UTC", "2026-09-20T13:13:19Z")] * 2,
            ("2026-09-21 12:13:20 UTC", "2026-09-21T12:13:20Z"),
            ("2026-09-21 14:13:20 UTC", "2026-09-21T14:13:20Z"),
        ]

    def test_stale_uploads_take_the_green_away_and_lead_to_them(self, shown: ExampleApp):
        document = page(shown.app, "/?q=media")
        assert cells_of(document, "media")["Health"] == "stale"
        [link] = document.xpath("//td[@data-label='Stale']/div[@class='warns']/a")
        assert (link.text, link.get("href")) == ("2", "uploads?target=prod&bucket=media&stale=true")
        assert document.xpath("//dt[.='Stale']/../dd[@class='warns']//a/@href") == ["uploads?stale=true"]

    def test_where_no_page_has_the_uploads_their_buckets_are_linked_to(self):
        document = page(ExampleApp(uploads=False).app)
        assert document.xpath("//td[@data-label='Stale']//a") == []
        [link] = document.xpath("//dt[.='Stale']/../dd//a/@href")
        assert link == "./?health=stale#list"

    def test_without_stale_uploads_nothing_warns(self):
        drawn = ExampleBoard("a")
        drawn.publish("a", replace(SUMMARY, unsized=0, stale=0, stale_bytes=0))
        document = page(drawn.app)
        assert (cells_of(document, "a")["Health"], cells_of(document, "a")["Stale"]) == ("ok", "0")
        assert document.xpath("//*[contains(@class, 'warns')]") == []

    def test_a_long_name_has_a_tail_that_is_never_cut_and_is_whole_in_its_title(self):
        name = "arn:aws:s3:eu-west-1:123456789012:accesspoint/\u65e5\u672c\u8a9e-media"
        drawn = ExampleBoard(name)
        [fit] = page(drawn.app).xpath("//tbody[@class='card']//span[@class='fit']")
        assert (name, name) == (fit.get("title"), "".join(fit.itertext()))
        assert fit[1].text == "\u65e5\u672c\u8a9e-media"

    def test_a_failing_one_says_why_in_full_and_keeps_its_values(self, shown: ExampleApp):
        cells = cells_of(page(shown.app), "logs")
        assert ("failing", f"access_denied: {FAILURE}", "5") == (
            cells["Health"],
            cells["why"],
            cells["Uploads"],
        )

    def test_one_whose_listing_is_at_odds_says_how_and_what_else_was_found(self, shown: ExampleApp):
        summary = replace(SUMMARY, unsized=0, unlisted=1200, denied=3)
        shown.board.publish(("prod", "media"), ScanResult(summary, NOW, 1.0, notices=("odd one", "odd two")))
        cells = cells_of(page(shown.app, "/?q=odd+two"), "media")
        assert (cells["Health"], cells["Uploads"]) == (
            "incomplete",
            "5 1,200 unlisted, 3 denied, not counted",
        )
        assert cells["why"] == (
            "the store's listing lacks uploads that the store has: 1,200, counted all the same "
            "the store lists uploads that it denies having: 3, not counted odd one odd two"
        )

    def test_one_that_fails_says_nothing_of_what_was_odd_before(self, shown: ExampleApp):
        shown.board.publish(
            ("prod", "media"), ScanResult(replace(SUMMARY, denied=3), NOW, 1.0, notices=("odd",))
        )
        shown.board.fail(("prod", "media"), Failure(Reason.TLS, "handshake"), 0.5)
        assert cells_of(page(shown.app), "media")["why"] == "tls: handshake"

    def test_one_that_shows_an_earlier_process_s_result_says_nothing_of_this_one_s(self, shown: ExampleApp):
        entry = shown.board.get(("prod", "media"))
        shown.board.declare([replace(entry, success=None, summary=replace(SUMMARY, denied=3))])
        cells = cells_of(page(shown.app), "media")
        assert (cells["Uploads"], cells["why"]) == ("5 3 denied, not counted", "")

    def test_one_not_scanned_yet_has_no_numbers(self, shown: ExampleApp):
        cells = cells_of(page(shown.app), "tapes")
        assert cells["Health"] == "not scanned"
        for title in (
            "Uploads",
            "Bytes",
            "Stale",
            "Oldest",
            "By age",
            "Last success",
            "Next scan",
            "A month",
        ):
            assert cells[title] == DASH

    def test_an_empty_one_has_zeros(self):
        drawn = ExampleBoard("empty")
        drawn.publish("empty", NOTHING)
        cells = cells_of(page(drawn.app), "empty")
        assert tuple(cells[title] for title in ("Uploads", "Bytes", "Stale", "Oldest", "Health")) == (
            "0",
            "0 B",
            "0",
            DASH,
            "ok",
        )

    def test_bytes_that_are_not_known_are_a_dash(self):
        drawn = ExampleBoard("a")
        drawn.publish("a", replace(SUMMARY, bytes=None, unsized=0))
        assert cells_of(page(drawn.app), "a")["Bytes"] == DASH

    def test_without_prices_no_cost_is_shown(self):
        drawn = ExampleBoard()
        drawn.board.declare([replace(ExampleBoard.entry("a"), price_list=None)])
        drawn.publish("a")
        assert "A month" not in cells_of(page(drawn.app), "a")

    def test_hostile_names_and_messages_stay_text(self):
        drawn = ExampleBoard(HOSTILE)
        drawn.publish(HOSTILE)
        message = "<script src=//evil></script>\u202e\x1b[2J"
        drawn.board.fail(("prod", HOSTILE), Failure(Reason.BAD_RESPONSE, message), 0.5)
        document = page(drawn.app)
        assert [one_line(HOSTILE)] == order(document)
        why = cells_of(document, one_line(HOSTILE))["why"]
        assert why == "bad_response: <script src=//evil></script>\\u202e\\x1b[2J"
        assert document.xpath("//script") == []


def cells_of(document: Element, bucket: str) -> dict[str, str]:
    [body] = [
        body for body in document.xpath("//tbody[@class='card']") if name(body.xpath(".//th")[0]) == bucket
    ]
    cells = {cell.get("data-label"): texts(cell) for cell in body.xpath(".//td[@data-label]")}
    return cells | {"why": " ".join(map(texts, body.xpath(".//td[@class='why']")))}


class TestOrder:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", "logs backups media tapes"),
            ("?sort=health&order=desc", "tapes media backups logs"),
            ("?sort=stale_bytes", "logs media backups tapes"),
            ("?sort=oldest", "media backups logs tapes"),
            ("?sort=oldest&order=asc", "logs backups media tapes"),
            ("?sort=name", "tapes backups logs media"),
            ("?sort=name&order=desc", "media logs backups tapes"),
            ("?sort=bytes", "backups logs media tapes"),
            ("?sort=next&order=asc", "backups logs media tapes"),
            ("?sort=next&order=desc", "media logs backups tapes"),
            ("?sort=nonsense&order=sideways", "logs backups media tapes"),
        ],
    )
    def test_rows_are_sorted_and_what_is_not_known_comes_last(
        self, shown: ExampleApp, query: str, expected: str
    ):
        buckets = {"media": (3, 20), "backups": (2, 10), "logs": (1, 30)}
        for bucket, (days, stale_bytes) in buckets.items():
            changed = {"oldest_initiated": NOW - 86400.0 * days, "stale_bytes": stale_bytes}
            entry = shown.board.get(("prod", bucket))
            changed_entry = replace(entry, summary=replace(entry.summary, **changed))
            shown.board.watch("prod", buckets, {bucket: changed_entry})
        assert expected.split() == order(page(shown.app, f"/{query}"))

    def test_heads_say_how_and_link_to_the_other_way(self, shown: ExampleApp):
        document = page(shown.app, "/?sort=bytes&q=a&page=1")
        [head] = document.xpath("//th[@aria-sort]")
        assert (texts(head), head.get("aria-sort")) == ("Bytes ▼", "descending")
        assert head[0].get("href") == "./?sort=bytes&q=a&order=asc#list"
        assert (
            document.xpath("string(//th[starts-with(., 'Uploads')]/a/@href)")
            == "./?sort=uploads&q=a&order=desc#list"
        )

    @pytest.mark.parametrize("key", [each.key for each in ORDERINGS])
    def test_every_column_sorts_both_ways(self, shown: ExampleApp, key: str):
        for way in ("asc", "desc"):
            assert {"media", "backups", "logs", "tapes"} == set(
                order(page(shown.app, f"/?sort={key}&order={way}"))
            )


class TestFilter:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("q=ME", "media"),
            ("q=archive", "tapes"),
            ("q=Not%20Authorized", "logs"),
            ("q=access_denied", "logs"),
            ("target=archive", "tapes"),
            ("health=failing", "logs"),
            ("health=stale", "logs backups media"),
            ("health=waiting", "tapes"),
            ("health=ok&target=prod", ""),
            ("q=nothing", ""),
        ],
    )
    def test_rows_are_chosen(self, shown: ExampleApp, query: str, expected: str):
        document = page(shown.app, f"/?{query}")
        assert expected.split() == order(document)
        told = texts(document.xpath("//table[contains(@class, 'list')]/caption | //p[@class='panel']")[0])
        number = len(expected.split())
        assert {0: "No bucket matches.", 1: "1 bucket"}.get(number, f"{number} buckets") == told

    def test_the_form_says_what_was_chosen(self, shown: ExampleApp):
        document = page(shown.app, "/?q=%22%3E%3Cscript%3E&target=prod&health=failing&sort=bytes&order=asc")
        assert document.xpath("string(//input[@name='q']/@value)") == '"><script>'
        assert document.xpath("//option[@selected]/@value") == ["prod", "failing", "bytes", "asc"]
        assert page(shown.app).xpath("//option[@selected]/@value") == ["", "", "health", ""]
        assert document.xpath("//script") == []

    @pytest.mark.parametrize(
        "query", ["%ff=%ff", "q=%00", "&&&", "=", "page=-1", "page=x", "page=99999999999", "a&" * 99]
    )
    def test_any_query_is_answered(self, shown: ExampleApp, query: str):
        page(shown.app, f"/?{query}")
        page(shown.app, f"/uploads?{query}")


class TestManyBuckets:
    def test_they_come_in_pages(self):
        names = [f"bucket-{number:03}" for number in range(2 * PAGE_SIZE + 1)]
        drawn = ExampleBoard(*names)
        found = []
        for number in (1, 2, 3):
            document = page(drawn.app, f"/?sort=name&page={number}")
            found += order(document)
            assert f"Page {number} of 3" in texts(document.xpath("//nav[@class='pages']")[0])
        assert names == found
        links = page(drawn.app, "/?sort=name&page=2").xpath("//nav[@class='pages']/a/@href")
        assert links == ["./?sort=name&page=1#list", "./?sort=name&page=3#list"]

    def test_beyond_the_last_is_the_last(self):
        drawn = ExampleBoard(*map(str, range(PAGE_SIZE + 1)))
        assert len(order(page(drawn.app, "/?page=7"))) == 1

    def test_one_page_has_no_links(self, shown: ExampleApp):
        assert page(shown.app).xpath("//nav[@class='pages']") == []


class TestUploads:
    def test_hostile_keys_are_shown_as_text(self, shown: ExampleApp):
        answer = ask(shown.app, "/uploads?limit=1000")
        document = html.document_fromstring(answer.body.decode())
        [script] = scripts(document)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in answer.headers["content-security-policy"]
        assert {one_line(key) for key in MALICIOUS_KEYS} == {head or "" for head in order(document)}
        assert len(MALICIOUS_KEYS) == len(document.xpath("//td[@class='command']/code"))
        assert all(code.xpath("string(.)").isprintable() for code in document.xpath("//code"))

    def test_an_upload_in_full(self):
        shown = ExampleApp([])
        upload = found("dir/a file", 3, abort_at=NOW + 60)
        entry = shown.board.get(("prod", "media"))
        shown.board.declare([replace(entry, top_uploads=worst(upload))])
        document = page(shown.app, "/uploads")
        cells = cells_of(document, "dir/a file")
        assert cells == {
            "Age": "3h 0m 2026-09-21 11:13:20",
            "Idle": "1h 30m 2026-09-21 12:43:20",
            "Bytes": "3.0 MiB 3 parts",
            "Class": "STANDARD",
            "Begun by": "arn:aws:iam::1:user/ci",
            "Will be aborted": "2026-09-21 14:14:20",
            "why": "",
        }
        assert "'--key=dir/a file'" in texts(document.xpath("//code")[0])

    def test_one_without_id_and_date_of_its_own_is_at_least_as_old_as_shown(self):
        shown = ExampleApp([])
        upload = found("blob", 3)._replace(upload=Upload("blob", "", NOW - 7200.0))
        entry = replace(shown.board.get(("prod", "media")), store="azure", top_uploads=worst(upload))
        shown.board.declare([entry])
        document = page(shown.app, "/uploads")
        assert cells_of(document, "blob")["Age"] == "≥ 2h 0m 2026-09-21 12:13:20"
        labels = document.xpath("//button[@class='copy']/@aria-label")
        assert "Copy the upload id" not in labels

    def test_key_id_and_command_have_a_button_each_beside_the_whole_text(self):
        shown = ExampleApp([])
        key = "x" * 1024
        upload = found(key)._replace(upload=Upload(key, "i" * 140, NOW))
        shown.board.declare([replace(shown.board.get(("prod", "media")), top_uploads=worst(upload))])
        buttons = page(shown.app, "/uploads").xpath("//button[@class='copy']")
        whole = {button.get("aria-label"): button.getprevious().xpath("string(.)") for button in buttons}
        assert {"Copy the key", "Copy the upload id", "Copy the command"} == whole.keys()
        assert (whole["Copy the key"], whole["Copy the upload id"]) == (key, "i" * 140)
        assert f"--key={key} --upload-id={'i' * 140} " in whole["Copy the command"]

    def test_the_idle_time_of_a_stale_one_stands_out(self):
        shown = ExampleApp([])
        uploads = worst(found("old", 2, stale=True), found("young", 1))
        shown.board.declare([replace(shown.board.get(("prod", "media")), top_uploads=uploads)])
        document = page(shown.app, "/uploads")
        assert [texts(each) for each in document.xpath("//div[@class='warns']")] == [
            "1h 0m 2026-09-21 13:13:20"
        ]
        assert texts(document.xpath("//caption")[0]) == "2 uploads, the oldest first"
        document = page(shown.app, "/uploads?stale=true")
        assert order(document) == ["old"]
        assert "true" in document.xpath("//option[@selected]/@value")

    @pytest.mark.parametrize(
        ("known", "told"),
        [
            (1, "1 stale upload, the oldest first"),
            (128, "1 of 128 stale uploads, the oldest first"),
        ],
    )
    def test_where_more_are_stale_than_are_shown_it_says_of_how_many(self, known: int, told: str):
        shown = ExampleApp([])
        uploads, summary = worst(found("old", stale=True)), replace(SUMMARY, stale=known)
        media = replace(shown.board.get(("prod", "media")), top_uploads=uploads, summary=summary)
        shown.board.declare([media])
        assert texts(page(shown.app, "/uploads?stale=true").xpath("//caption")[0]) == told
        shown.board.declare([replace(media, top_uploads=None)])
        none = f"Stale uploads: {known}. None of them is held."
        assert texts(page(shown.app, "/uploads?stale=true").xpath("//p[@class='panel']")[0]) == none

    def test_a_head_sorts_and_keeps_the_filters(self, shown: ExampleApp):
        document = page(shown.app, "/uploads?bucket=media&sort=age")
        [head] = document.xpath("//th[@aria-sort='descending']")
        assert texts(head) == "Age \u25bc"
        assert document.xpath("string(//th[.='Idle']/a/@href)") == "uploads?bucket=media&sort=idle#list"

    def test_one_that_the_store_denies_comes_last_and_has_no_command(self):
        shown = ExampleApp([])
        uploads = worst(found("denied", 9, denied=True), found("unlisted", 3, unlisted=True), found("a"))
        entry = shown.board.get(("prod", "media"))
        summary = replace(SUMMARY, denied=4)
        shown.board.declare([replace(entry, top_uploads=uploads, summary=summary)])
        document = page(shown.app, "/uploads")
        assert order(document) == ["unlisted", "a", "denied"]
        assert [name in texts(code) for code in document.xpath("//code") for name in ("unlisted", "=a ")] == [
            *(True, False),
            *(False, True),
        ]
        lead = texts(document.xpath("//p[@class='lead']")[0])
        assert "Uploads that their stores list and then deny: 4; they come last, and have no command." in lead
        listed, _, denied = document.xpath("//tbody[@class='card']//th")
        assert "its listing lacks it" in texts(listed)
        assert "The store denies that it has this upload" in texts(denied)

    def test_what_is_not_known_is_a_dash(self):
        shown = ExampleApp([])
        upload = found("a", activity=None, parts=None, bytes=None, storage_class="")
        upload = upload._replace(upload=upload.upload._replace(initiator=""))
        shown.board.declare([replace(shown.board.get(("prod", "media")), top_uploads=worst(upload))])
        cells = cells_of(page(shown.app, "/uploads"), "a")
        assert {DASH} == {cells[title] for title in ("Idle", "Bytes", "Class", "Begun by", "Will be aborted")}

    @pytest.mark.parametrize(
        ("sort", "expected"), [("age", "old idle big"), ("idle", "idle big old"), ("bytes", "big old idle")]
    )
    def test_orders(self, sort: str, expected: str):
        shown = ExampleApp([])
        uploads = (
            found("old", 9, activity=NOW, bytes=20),
            found("idle", 8, activity=NOW - 9000, bytes=10),
            found("big", 7, activity=NOW - 90, bytes=30),
        )
        first, second = (
            replace(shown.board.get(("prod", name)), top_uploads=worst(*those))
            for name, those in (("media", uploads[:2]), ("backups", uploads[2:]))
        )
        shown.board.declare([first, second])
        assert expected.split() == order(page(shown.app, f"/uploads?sort={sort}"))
        assert expected.split()[:1] == order(page(shown.app, f"/uploads?sort={sort}&limit=1"))
        assert order(page(shown.app, f"/uploads?sort={sort}&bucket=backups")) == ["big"]
        assert order(page(shown.app, f"/uploads?sort={sort}&target=archive")) == []

    def test_it_says_of_how_many_buckets_nothing_is_known(self, shown: ExampleApp):
        assert "Missing buckets, as no scan of them has succeeded since the start: 1." in texts(
            page(shown.app, "/uploads").xpath("//p[@class='lead']")[0]
        )

    def test_values_that_are_taken_down_take_their_uploads_along(self):
        drawn = ExampleBoard("a")
        drawn.app = replace(drawn.app, uploads=True)
        result = ScanResult(SUMMARY, NOW, 1.0, "", worst(found("key")))
        for gone in ("expired", "missing"):
            drawn.board.publish(("prod", "a"), result)
            assert order(page(drawn.app, "/uploads")) == ["key"]
            for _ in range(2):
                reason = Reason.NOT_FOUND if gone == "missing" else Reason.TIMEOUT
                drawn.board.fail(("prod", "a"), Failure(reason, ""), 1.0)
            if gone == "expired":
                assert order(page(drawn.app, "/uploads")) == ["key"]
                drawn.clock.now += 101
            assert order(page(drawn.app, "/uploads")) == []

    def test_the_other_pages_link_to_it_where_it_is_on(self, shown: ExampleApp):
        assert page(shown.app).xpath("//nav//a[.='Worst uploads']/@href") == ["uploads"]
        assert page(ExampleApp(uploads=False).app).xpath("//nav//a[.='Worst uploads']") == []


class TestScanNow:
    def test_without_names_all_are_meant_and_the_answer_says_how_many(self, shown: ExampleApp):
        answer = ask(shown.app, "/-/scan", method="POST")
        assert (answer.status, shown.scans) == (202, [([], [])])
        assert answer.body.decode().splitlines() == [
            "Scans requested: buckets 1,234, of targets 2.",
            "Being scanned already, and again after that: buckets 1.",
        ]

    def test_names_may_be_repeated(self, shown: ExampleApp):
        ask(shown.app, "/-/scan?target=a&bucket=x%20y&target=b&bucket=z", method="POST")
        assert shown.scans == [(["a", "b"], ["x y", "z"])]

    def test_a_name_that_is_not_watched_is_not_found(self, shown: ExampleApp):
        answer = ask(shown.app, "/-/scan?target=nowhere", method="POST")
        assert (answer.status, answer.body) == (404, b"404 no such target\n")

    @pytest.mark.parametrize("query", ["?targets=a", "?" + "&".join(f"bucket={n}" for n in range(51))])
    def test_a_query_that_is_not_understood_scans_nothing(self, shown: ExampleApp, query: str):
        assert (ask(shown.app, f"/-/scan{query}", method="POST").status, shown.scans) == (400, [])

    @pytest.mark.parametrize("header", [("content-length", "10"), ("transfer-encoding", "chunked")])
    def test_names_in_the_body_are_not_taken_for_none(self, shown: ExampleApp, header: tuple[str, str]):
        assert (ask(shown.app, "/-/scan", header, method="POST").status, shown.scans) == (400, [])
        assert ask(shown.app, "/-/scan", ("content-length", "0"), method="POST").status == 202

    def test_the_page_says_how_and_what_to_do_where_it_is_off(self, shown: ExampleApp):
        def hint(app: App) -> str:
            return page(app).xpath("string(//p[contains(@class, 'hint')])")

        assert "curl -X POST 'http://HOST:PORT/-/scan?target=NAME&bucket=NAME'" in hint(shown.app)
        off = hint(ExampleBoard("media").app)
        assert "SIGUSR1" in off
        assert "--web.enable-lifecycle" in off


class TestReload:
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_it_is_done_and_told(self, shown: ExampleApp, method: str):
        answer = ask(shown.app, "/-/reload", method=method)
        assert (answer.status, answer.body) == (200, b"The config was read again.\n")
        assert shown.reloads == [[]]

    def test_problems_are_told_line_by_line(self, shown: ExampleApp):
        shown.problems = ["config.yaml:1: a: is wrong", "config.yaml:2: \udcff: too"]
        answer = ask(shown.app, "/-/reload", method="POST")
        assert (answer.status, answer.body) == (500, b"config.yaml:1: a: is wrong\nconfig.yaml:2: ?: too\n")

    @pytest.mark.parametrize("path", ["/-/reload", "/-/scan"])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
    def test_to_read_it_is_no_wish_to_change(self, shown: ExampleApp, path: str, method: str):
        answer = ask(shown.app, path, method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST, PUT")
        assert shown.reloads == shown.scans == []

    @pytest.mark.parametrize(("path", "fine"), [("/-/reload", 200), ("/-/scan", 202)])
    def test_a_page_of_another_site_cannot(self, shown: ExampleApp, path: str, fine: int):
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", fine), ("none", fine)):
            assert status == ask(shown.app, path, ("sec-fetch-site", site), method="POST").status
        assert (len(shown.reloads), len(shown.scans)) == ((2, 0) if fine == 200 else (0, 2))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", "target=gone&health=odd"),
        ("/uploads", "target=gone"),
        ("/uploads", "target=archive&bucket=media"),
    ],
)
def test_a_filter_that_is_no_option_is_in_force_and_in_the_form(shown: ExampleApp, path: str, query: str):
    document = page(shown.app, f"{path}?{query}")
    chosen = {each.get("name"): each.xpath("option[@selected]/@value") for each in document.xpath("//select")}
    assert order(document) == []
    assert query == "&".join(f"{name}={value}" for name in chosen for value in chosen[name] if name in query)


def test_all_links_are_relative_for_whoever_serves_us_under_a_prefix(shown: ExampleApp):
    for target in ("/", "/uploads"):
        links = page(shown.app, target).xpath("//a/@href | //form/@action")
        assert len(links) > 6
        assert [link for link in links if link.startswith("/") or "://" in link] == []


@pytest.mark.parametrize("path", ["/", "/uploads"])
def test_a_shard_s_pages_say_that_there_are_others(shown: ExampleApp, path: str):
    assert "Shard " not in texts(page(shown.app, path))
    shown.app.shard = Shard(3, 1)
    assert "Shard 1 of 3, counted from 0: other buckets are" in texts(page(shown.app, path))


def test_the_number_of_failing_buckets_leads_to_them(shown: ExampleApp):
    [link] = page(shown.app).xpath("//dt[.='Buckets']/..//a/@href")
    assert (link, order(page(shown.app, "/?health=failing"))) == ("./?health=failing#list", ["logs"])


def test_a_target_that_just_went_is_shown_without_its_settings():
    shown = ExampleApp(["a"])
    shown.watched = []
    assert len(order(page(shown.app))) == 4
    assert page(shown.app, "/uploads").xpath("//code") == []


def test_entries_of_one_bucket_name_in_two_targets_are_two_rows():
    drawn = ExampleBoard()
    drawn.board.declare([Entry(name, "media", "s3", 60.0) for name in ("a", "b")])
    assert order(page(drawn.app)) == ["media", "media"]


NONE_OF, SHOWN = "discover leaves none of", one_line(HOSTILE)


class TestTroubles:
    """What is wrong apart from single buckets."""

    def told(self, shown: ExampleApp) -> list[str]:
        return [texts(item) for item in page(shown.app).xpath("//section[@class='trouble']//li")]

    def test_without_any_there_is_no_such_section(self, shown: ExampleApp):
        assert page(shown.app).xpath("//section[@class='trouble']") == []

    def test_a_list_of_buckets_that_cannot_be_had(self, shown: ExampleApp):
        failed = Discovery(success=False, failure=Failure(Reason.ACCESS_DENIED, "ListBuckets: <no>"))
        shown.watched[0] = replace(shown.watched[0], discovery=failed)
        told = (
            "The list of buckets of prod cannot be read, never read so far: access_denied: ListBuckets: <no>"
        )
        assert self.told(shown) == [told]

    def test_when_the_list_was_last_had(self, shown: ExampleApp):
        failed = Discovery(success=False, failure=Failure(Reason.TIMEOUT, "slow"), last_success=NOW)
        shown.watched[0] = replace(shown.watched[0], discovery=failed)
        [told] = self.told(shown)
        assert re.fullmatch(
            r"The list of buckets of prod cannot be read, last had .+ ago: timeout: slow", told
        )

    @pytest.mark.parametrize(
        ("selection", "told"),
        [
            (
                Selection(1234, 0, DROPPED),
                f"{NONE_OF} 1,234 seen: tmp: {DROPPED[0].why} {SHOWN}: {DROPPED[1].why} and 1,232 more",
            ),
            (
                Selection(1, 0, DROPPED[:1]),
                f"{NONE_OF} 1 seen: tmp: no pattern of discover.include finds it",
            ),
            (Selection(), "there is none, or the credentials see none"),
        ],
    )
    def test_a_discovery_that_leaves_no_bucket_and_what_drops_each(self, shown: ExampleApp, selection, told):
        shown.watched[0] = replace(shown.watched[0], discovery=Discovery(success=True, selection=selection))
        assert self.told(shown) == [f"No bucket of prod is watched: {told}"]

    def test_a_config_that_cannot_be_used(self, shown: ExampleApp):
        shown.app.config_problems = lambda: [f"config.yaml:1: {HOSTILE}", "config.yaml:2: two"]
        [told] = self.told(shown)
        start = "The config cannot be used; what was read before stays in use: config.yaml:1: "
        assert told == f"{start}{one_line(HOSTILE)} config.yaml:2: two"
