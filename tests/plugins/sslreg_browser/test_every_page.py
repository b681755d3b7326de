"""All pages as a person meets them: in Chromium, light and dark, on a laptop and on a phone, with the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sslreg_browser.workspace import Workspace

pytestmark = pytest.mark.slow

SCREENS = {"laptop": (1300, 900), "phone": (390, 844)}

StartServer = Callable[[Workspace], str]


def set_screen(browser: Any, width: int, height: int, *, dark: bool) -> None:
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def list_areas(browser: Any) -> list[str]:
    links = browser.find_elements("css selector", "header.site a[href^='/']")
    return [link.get_attribute("href") for link in links]


@pytest.fixture
def open_server(browser: Any, start_server: StartServer, nasty_workspace: Workspace) -> Iterator[Callable[[], None]]:
    """Open the link of a server, and wait until its first page is shown."""

    def open_link() -> None:
        browser.get("about:blank")
        browser.get_log("browser")
        browser.implicitly_wait(5)
        browser.get(start_server(nasty_workspace))
        assert browser.find_element("css selector", "main h1").is_displayed()

    yield open_link
    browser.get("about:blank")  # a page would go on asking a server that has ended


def test_the_token_leaves_the_address_bar(browser: Any, open_server: Callable[[], None]) -> None:
    open_server()
    assert browser.current_url.startswith(list_areas(browser)[0])
    assert "token" not in browser.current_url
    assert browser.execute_script("return document.cookie") == ""
    assert browser.get_log("browser") == []
    browser.back()
    assert browser.current_url == "about:blank"


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_fits_and_reports_no_error(
    browser: Any, open_server: Callable[[], None], screen: str, dark: bool
) -> None:
    width, height = SCREENS[screen]
    set_screen(browser, width, height, dark=dark)
    open_server()
    areas = list_areas(browser)
    assert areas
    for area in areas:
        browser.get(area)
        assert browser.find_element("css selector", "main h1").is_displayed(), area
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, area
        assert browser.title != "attacked", area
        color = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, color[4:-1].split(","))) < 3 * 128) is dark
        assert browser.get_log("browser") == [], area


def test_the_keyboard_reaches_the_content_and_the_areas(browser: Any, open_server: Callable[[], None]) -> None:
    set_screen(browser, *SCREENS["laptop"], dark=False)
    open_server()
    reached = []
    for _ in range(1 + len(list_areas(browser))):
        browser.switch_to.active_element.send_keys("\ue004")  # tab
        element = browser.switch_to.active_element
        reached.append(element.get_attribute("href"))
        assert element.value_of_css_property("outline-style") != "none"
    assert reached[0].endswith("#content")
    assert reached[1:] == list_areas(browser)
