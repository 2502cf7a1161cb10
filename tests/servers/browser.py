"""Debian's Chromium without a screen, steered by selenium: what a page does to a real browser."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver

from servers import need

if TYPE_CHECKING:
    from collections.abc import Iterator

DESKTOP, PHONE, SMALL_PHONE = (1400, 1000), (375, 700), (320, 600)
_MAX_PHONE_WIDTH = 500
_LAYOUT = Path(__file__).with_name("layout.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Browser:
    """A running Chromium."""

    driver: webdriver.Chrome

    def show(self, url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> None:
        """Open a page as on a screen of this size; what was logged before is forgotten."""
        width, height = size
        screen = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < _MAX_PHONE_WIDTH,
        }
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.turn(dark=dark)
        self.driver.get("about:blank")
        self.complaints()
        self.requests()
        self.driver.get(url)

    def turn(self, *, dark: bool) -> None:
        """Have the page as someone sees it who prefers dark colours, or light ones."""
        colours = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [colours]})

    def flaws(self) -> list[str]:
        """Return what is cut, overlaps or scrolls sideways in the page, some of it where there is much."""
        return self.run(_LAYOUT)

    def run(self, script: str, *arguments: object) -> Any:
        """Return what a function body returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """Return the text of all elements, as it stands in the document."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
        )

    def complaints(self) -> list[str]:
        """Return what the console was told since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the URLs that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = (each for each in messages if each["method"] == "Network.requestWillBeSent")
        return [each["params"]["request"]["url"] for each in sent]


@contextmanager
def browsing(*, javascript: bool = True) -> Iterator[Browser]:
    """Run a browser while the block lasts."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    # root has no sandbox, and containers have little shared memory
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--window-size={DESKTOP[0]},{DESKTOP[1]}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not javascript:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_script_timeout(60)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser that the tests of a file share."""
    need("chromium", "chromedriver")
    with browsing() as browser:
        yield browser
