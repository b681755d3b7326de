"""The page of views and its endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import sslreg
from sslreg_browser.workspace import Workspace


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: digits-simclr\nversion: 1\nname: mine\n")
    return file


@pytest.fixture
def client(connect: Callable[[Workspace], TestClient], spec: Path) -> TestClient:
    return connect(Workspace(spec=str(spec)))


def test_the_page_names_the_spec(client: TestClient) -> None:
    page = client.get("/views").text
    assert "Views of mine" in page
    assert 'aria-current="page">Views' in page


def test_without_a_spec_there_is_no_page(connect: Callable[[Workspace], TestClient]) -> None:
    assert connect(Workspace()).get("/views").status_code == 404


def test_a_changed_view_is_shown_checked_planned_and_saved(client: TestClient, spec: Path) -> None:
    start = client.get("/api/views/start").json()
    views: list[Any] = start["views"]
    assert {"use", "summary", "invariances", "fields"} == start["operations"][0].keys()
    views[0]["augment"][2]["alpha"] = 5
    body = {"views": views, "samples": 2, "file_name": start["proposed_name"]}
    shown = client.post("/api/views/show", json=body).json()
    assert len(shown["pictures"]["rows"]) == 2
    assert "alpha: 5" in shown["yaml"]
    assert any(line.startswith("+") for line in shown["difference"])
    assert client.post("/api/views/check", json=body).json() == {"findings": []}
    assert client.post("/api/views/plan", json=body).json()["views"][0]["milliseconds"] > 0
    saved = client.post("/api/views/save", json=body).json()
    assert saved == {"saved": str(spec.parent / "mine-views.yaml"), "exists": None}
    assert Path(saved["saved"]).read_text() == shown["yaml"]
    assert sslreg.load_spec(saved["saved"]).to_dict()["views"] == views


def test_a_run_has_a_page_of_its_views(
    connect: Callable[[Workspace], TestClient], nasty_workspace: Workspace, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    run = nasty_workspace.run
    assert run is not None
    before = sorted(run.rglob("*"))
    of_folder = connect(Workspace(runs=nasty_workspace.runs))
    assert "/views" not in of_folder.get("/runs").text
    assert of_folder.get("/views").status_code == 404
    assert of_folder.get("/views/7").status_code == 404
    of_run = connect(Workspace(run=run))
    assert '<a href="/views/0">Views</a>' in of_run.get("/runs/show?run=0").text
    assert "the run stays as it is" in of_run.get("/views").text
    assert 'data-api="/api/views/0"' in of_run.get("/views/0").text
    for api in ("/api/views", "/api/views/0"):
        start = of_run.get(f"{api}/start").json()
        assert start["proposed_name"] == "nasty-views.yaml"
        start["views"][0]["augment"][0]["size"] = 24
        body = {"views": start["views"], "samples": 2, "file_name": "changed.yaml", "overwrite": True}
        shown = of_run.post(f"{api}/show", json=body).json()
        assert shown["pictures"]["rows"][0]["tiles"][0]["width"] == 24
        assert of_run.post(f"{api}/save", json=body).json()["saved"] == str(tmp_path / "changed.yaml")
        assert sslreg.load_spec(tmp_path / "changed.yaml").to_dict()["views"] == start["views"]
    assert sorted(run.rglob("*")) == before


def test_an_existing_file_is_kept_until_the_user_agrees(client: TestClient, spec: Path) -> None:
    before = spec.read_text()
    body = {"views": [{"repeat": 2, "augment": [{"use": "resize", "size": 8}]}], "file_name": "mine.yaml"}
    assert client.post("/api/views/save", json=body).json() == {"saved": None, "exists": "mine.yaml"}
    assert client.post("/api/views/save", json={**body, "overwrite": "yes"}).json()["exists"] == "mine.yaml"
    assert spec.read_text() == before
    assert client.post("/api/views/save", json={**body, "overwrite": True}).json()["exists"] is None
    assert spec.read_text() != before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"views": "x"},
        {"views": [], "samples": 0},
        {"views": [], "samples": 33},
        {"views": [], "seed": -1},
        {"views": [], "epoch": 1.5},
        {"views": [], "epoch": True},
    ],
)
def test_a_bad_request_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/api/views/show", json=body).status_code == 400


@pytest.mark.parametrize("name", ["../x.yaml", "a/b.yaml", None, 3, "x.txt"])
def test_files_are_written_only_into_the_folder(client: TestClient, spec: Path, name: Any) -> None:
    body = {"views": [], "file_name": name, "overwrite": True}
    assert client.post("/api/views/save", json=body).status_code == 400
    assert list(spec.parent.parent.glob("x.*")) == []
    assert list(spec.parent.iterdir()) == [spec]


@pytest.mark.slow
def test_a_slider_changes_pictures_and_text_and_cards_work_by_keyboard(
    browser: Any, start_server: Callable[[Workspace], str], spec: Path
) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    browser.get(start_server(Workspace(spec=str(spec))))

    def find(selector: str) -> Any:
        return browser.find_element("css selector", selector)

    def wait_until(is_done: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not is_done():
            assert time.monotonic() < end, find("body").text
            time.sleep(0.05)

    def read_sources() -> list[str]:
        script = "return [...document.querySelectorAll('#grid td:nth-of-type(-n+2) img')].map((image) => image.src)"
        return list(browser.execute_script(script))

    def list_cards() -> list[str]:
        return [card.text for card in browser.find_elements("css selector", ".operation h4")]

    browser.implicitly_wait(10)
    wait_until(lambda: "Updated in" in find("#status").text)
    before, cards = read_sources(), list_cards()
    assert len(before) == 16
    find('[data-path="views.0.augment.1"] [aria-label="degrees"]').send_keys(keys.ARROW_RIGHT * 4)
    wait_until(lambda: "+        degrees:" in find("#difference").text and read_sources() != before)

    # The focus follows the card that moves, so the same key moves it again.
    find('[aria-label="Move elastic up"]').send_keys(keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("aria-label") == "Move elastic up"
    browser.switch_to.active_element.send_keys(keys.ENTER)
    assert list_cards() == ["elastic", "resize", "affine", *cards[3:]]

    find('[data-path="views.0"] > .add select').send_keys("one_of")
    find('[data-path="views.0"] > .add button').send_keys(keys.ENTER)
    wait_until(lambda: list_cards()[-2:] == ["one_of", "horizontal_flip"])
    find('[data-path="views.0.augment.5.augment.0"] [aria-label="p, exactly"]').send_keys("5")
    wait_until(lambda: bool(browser.find_elements("css selector", '[data-path="views.0.augment.5.augment.0"] .error')))
    find("#reset").send_keys(keys.ENTER)
    wait_until(lambda: find("#difference").text == "no difference" and read_sources() == before)
    wait_until(lambda: "affine" in find("#plan").text)

    find('[aria-label="Remove gaussian_blur"]').send_keys(keys.ENTER)
    find("#file-name").clear()
    find("#file-name").send_keys("mine.yaml", keys.ENTER)
    wait_until(lambda: find("#replace").is_displayed())
    find("#replace-no").send_keys(keys.ENTER)
    find("#file-name").clear()
    find("#file-name").send_keys("sharp.yaml", keys.ENTER)
    wait_until(lambda: "Saved as" in find("#saved").text)
    uses = [operation.use for operation in sslreg.load_spec(spec.parent / "sharp.yaml").views[0].augment]
    assert uses == [card for card in cards if card != "gaussian_blur"]
    assert browser.get_log("browser") == []
    browser.get("about:blank")


@pytest.fixture
def phone(browser: Any) -> Iterator[None]:
    """Give the browser the screen of a phone, and a finger."""
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    yield
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_a_finger_moves_sliders_and_cards_on_a_phone(
    browser: Any, phone: None, start_server: Callable[[Workspace], str], spec: Path
) -> None:
    selenium_wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
    browser.get("about:blank")
    browser.get_log("browser")

    def wait(condition: str) -> None:
        selenium_wait(browser, 60).until(lambda _: browser.execute_script(f"return Boolean({condition})"), condition)

    def touch(selector: str, *shares: float) -> None:
        """Tap an element at a share of its width, or put a finger there, move it to the other shares, and lift it."""
        script = """
            const element = document.querySelector(arguments[0]);
            element.scrollIntoView({block: "center"});
            const {left, top, width, height} = element.getBoundingClientRect();
            return [left, top + height / 2, width];
            """
        left, y, width = browser.execute_script(script, selector)
        for number, share in enumerate(shares):
            event = {
                "type": "touchMove" if number else "touchStart",
                "touchPoints": [{"x": left + share * width, "y": y}],
            }
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
        time.sleep(0.2)  # a shorter touch is no tap
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    browser.get(start_server(Workspace(spec=str(spec))))
    wait("document.getElementById('status')?.textContent.includes('Updated in')")
    names = "[...document.querySelectorAll('.operation h4')].map((one) => one.textContent).join()"
    cards = browser.execute_script(f"return {names}").split(",")
    touch('[data-path="views.0.augment.1"] [aria-label="degrees"]', 0.2, 0.4, 0.8)
    wait("document.getElementById('difference').textContent.includes('+        degrees:')")
    touch('[data-path="views.0.augment.1"] [data-action="down"]', 0.5)
    cards[1], cards[2] = cards[2], cards[1]
    wait(f"{names} === {','.join(cards)!r}")
    touch('[data-path="views.0.augment.2"] [data-action="remove"]', 0.5)
    del cards[2]
    wait(f"{names} === {','.join(cards)!r}")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert browser.get_log("browser") == []
    browser.get("about:blank")
