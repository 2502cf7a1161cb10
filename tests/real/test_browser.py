"""The pages in a real browser: what it asks for, shows and lets a keyboard or a screen reader do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from axe_core_python.selenium import Axe
from hostile import MALICIOUS_KEYS
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from servers import need
from servers.browser import DESKTOP, PHONE, SMALL_PHONE, browser, browsing
from unit.example_app import FAILURE, ExampleApp

from exporter.model.errors import Failure, Reason
from exporter.model.targets import Discovery
from exporter.text.quoting import one_line
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.browser import Browser

__all__ = ["browser"]
PAGES = ("/", "/uploads?limit=20&sort=bytes")
ROWS = "table.list tbody.card th"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    shown = ExampleApp()
    refused = Discovery(success=False, failure=Failure(Reason.ACCESS_DENIED, "ListBuckets: <b>no</b>"))
    shown.watched[0] = replace(shown.watched[0], discovery=refused)
    shown.app.config_problems = lambda: [f"config.yaml:1: targets[0].endpoint_url: {'x' * 500} is no URL"]
    web = WebServer(shown.app, ["127.0.0.1:0"])
    web.start()
    yield f"http://127.0.0.1:{web.port}"
    web.stop()


def order(browser: Browser) -> list[str]:
    return [text.removesuffix("prod").removesuffix("archive") for text in browser.texts(ROWS)]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=str)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_sound(browser: Browser, url: str, page: str, size: tuple[int, int], *, dark: bool):
    """No complaint, no request but its own, nothing to scroll sideways, no violation that axe knows of."""
    browser.show(url + page, size, dark=dark)
    assert browser.complaints() == []
    assert [url + page] == [asked for asked in browser.requests() if not asked.startswith("data:")]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(browser.driver)["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:300]) for each in found] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_smallest_phone_scrolls_down_only(browser: Browser, url: str, page: str):
    browser.show(url + page, SMALL_PHONE)
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_light_and_dark_differ(browser: Browser, url: str):
    colours = []
    for dark in (False, True):
        browser.show(url, dark=dark)
        colours.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", colour))) for colour in colours)
    assert light > 600
    assert dark < 100


def test_a_click_on_a_head_sorts(browser: Browser, url: str):
    browser.show(url)
    assert order(browser) == ["logs", "backups", "media", "tapes"]
    for direction, expected in (
        ("ascending", "tapes backups logs media"),
        ("descending", "media logs backups tapes"),
    ):
        browser.driver.find_element(By.XPATH, "//th/a[starts-with(., 'Bucket')]").click()
        assert expected.split() == order(browser)
        assert direction == browser.run(
            "return document.querySelector('[aria-sort]').getAttribute('aria-sort')"
        )


def test_the_form_filters_and_the_keyboard_is_enough(browser: Browser, url: str):
    browser.show(url)
    browser.driver.find_element(By.NAME, "q").send_keys("ME", Keys.ENTER)
    assert order(browser) == ["media"]
    assert browser.driver.find_element(By.NAME, "q").get_attribute("value") == "ME"


@pytest.mark.parametrize("page", ["/", "/uploads?limit=2"])
def test_tab_reaches_everything_and_shows_where_it_is(browser: Browser, url: str, page: str):
    browser.show(url + page)
    stops = browser.run(
        "return document.querySelectorAll('a[href], input, select, button, [tabindex=\"0\"]').length"
    )
    reached = []
    for _ in range(stops):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(
            browser.run(
                "const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();"
                "const place = [...document.querySelectorAll('*')].indexOf(e);"
                "return [place, e.textContent, s.outlineStyle, box.left >= 0 && box.width > 0]"
            )
        )
    assert stops == len({place for place, *_ in reached})
    assert {("solid", True)} == {(outline, visible) for *_, outline, visible in reached}
    assert reached[0][1] == "Skip to the list"


def test_trouble_is_a_section_of_its_own(browser: Browser, url: str):
    browser.show(url)
    [section] = browser.driver.find_elements(By.CSS_SELECTOR, "section.trouble")
    assert (section.aria_role, section.accessible_name) == ("region", "Trouble")
    assert "config.yaml:1: targets[0].endpoint_url: xxx" in section.text
    assert "cannot be read, never read so far: access_denied: ListBuckets: <b>no</b>" in section.text


def test_the_failing_buckets_are_a_click_away(browser: Browser, url: str):
    browser.show(url)
    browser.driver.find_element(By.PARTIAL_LINK_TEXT, "1 failing").click()
    assert order(browser) == ["logs"]


def test_the_skip_link_leads_to_the_list(browser: Browser, url: str):
    browser.show(url)
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "list"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=str)
def test_a_screen_reader_finds_a_table(browser: Browser, url: str, size: tuple[int, int]):
    """On a phone, too, where rows look like cards."""
    browser.show(url, size)
    nodes = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]
    roles = [role for role, _ in named]
    assert {"banner", "navigation", "main", "contentinfo", "search", "region"} <= set(roles)
    assert roles.count("rowheader") == 4 + 2 * 3  # buckets, and ages of uploads and bytes
    assert ("columnheader", "Uploads") in named or size == PHONE
    assert any(
        role in {"image", "img"} and name.startswith("Bytes by age: up to 1h: 976.6 KiB; ")
        for role, name in named
    )
    assert ("table", "4 buckets") in named


def test_a_phone_shows_a_card_per_bucket(browser: Browser, url: str):
    browser.show(url, PHONE)
    boxes = browser.run(
        "return [...document.querySelectorAll('tbody.card')].map(e => e.getBoundingClientRect().width)"
    )
    assert [round(width) for width in boxes] == [351] * 4
    assert browser.driver.find_element(By.NAME, "sort").is_displayed()
    shown = browser.driver.find_element(By.TAG_NAME, "main").text
    assert FAILURE in shown
    assert "ListBuckets: <b>no</b>" in shown


def test_hostile_keys_are_text(browser: Browser, url: str):
    browser.show(f"{url}/uploads?limit=1000&sort=bytes")
    assert browser.run("return document.scripts.length") == 1  # that of buttons that copy
    shown = browser.texts(f"{ROWS} > .line .fit")
    assert [one_line(key) for key in reversed(MALICIOUS_KEYS)] == shown


def test_one_click_selects_a_whole_command(browser: Browser, url: str):
    browser.show(f"{url}/uploads")
    code = browser.driver.find_elements(By.CSS_SELECTOR, "td.command code")[-1]
    browser.run("arguments[0].scrollIntoView({block: 'center'})", code)
    code.click()
    assert browser.run("return arguments[0].textContent", code) == browser.run(
        "return getSelection().toString()"
    )


def test_all_of_it_works_without_javascript(url: str):
    need("chromium", "chromedriver")
    with browsing(javascript=False) as quiet:
        quiet.driver.get("data:text/html,<p>off</p><script>document.body.textContent = 'on'</script>")
        assert quiet.driver.find_element(By.TAG_NAME, "body").text == "off"
        quiet.driver.get(url)
        quiet.driver.find_element(By.LINK_TEXT, "Bucket").click()
        assert "sort=name" in quiet.driver.current_url
        heads = quiet.driver.find_elements(By.CSS_SELECTOR, ROWS)
        assert [head.text.split("\n")[0] for head in heads] == ["tapes", "backups", "logs", "media"]
