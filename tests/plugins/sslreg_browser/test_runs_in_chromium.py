"""The pages of runs in Chromium: with the keyboard alone, with a mouse, and with a finger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sslreg
from sslreg.metric_names import INTERVAL
from sslreg_browser.workspace import Workspace

pytestmark = pytest.mark.slow

TAB, ENTER, SPACE, LEFT, HOME, ESCAPE = "\ue004", "\ue007", " ", "\ue012", "\ue011", "\ue00c"


def set_screen(browser: Any, width: int, *, dark: bool = False) -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def wait(page: Any, condition: str) -> None:
    """Wait until an expression in JavaScript is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 30).until(lambda _: page.execute_script(f"return Boolean({condition})"), condition)


def press(page: Any, *keys: str) -> Any:
    """Press keys, and return the element that has the focus then, which must show it."""
    for key in keys:
        page.switch_to.active_element.send_keys(key)
    element = page.switch_to.active_element
    assert element.value_of_css_property("outline-style") != "none", element.get_attribute("outerHTML")
    return element


def tab_to(page: Any, selector: str) -> Any:
    """Press tab until an element has the focus."""
    for _ in range(80):
        element = press(page, TAB)
        if page.execute_script("return arguments[0].matches(arguments[1])", element, selector):
            return element
    raise AssertionError(f"the keyboard does not reach {selector}")


@pytest.fixture(scope="module")
def root(tiny_run: sslreg.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ in many values of their specs, with curves; the second was interrupted."""
    folder = tmp_path_factory.mktemp("two-runs")
    for seed, name in enumerate(("my-photos/2026-11-24_09-30-00", "my-photos/2026-11-25_09-30-00")):
        copy = shutil.copytree(tiny_run.path, folder / name)
        spec = sslreg.load_yaml((copy / "spec.resolved.yaml").read_text())
        spec["seed"] = seed
        spec["optimizer"]["lr"] = 0.1 + seed
        spec["loss"]["temperature"] = 0.1 + seed
        spec["data"]["batch_size"] = 8 + seed
        spec["trainer"]["gradient_clip_val"] = 1.0 + seed
        (copy / "spec.resolved.yaml").write_text(sslreg.dump_yaml(spec))
        rows = "".join(f"{epoch},{epoch * 10},{4 - 0.1 * epoch - seed}\n" for epoch in range(10))
        (copy / "metrics.csv").write_text(f"epoch,step,loss\n{rows}")
        summary = json.loads((copy / "summary.json").read_text())
        final = {"few_shot_1": 0.75, "few_shot_5": 0.88, "knn_top1": 0.96, "knn_top5": 0.99}
        summary["final"] = final | {f"{key}{INTERVAL}": 0.02 for key in final}
        summary["status"] = "interrupted" if seed else "finished"
        (copy / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture
def open_page(browser: Any, start_server: Callable[[Workspace], str], root: Path) -> Iterator[Callable[..., Any]]:
    def open_(path: str, width: int = 1300, *, dark: bool = False) -> Any:
        browser.get("about:blank")
        browser.get_log("browser")
        set_screen(browser, width, dark=dark)
        link = start_server(Workspace(runs=root))
        browser.get(link)
        wait(browser, "document.querySelector('main h1')")
        browser.get(f"{link.split('/?')[0]}{path}")
        wait(browser, "document.querySelector('main h1')")
        return browser

    yield open_
    assert browser.get_log("browser") == []
    set_screen(browser, 1300)
    browser.get("about:blank")  # a page would go on asking a server that has ended


@pytest.mark.parametrize("width", [1300, 390])
def test_the_table_fits(open_page: Callable[..., Any], width: int) -> None:
    page = open_page("/runs", width)
    assert len(page.find_elements("css selector", ".run-table tbody td[data-title]")) >= 2 * 10
    sizes = page.execute_script(
        "const frame = document.querySelector('.run-table').parentElement;return [frame.scrollWidth, frame.clientWidth]"
    )
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(("width", "dark"), [(1300, False), (390, True)])
def test_the_keyboard_alone_filters_overlays_and_reads_runs(
    open_page: Callable[..., Any], width: int, dark: bool
) -> None:
    page = open_page("/runs", width, dark=dark)
    tab_to(page, "input[name=where]")
    page.switch_to.active_element.send_keys("seed=1", ENTER)
    wait(page, "document.querySelectorAll('.run-table tbody tr').length === 1")
    tab_to(page, ".query-form a")
    page.switch_to.active_element.send_keys(ENTER)
    wait(page, "document.querySelectorAll('.run-table tbody tr').length === 2")
    for _ in range(2):
        tab_to(page, "input[name=run]").send_keys(SPACE)
    assert page.find_element("id", "selected").text == "2 selected"
    page.find_element("css selector", "input[name=run]").send_keys(ENTER)
    wait(page, "document.querySelector('.plot[role=slider]')")

    assert tab_to(page, "[data-copy]").text == "Copy"
    press(page, ENTER)
    wait(page, "/Copied|Selected/.test(document.querySelector('[data-copy]').textContent)")
    plot = tab_to(page, ".plot")
    assert plot.get_attribute("aria-valuetext").startswith("step 90: ")
    press(page, LEFT)
    assert plot.get_attribute("aria-valuetext").startswith("step 80: ")
    assert page.find_element("css selector", ".readout .tip").text.split("\n")[0] == "step 80"
    press(page, HOME)
    text = plot.get_attribute("aria-valuetext")
    assert text.startswith("step 0: ")
    assert text.count(" 4") + text.count(" 3") >= 2
    press(page, ESCAPE)
    assert not page.find_elements("css selector", ".readout")


def test_a_pointer_and_a_finger_read_a_chart(open_page: Callable[..., Any]) -> None:
    page = open_page("/runs/show?run=0")
    place = """
        const plot = document.querySelector(".plot");
        plot.scrollIntoView({block: "center"});
        const box = plot.getBoundingClientRect();
        return [box.left + box.width * arguments[0], box.top + box.height / 2].map(Math.round)
        """
    x, y = page.execute_script(place, 0.5)
    page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
    assert page.find_element("css selector", ".readout .tip").text.split("\n") in (
        ["step 40", "3.6"],
        ["step 50", "3.5"],
    )
    page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": 5})
    assert not page.find_elements("css selector", ".readout")

    set_screen(page, 390)
    x, y = page.execute_script(place, 0.98)
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait(page, "document.querySelector('.readout .tip')")
    assert page.find_element("css selector", ".readout .tip").text.split("\n") == ["step 90", "3.1"]
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390


def test_what_is_read_stays_while_the_curve_grows(open_page: Callable[..., Any], root: Path) -> None:
    page = open_page("/runs/show?run=1")
    plot = tab_to(page, ".plot")
    assert plot.get_attribute("aria-valuetext") == f"step 90: {plot.get_attribute('aria-valuetext')[9:]}"
    with (root / "my-photos/2026-11-25_09-30-00/metrics.csv").open("a") as file:
        file.write("10,100,0.5\n")
    wait(page, "document.querySelector('.plot').getAttribute('aria-valuemax') === '10'")
    assert page.switch_to.active_element.get_attribute("class") == "plot"
    assert page.find_element("css selector", ".readout .tip p").text == "step 90"
