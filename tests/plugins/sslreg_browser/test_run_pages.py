from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import sslreg
from sslreg_browser import live_region, run_feed
from sslreg_browser.workspace import Workspace

Connect = Callable[[Workspace], TestClient]

#: A name that breaks out of a page that does not escape it.
NASTY = "<script>alert(1)<"


@pytest.fixture
def root(tiny_run: sslreg.Run, tmp_path: Path) -> Path:
    """A folder with the runs ``one`` and ``group/two``, which differ in their seeds, and one with a nasty name."""
    folder = tmp_path / "runs"
    for seed, name in enumerate(("one", "group/two", NASTY.replace("/", ""))):
        copy = shutil.copytree(tiny_run.path, folder / name, ignore=shutil.ignore_patterns("checkpoints"))
        spec = copy / "spec.resolved.yaml"
        spec.write_text(f"{spec.read_text()}\nseed: {seed}\n")
        os.utime(copy / "spec.yaml", (seed, seed))
    return folder


@pytest.fixture
def client(root: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    for module, name in ((live_region, "INTERVAL"), (run_feed, "REFRESH_EVERY")):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(live_region, "SHARE", 1.0)
    return connect(Workspace(runs=root))


def change_summary(folder: Path, **values: Any) -> None:
    path = folder / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_table_sends_only_the_rows_that_changed(client: TestClient, root: Path) -> None:
    first = client.get("/api/runs").json()
    assert first["items"] == ["run-0", "run-1", "run-2"]
    assert set(first["parts"]) == {"head", "count", "error", "studies", *first["items"]}
    unchanged = client.get("/api/runs", params={"since": first["version"]})
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    change_summary(root / "group" / "two", status="interrupted")
    changes = client.get("/api/runs", params={"since": first["version"]}).json()
    assert set(changes["parts"]) == {"run-1"}
    assert changes["items"] is None
    assert "interrupted" in changes["parts"]["run-1"]
    shutil.rmtree(root / "one")
    changes = client.get("/api/runs", params={"since": changes["version"]}).json()
    assert changes["items"] == ["run-1", "run-2"]


def test_the_table_has_the_options_of_the_command(client: TestClient, root: Path) -> None:
    change_summary(root / "group" / "two", epochs=99)
    filtered = client.get("/api/runs", params={"where": ["epochs>50", "seed=1"], "columns": "epochs, seed"}).json()
    assert filtered["items"] == ["run-0"]
    assert "group/two" in filtered["parts"]["run-0"]
    assert "1 of 3 runs" in filtered["parts"]["count"]
    assert [">99<" in filtered["parts"]["run-0"], "knn_top1" in filtered["parts"]["head"]] == [True, False]
    sorted_ = client.get("/api/runs", params={"sort": "epochs"}).json()
    assert sorted_["items"][0] == "run-0"
    grouped = client.get("/api/runs", params={"group": "1", "columns": "neighbors_top1"}).json()
    assert len(grouped["items"]) == 1
    assert "and 2 other seeds" in grouped["parts"][grouped["items"][0]]


def test_the_table_is_built_again_only_after_a_change(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    version = client.get("/api/runs").json()["version"]
    monkeypatch.setattr(sslreg, "list_runs", None)
    assert client.get("/api/runs", params={"since": version}).status_code == 204


def test_a_mistake_in_a_filter_is_explained_on_the_page(client: TestClient) -> None:
    page = client.get("/runs", params={"where": "epoch=2"})
    assert page.status_code == 200
    assert "No run has a value at &#39;epoch&#39;" in page.text
    assert "did you mean &#39;epochs&#39;?" in page.text
    assert "not a condition" in client.get("/runs", params={"where": "nothing"}).text


def test_names_are_escaped(client: TestClient, root: Path) -> None:
    (root / "one" / "skipped.csv").write_text(f"index,name,reason\n1,{NASTY},{NASTY}\n")
    pages = [client.get("/runs").text, client.get("/runs/show?run=0&run=2").text]
    for page in pages:
        assert NASTY not in page
        assert "&lt;script&gt;alert(1)&lt;" in page


def test_the_page_of_a_run_sends_only_the_charts_that_grew(client: TestClient, root: Path) -> None:
    client.get("/runs")
    first = client.get("/api/runs/show?run=0").json()
    assert "curve-loss" in first["items"]
    assert client.get("/api/runs/show", params={"run": 0, "since": first["version"]}).status_code == 204
    with (root / "one" / "metrics.csv").open("a") as file:
        columns = (root / "one" / "metrics.csv").read_text().splitlines()[0].split(",")
        file.write(",".join({"step": "999", "epoch": "9", "loss": "0.5"}.get(name, "") for name in columns) + "\n")
    changes = client.get("/api/runs/show", params={"run": 0, "since": first["version"]}).json()
    assert set(changes["parts"]) == {"curve-loss"}
    assert "step 999" in changes["parts"]["curve-loss"]


def test_several_runs_have_common_charts_and_one_table(client: TestClient) -> None:
    client.get("/runs")
    page = client.get("/runs/show?run=0&run=1").text
    assert "one ends at" in page
    assert "two ends at" in page
    assert "2 runs side by side" in page
    assert "Differences between the specs" in page
    assert "raw pixels" in page


def test_runs_are_named_by_numbers_only(client: TestClient) -> None:
    client.get("/runs")
    for query, status in {
        "run=99": 404,
        "run=-1": 400,
        "run=../one": 400,
        "run=٣": 400,
        "": 400,
        "&".join(f"run={number}" for number in range(7)): 400,
    }.items():
        assert client.get(f"/runs/show?{query}").status_code == status, query
        assert set(client.get(f"/api/runs/show?{query}").json()) == {"error", "hint"}, query


def test_a_run_that_was_removed_is_an_error(client: TestClient, root: Path) -> None:
    client.get("/runs")
    assert client.get("/runs/show?run=0").status_code == 200
    shutil.rmtree(root / "one")
    assert client.get("/api/runs/show?run=0").status_code == 404


def test_a_study_has_a_link_to_its_page_which_cannot_reach_the_server(client: TestClient, root: Path) -> None:
    study = root / "study"
    shutil.copytree(root / "one", study / "trials" / "0")
    assert "Studies" not in client.get("/runs").text
    (study / "study.json").write_text("{}")
    (study / "report.html").write_text("the page")
    page = client.get("/runs", params={"where": "seed=0"}).text
    assert ">study</a>" in page
    number = page.split("/runs/study?run=")[1].split('"')[0]
    response = client.get(f"/runs/study?run={number}")
    assert response.text == "the page"
    assert response.headers["content-security-policy"].startswith("sandbox allow-scripts;")
    assert client.get("/runs/study?run=0").status_code == 404
    (study / "report.html").rename(root.parent / "secret.html")
    (study / "report.html").symlink_to(root.parent / "secret.html")
    assert client.get(f"/runs/study?run={number}").status_code == 404


def test_a_run_can_be_browsed_alone_and_nothing_above_it(
    root: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = root / "study"
    shutil.copytree(root / "one", study / "trials" / "0")
    (study / "study.json").write_text("{}")
    (study / "report.html").write_text("the page")
    monkeypatch.chdir(study / "trials" / "0")
    client = connect(Workspace(runs=Path(), run=Path()))
    page = client.get("/runs").text
    assert ">0</a>" in page
    assert "Studies" not in page
    assert client.get("/runs/show?run=0").status_code == 200
    assert client.get("/runs/study?run=0").status_code == 404


@pytest.fixture
def visit(browser: Any, start_server: Callable[[Workspace], str]) -> Iterator[Callable[[Workspace], None]]:
    """Start a server and open its link: ``visit(workspace)``."""

    def open_link(workspace: Workspace) -> None:
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(start_server(workspace))

    yield open_link
    browser.get("about:blank")  # a page would continue to ask a server that has ended


@pytest.mark.slow
def test_a_row_that_changes_keeps_selection_and_focus_and_a_hidden_tab_does_not_ask(
    root: Path, browser: Any, visit: Callable[[Workspace], None]
) -> None:
    visit(Workspace(runs=root))
    end = time.monotonic() + 60

    def wait_until(is_done: Callable[[], bool]) -> None:
        while not is_done():
            assert time.monotonic() < end, browser.find_element("css selector", "body").text
            time.sleep(0.1)

    def evaluate(expression: str) -> Any:
        return browser.execute_script(f"return {expression}")

    def count_requests() -> int:
        requests = "performance.getEntriesByType('resource').filter(({name}) => name.includes('/api/'))"
        return int(evaluate(f"{requests}.length"))

    box = "document.querySelector('[data-part=run-0] input')"
    wait_until(lambda: count_requests() > 0)
    evaluate(f"({box}.focus(), {box}.click())")
    change_summary(root / "one", epochs=77)
    wait_until(lambda: "77" in evaluate("document.querySelector('[data-part=run-0]').textContent"))
    assert evaluate(f"{box}.checked && document.activeElement === {box}")
    assert evaluate("document.querySelector('#selected').textContent") == "1 selected"
    browser.execute_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    time.sleep(0.5)  # a request that is under way ends
    before = count_requests()
    time.sleep(2.5)
    assert count_requests() == before
    browser.execute_script("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(lambda: count_requests() > before)
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_the_page_follows_a_training_until_it_stops(
    tiny_spec: str, tmp_path: Path, browser: Any, visit: Callable[[Workspace], None]
) -> None:
    (tmp_path / "spec.yaml").write_text(tiny_spec.replace("max_epochs: 2", "max_epochs: 5000"))
    (tmp_path / "runs").mkdir()
    visit(Workspace(runs=tmp_path / "runs"))

    def read(selector: str) -> str:
        return str(browser.execute_script(f"return document.querySelector({selector!r})?.textContent ?? ''"))

    def wait_until(is_done: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not is_done():
            assert time.monotonic() < end, browser.find_element("css selector", "body").text
            time.sleep(0.1)

    command = [sys.executable, "-m", "sslreg", "train", "spec.yaml", "--out", "runs/live"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as training:
        wait_until(lambda: "step" in read(".run-table .progress"))
        assert read(".run-table .state") == "running"
        browser.find_element("css selector", ".run-table .name").click()
        wait_until(lambda: "step" in read("[data-part=curve-loss] .right"))
        before, number = read("[data-part=curve-loss] .right"), read(".progress")
        wait_until(lambda: read("[data-part=curve-loss] .right") != before and read(".progress") != number)
        training.send_signal(signal.SIGINT)
        training.communicate()
    wait_until(lambda: "sslreg train --resume" in read(".command"))
    assert browser.get_log("browser") == []
