"""The pages in a real browser: what it asks for, shows and lets a keyboard or a screen reader do."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from axe_core_python.selenium import Axe
from hostile import MALICIOUS_KEYS
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from servers import need, wait_until
from servers.browser import DESKTOP, PHONE, SMALL_PHONE, browser, browsing
from unit.example_app import DROPPED, FAILURE, ExampleApp
from unit.example_large import LargeApp

from exporter.model.errors import Failure, Reason
from exporter.model.targets import Discovery, Selection
from exporter.text.quoting import one_line
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.browser import Browser

__all__ = ["browser"]
STATES = {
    "buckets": ("large", "/?q=000"),
    "uploads": ("large", "/uploads?limit=5&sort=bytes"),
    "trouble": ("small", "/"),
    "hostile": ("small", "/uploads?limit=9&sort=bytes"),
    "nothing": ("small", "/uploads?target=none&stale=true"),
    "no-bucket": ("small", "/?q=none"),
}
"""What pages can show, each as one of the example boards does."""
ROWS = "table.list tbody.card th"


SAME_FOR_AXE = 1280
"""A width at which pages are arranged as at another."""


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    shown = ExampleApp()
    refused = Discovery(success=False, failure=Failure(Reason.ACCESS_DENIED, "ListBuckets: <b>no</b>"))
    shown.watched[0] = replace(shown.watched[0], discovery=refused)
    unmatched = Discovery(success=True, selection=Selection(1234, 0, DROPPED))
    shown.watched[1] = replace(shown.watched[1], discovery=unmatched)
    shown.app.config_problems = lambda: [f"config.yaml:1: targets[0].endpoint_url: {'x' * 500} is no URL"]
    apps = {"small": shown.app, "large": LargeApp(buckets=2000, uploads=10_000).app}
    servers = {name: WebServer(app, ["127.0.0.1:0"]) for name, app in apps.items()}
    for each in servers.values():
        each.start()
    yield {name: f"http://127.0.0.1:{each.port}" for name, each in servers.items()}
    for each in servers.values():
        each.stop()


@pytest.fixture
def url(urls: dict[str, str]) -> str:
    return urls["small"]


def order(browser: Browser) -> list[str]:
    return [text.removesuffix("prod").removesuffix("archive") for text in browser.texts(ROWS)]


@pytest.mark.parametrize("width", [1440, 1280, 390])
@pytest.mark.parametrize("state", STATES)
def test_a_page_is_sound(browser: Browser, urls: dict[str, str], state: str, width: int):
    """No complaint, no request but its own, nothing cut, nothing that overlaps, nothing that axe knows of.

    SCREENSHOTS names a folder for pictures of all of it, for people to look at.
    """
    app, page = STATES[state]
    shown = urls[app] + page
    browser.show(shown, (width, 1000))
    assert [shown] == [asked for asked in browser.requests() if not asked.startswith("data:")]
    for colours in ("light", "dark"):
        browser.turn(dark=colours == "dark")
        assert browser.flaws() == []
        if folder := os.environ.get("SCREENSHOTS"):
            browser.driver.save_screenshot(f"{folder}/{state}-{width}-{colours}.png")
        if width != SAME_FOR_AXE:
            assert violations(browser, only_colours=colours == "dark") == []
    assert browser.complaints() == []


def violations(browser: Browser, *, only_colours: bool) -> list[tuple[str, str]]:
    """Return the rules that axe finds broken, with a piece of the page.

    Most options go first: axe looks at thousands of them for half a minute.
    """
    browser.run("document.querySelectorAll('option:nth-child(n + 20)').forEach(e => e.remove())")
    rules = {"runOnly": ["color-contrast"]} if only_colours else {}
    found = Axe().run(browser.driver, options=rules)["violations"]
    return [(each["id"], each["nodes"][0]["html"][:300]) for each in found]


@pytest.mark.parametrize("size", [SMALL_PHONE, (900, 800)], ids=str)
@pytest.mark.parametrize("state", STATES)
def test_widths_between_are_sound_too(
    browser: Browser, urls: dict[str, str], state: str, size: tuple[int, int]
):
    app, page = STATES[state]
    browser.show(urls[app] + page, size)
    assert browser.flaws() == []


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
    assert "No bucket of archive is watched: discover leaves none of 1,234 seen" in section.text


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


@pytest.mark.parametrize("clipboard", [True, False], ids=["over TLS", "without TLS"])
def test_a_button_copies_the_whole_text(browser: Browser, urls: dict[str, str], *, clipboard: bool):
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    browser.show(f"{urls['large']}/uploads?limit=3")
    browser.run("window.known = navigator.clipboard")
    if not clipboard:  # nor has a page that came without TLS from another host
        browser.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    for place, least in ((3, 1024), (4, 140), (5, 1200)):
        button = browser.driver.find_elements(By.CSS_SELECTOR, "button.copy")[place]
        button.click()
        wait_until("told", lambda: browser.texts("[role=status]") == ["Copied."])
        copied = browser.driver.execute_async_script("known.readText().then(arguments[0], arguments[0])")
        assert copied == browser.run("return arguments[0].previousElementSibling.textContent", button)
        assert len(copied) >= least
        assert browser.run("return document.activeElement === arguments[0]", button)
        browser.run("document.querySelector('[role=status]').textContent = ''")


def test_all_of_it_works_without_javascript(url: str):
    need("chromium", "chromedriver")
    with browsing(javascript=False) as quiet:
        quiet.driver.get("data:text/html,<p>off</p><script>document.body.textContent = 'on'</script>")
        assert quiet.driver.find_element(By.TAG_NAME, "body").text == "off"
        quiet.driver.get(f"{url}/uploads?limit=1")
        assert not quiet.driver.find_element(By.CSS_SELECTOR, "button.copy").is_displayed()
        quiet.driver.get(url)
        quiet.driver.find_element(By.LINK_TEXT, "Bucket").click()
        assert "sort=name" in quiet.driver.current_url
        heads = quiet.driver.find_elements(By.CSS_SELECTOR, ROWS)
        assert [head.text.split("\n")[0] for head in heads] == ["tapes", "backups", "logs", "media"]
