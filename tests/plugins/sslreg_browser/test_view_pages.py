"""The page of views and its endpoints."""

from __future__ import annotations

from collections.abc import Callable
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
