"""Pages as a person meets them: in Chromium, with a mouse, a finger, a keyboard, on a phone, without scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sslreg

pytestmark = pytest.mark.slow

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
LAPTOP = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}

Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Opens a file: ``opened(path, LAPTOP, dark=True)``. Whatever the console says, or the page asks for, fails."""

    def command(name: str, **arguments: Any) -> None:
        browser.execute_cdp_cmd(f"Emulation.{name}", arguments)

    def open_(path: Path, screen: dict[str, Any], dark: bool = False, scripts: bool = True) -> Any:
        browser.get("about:blank")
        browser.get_log("performance")
        command("setDeviceMetricsOverride", **screen)
        command("setTouchEmulationEnabled", enabled=bool(screen["mobile"]))
        command("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        command("setScriptExecutionDisabled", value=not scripts)
        browser.get(path.as_uri())
        return browser

    yield open_
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    }
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}


def element(page: Any, selector: str) -> Any:
    return page.find_element("css selector", selector)


def place_of(page: Any, row: int) -> tuple[int, int]:
    """Where on the screen the point of a row of the first map is, after it has been scrolled to."""
    x, y = page.execute_script(
        """
        const plane = document.querySelector(".plane"), places = JSON.parse(plane.parentElement.dataset.places);
        const [x, y] = places[arguments[0]];
        plane.scrollIntoView({block: "center"});
        const box = plane.querySelector("svg").getBoundingClientRect();
        return [box.left + x * box.width / 640, box.top + y * box.height / 480];
        """,
        row,
    )
    return round(x), round(y)


def shown(page: Any) -> str:
    """What the first map's tip says; '' if it is hidden."""
    return str(element(page, ".tip").text)


def names(page: Any) -> list[str]:
    collections = page.execute_script("return JSON.parse(document.getElementById('collections').textContent)")
    return list(collections[0]["names"])


SECTIONS = [
    "summary",
    "evaluation",
    "curves",
    "views",
    "map",
    "neighbors",
    "invariance",
    "spectrum",
    "spec",
    "versions",
]


def test_every_section_is_filled_from_a_real_run(opened: Open, one: Path) -> None:
    page = opened(one, LAPTOP)
    for section in SECTIONS:
        assert element(page, f"#{section}").text.count("\n") >= 2, section
    assert "Not shown" not in element(page, "main").text
    assert page.find_elements("css selector", "#curves svg path")
    assert page.find_elements("css selector", "#invariance .mark")
    pictures = page.execute_script("return [...document.images].map((image) => image.naturalWidth)")
    assert len(pictures) > 20
    assert min(pictures) > 0


def test_the_arrow_keys_read_a_curve(opened: Open, one: Path) -> None:
    page = opened(one, LAPTOP)
    plot = element(page, "#curves .plot")
    plot.send_keys("\ue012")  # left
    step, *values = element(page, ".readout .tip").text.split("\n")
    assert step.startswith("step ")
    assert plot.get_attribute("aria-valuetext").startswith(f"{step}: ")
    assert len(values) == 1


def test_the_mouse_shows_the_image_of_a_point_and_leaving_hides_it(opened: Open, one: Path) -> None:
    page = opened(one, LAPTOP)
    x, y = place_of(page, 5)
    page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
    assert shown(page)
    assert "url(" in element(page, ".thumbnail").value_of_css_property("background-image")
    page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 2, "y": 2})
    assert shown(page) == ""


def test_a_tap_shows_the_image_of_a_point(opened: Open, one: Path) -> None:
    page = opened(one, PHONE)
    x, y = place_of(page, 5)
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    name, _, label = shown(page).partition(" · ")
    assert name in names(page)
    assert label in map(str, range(10))


def test_the_keyboard_goes_from_point_to_point(opened: Open, one: Path) -> None:
    page = opened(one, LAPTOP)
    keyboard = "\ue004"  # tab
    for _ in range(40):
        page.switch_to.active_element.send_keys(keyboard)
        if "plane" in (page.switch_to.active_element.get_attribute("class") or ""):
            break
    first = shown(page)
    assert first
    page.switch_to.active_element.send_keys("\ue014")  # right
    page.switch_to.active_element.send_keys("\ue015")  # down
    assert shown(page) not in ("", first)
    page.switch_to.active_element.send_keys("\ue00c")  # escape
    assert shown(page) == ""


@pytest.mark.parametrize("report", ["one", "two", "with_patches"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(
    opened: Open, report: str, dark: bool, request: pytest.FixtureRequest
) -> None:
    page = opened(request.getfixturevalue(report), PHONE, dark=dark)
    assert page.execute_script("return document.documentElement.scrollWidth") == 360
    color = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, color[4:-1].split(","))) < 3 * 128) is dark


@pytest.mark.parametrize("screen", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_what_a_section_holds_lies_within_it(opened: Open, two: Path, screen: dict[str, Any]) -> None:
    outside = opened(two, screen).execute_script(
        """
        const held = [...document.querySelectorAll("main > section svg, main > section h3, main > section li")];
        return held.filter((element) => {
          const own = element.getBoundingClientRect(), all = element.closest("main > section").getBoundingClientRect();
          return own.height && (own.top < all.top - 1 || own.bottom > all.bottom + 1);
        }).map((element) => element.outerHTML.slice(0, 80));
        """
    )
    assert outside == []


def contrast(page: Any, selector: str) -> float:
    """The contrast ratio of an element's text to the page (WCAG 2.2, definition of contrast ratio)."""

    def luminance(color: str) -> float:
        levels = [int(part) / 255 for part in color.split("(")[1].rstrip(")").split(",")[:3]]
        linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ink = luminance(element(page, selector).value_of_css_property("color"))
    paper = luminance(element(page, "body").value_of_css_property("background-color").replace("rgba", "rgb"))
    return (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_stand_out_from_the_page(opened: Open, two: Path, dark: bool) -> None:
    page = opened(two, LAPTOP, dark=dark)
    for selector in ("h1", ".lead", ".note", "nav a", ".run-0", ".run-1", "tbody th", ".profile .values span"):
        assert contrast(page, selector) >= 4.5, selector


def test_without_scripts_all_but_the_pointing_is_there(opened: Open, one: Path) -> None:
    page = opened(one, LAPTOP, scripts=False)
    for section in SECTIONS:
        assert element(page, f"#{section}").text.count("\n") >= 2, section
    assert len(page.find_elements("css selector", ".plane path")) == 10
    assert "arrow keys" not in element(page, "#map").text
    assert element(page, "#curves .plot").get_attribute("role") == "img"


def test_names_are_text_and_never_run(opened: Open, two: Path) -> None:
    page = opened(two, LAPTOP)
    assert "<script>alert(1)<" in element(page, "#neighbors").text
    assert len(page.find_elements("css selector", "script")) == 2


def test_a_preview_opens_too(opened: Open, tiny_run: sslreg.Run, tmp_path: Path) -> None:
    path = tmp_path / "views.html"
    sslreg.preview(tiny_run.spec, samples=2).save(path, params=True)
    page = opened(path, PHONE)
    assert "random_resized_crop: top" in element(page, "main").text
    assert page.execute_script("return document.documentElement.scrollWidth") == 360
