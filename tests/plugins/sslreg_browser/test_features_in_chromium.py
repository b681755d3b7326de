"""The page of features in Chromium: map, neighbors, dropped images, profile and patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sslreg import Run
from sslreg_browser.workspace import Workspace

pytestmark = pytest.mark.slow

StartServer = Callable[[Workspace], str]


def find(page: Any, selector: str) -> Any:
    return page.find_element("css selector", selector)


def wait(page: Any, condition: str) -> None:
    """Wait until an expression in JavaScript is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 30).until(lambda _: page.execute_script(f"return Boolean({condition})"), condition)


@pytest.fixture
def page(browser: Any, start_server: StartServer, patch_run: Run) -> Iterator[Any]:
    """The page of a run of patches, once everything is shown."""
    browser.get("about:blank")
    browser.get_log("browser")
    screen = {"width": 1300, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    link = start_server(Workspace(runs=patch_run.path.parent, run=patch_run.path))
    browser.get(link)
    wait(browser, "document.querySelector('main h1')")
    browser.get(f"{link.split('?')[0]}features/0")
    wait(browser, "document.getElementById('stage').textContent === ''")
    wait(browser, "document.querySelectorAll('#draws img').length === 4 && document.querySelector('.patch-row')")
    yield browser
    assert browser.get_log("browser") == []
    browser.get("about:blank")  # a page would go on asking a server that has ended


def test_a_person_explores_the_features_with_the_keyboard_and_the_mouse(page: Any, tmp_path: Path) -> None:
    keys = {"right": "\ue014", "down": "\ue015", "enter": "\ue007"}
    canvas = find(page, "#map")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    before = canvas.screenshot_as_png
    first = find(page, "#chosen-name").text
    canvas.send_keys("+", keys["right"])
    assert find(page, "#tip").is_displayed()
    canvas.send_keys(keys["enter"])
    wait(page, f"document.getElementById('chosen-name').textContent !== {first!r}")
    assert find(page, "#tip-text").text.startswith(find(page, "#chosen-name").text)
    assert canvas.screenshot_as_png != before
    assert len(page.find_elements("css selector", "#neighbors ol")) == 3

    distances = find(page, "#distances").text
    find(page, "#strength").send_keys(keys["right"])
    assert find(page, "#strength-text").text == "55 %"
    wait(page, f"document.getElementById('distances').innerText !== {distances!r}")

    find(page, ".patch-row canvas").send_keys(keys["down"])
    wait(page, "document.getElementById('patch-text').textContent.startsWith('Patch in row 4 of 4')")

    Image.new("RGB", (30, 20), "red").save(tmp_path / "<b>red.png")
    find(page, "#file").send_keys(str(tmp_path / "<b>red.png"))
    wait(page, "document.getElementById('chosen-name').textContent === '<b>red.png'")
    assert not find(page, "#problem").is_displayed()


def test_the_map_is_moved_and_zoomed_by_the_mouse(page: Any) -> None:
    canvas = find(page, "#map")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    box = page.execute_script("return arguments[0].getBoundingClientRect().toJSON()", canvas)
    x, y = round(box["left"] + box["width"] / 2), round(box["top"] + box["height"] / 2)

    def send(kind: str, **event: Any) -> bytes:
        page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y} | event)
        page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        return bytes(canvas.screenshot_as_png)

    chosen = find(page, "#chosen-name").text
    small = send("mouseMoved")
    large = send("mouseWheel", deltaX=0, deltaY=-600)
    assert large != small
    send("mousePressed", button="left", clickCount=1)
    moved = send("mouseMoved", x=x + 90, button="left", buttons=1)
    assert moved != large
    send("mouseReleased", x=x + 90, button="left", clickCount=1)
    assert find(page, "#chosen-name").text == chosen  # a drag chooses nothing
