"""The endpoints of features."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from sslreg import Run
from sslreg_browser.workspace import Workspace

Connect = Callable[[Workspace], TestClient]


@pytest.fixture
def client(connect: Connect, tiny_run: Run) -> TestClient:
    return connect(Workspace(runs=tiny_run.path.parent, run=tiny_run.path))


def embed(client: TestClient) -> dict[str, Any]:
    """Embed the images of run 0, and return the last status."""
    status: dict[str, Any] = client.post("/api/features/0", json={}).json()
    for _ in range(600):
        if status["stage"] in ("ready", "failed"):
            break
        time.sleep(0.1)
        status = client.get("/api/features/0").json()
    return status


def test_the_page_of_a_run(client: TestClient) -> None:
    page = client.get("/features")  # the run that was named
    assert page.url.path == "/features/0"
    assert "<h1>Features of tiny</h1>" in page.text
    assert 'data-run="0"' in page.text


def test_the_list_of_runs(connect: Connect, tiny_run: Run) -> None:
    client = connect(Workspace(runs=tiny_run.path.parent))
    assert f'<a href="/features/0">{tiny_run.path.name}</a>' in client.get("/features").text


def test_there_is_no_area_without_runs(connect: Connect) -> None:
    assert connect(Workspace(spec="digits-simclr")).get("/features").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/features/7",
        "/api/features/7",
        "/api/features/0/map",
        "/api/features/0/thumbnails/0",
        "/api/features/0/images/0",
        "/api/features/0/images/0/neighbors",
        "/api/features/0/images/..%2f..%2fetc%2fpasswd/neighbors",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_map_neighbors_and_pictures_once_the_images_are_embedded(client: TestClient, tiny_run: Run) -> None:
    assert client.get("/api/features/0").json() == {"stage": "none"}
    status = embed(client)
    assert (status["stage"], status["has_map"], status["has_patches"]) == ("ready", True, False)

    plane = client.get("/api/features/0/map").json()
    count = len(tiny_run.split("test"))
    assert len(plane["names"]) == count
    assert len(plane["points"]) == 2 * count
    assert sorted(row for one in plane["classes"] for row in one["rows"]) == list(range(count))
    assert plane["note"].startswith(f"The map shows all {count} images of the test set.")

    found = client.get("/api/features/0/images/5/neighbors").json()
    assert (found["key"], found["row"], found["name"]) == ("5", 5, plane["names"][5])
    assert [one["title"] for one in found["subjects"]] == ["raw pixels", "untrained", "trained"]
    assert all(len(one["neighbors"]) == 8 and 5 not in dict(one["neighbors"]) for one in found["subjects"])

    for path in ("thumbnails/5", "images/5"):
        picture = client.get(f"/api/features/0/{path}")
        assert Image.open(io.BytesIO(picture.content)).size == (8, 8)
    assert client.get(f"/api/features/0/thumbnails/{count}").status_code == 400

    aspects = client.get("/api/features/0/aspects").json()
    noise = [one["title"] for one in aspects].index("gaussian noise")
    augmented = client.get(f"/api/features/0/images/5/augmented?aspect={noise}&strength=50").json()
    assert len(augmented["pictures"]) == 4
    assert [len(one["moved"]) for one in augmented["subjects"]] == [4, 4, 4]
    for query in ("", f"aspect={len(aspects)}&strength=50", f"aspect={noise}&strength=101"):
        assert client.get(f"/api/features/0/images/5/augmented?{query}").status_code == 400

    buffer = io.BytesIO()
    Image.new("RGB", (20, 30), "red").save(buffer, "JPEG")
    dropped = client.post("/api/features/0/images?name=red.jpg", content=buffer.getvalue()).json()
    assert (dropped["key"], dropped["row"], dropped["name"]) == ("new-1", None, "red.jpg")
    assert client.get("/api/features/0/images/new-1").status_code == 200
    broken = client.post("/api/features/0/images?name=<b>.jpg", content=b"broken")
    assert broken.status_code == 400
    assert "<b>.jpg cannot be read as an image" in broken.json()["error"]


def test_names_are_escaped(connect: Connect, tiny_run: Run, tmp_path: Any) -> None:
    folder = tmp_path / "<script>alert(1)</script>".replace("/", "")
    folder.symlink_to(tiny_run.path)
    page = connect(Workspace(runs=tmp_path, run=folder)).get("/features/0")
    assert "<script>alert" not in page.text


def test_patches_of_a_patch_backbone(connect: Connect, patch_run: Run) -> None:
    client = connect(Workspace(runs=patch_run.path.parent, run=patch_run.path))
    assert embed(client)["has_patches"]
    patches = client.get("/api/features/0/images/5/patches").json()
    assert (patches["rows"], patches["columns"], patches["keys"][0]) == (4, 4, "5")
    assert [one["name"] for one in patches["subjects"]] == ["untrained", "trained"]
    found = client.get("/api/features/0/images/5/similarities?row=1&column=3").json()
    assert [len(one) for one in found["trained"]] == [16] * 4
    assert found["trained"][0][1 * 4 + 3] == pytest.approx(1, abs=1e-3)
    assert client.get("/api/features/0/images/5/similarities?row=4&column=0").status_code == 400


def test_as_many_images_are_embedded_as_the_command_says(connect: Connect, tiny_run: Run) -> None:
    client = connect(Workspace(runs=tiny_run.path.parent, run=tiny_run.path, embedded=15))
    assert embed(client)["total"] == 15
    assert len(client.get("/api/features/0/map").json()["names"]) == 15
