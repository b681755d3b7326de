from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import sslreg
from sslreg_browser import server
from sslreg_browser.area import Area
from sslreg_browser.requests import render
from sslreg_browser.work_queue import run_quick
from sslreg_browser.workspace import Workspace

NASTY = "<script>alert(1)</script>"

Connect = Callable[[Workspace], TestClient]


def show(request: Request) -> Response:
    return render(request, "error.html", message="the page of the area", hint=NASTY)


def fail(request: Request) -> Response:
    kinds = {
        "user": sslreg.UserError(f"wrong: {NASTY}\x1b", hint="fix it"),
        "missing": sslreg.UserError("gone", code="not-found"),
        "failure": sslreg.SslregError("first", "second"),
        "fault": ValueError("a fault"),
    }
    raise kinds[request.path_params["kind"]]


def build_area(workspace: Workspace) -> Area:
    routes = [
        Route("/runs", show),
        Route("/runs/{kind}", fail),
        Route("/api/{kind}", fail),
        Route("/api/{kind}/data", lambda request: JSONResponse({})),
    ]
    return Area("Runs", "/runs", routes)


@pytest.fixture
def client(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of a server with one area; another area has nothing to show."""
    monkeypatch.setattr(server, "AREAS", (build_area, lambda workspace: None))
    return connect(Workspace())


def test_the_static_files_are_sent_with_their_types(client: TestClient) -> None:
    style = client.get("/static/style.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "--paper:" in style.text
    assert client.get("/static/api.js").headers["content-type"].startswith("text/javascript")
    for path in (Path(server.__file__).parent / "static").iterdir():
        assert client.get(f"/static/{path.name}").content == path.read_bytes()


def test_the_root_leads_to_the_first_area(client: TestClient) -> None:
    response = client.get("/", follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == "/runs"


def test_the_header_links_the_areas_that_exist_and_marks_the_current_one(client: TestClient) -> None:
    assert '<a href="/runs" aria-current="page">Runs</a>' in client.get("/runs").text
    assert '<a href="/runs">Runs</a>' in client.get("/nowhere").text


def test_text_is_escaped(client: TestClient) -> None:
    page = client.get("/runs").text
    assert "&lt;script&gt;alert(1)" in page
    assert NASTY not in page
    page = client.get("/runs/user").text
    assert NASTY not in page
    assert "\\x1b" in page


@pytest.mark.parametrize(
    ("kind", "status", "message", "hint"),
    [
        ("user", 400, f"wrong: {NASTY}\\x1b", "fix it"),
        ("missing", 404, "gone", None),
        ("failure", 500, "first\nsecond", None),
    ],
)
def test_an_error_is_json_for_an_endpoint_and_a_page_otherwise(
    client: TestClient, kind: str, status: int, message: str, hint: str | None
) -> None:
    response = client.get(f"/api/{kind}")
    assert (response.status_code, response.json()) == (status, {"error": message, "hint": hint})
    response = client.get(f"/runs/{kind}")
    assert response.status_code == status
    assert "<h1" in response.text


def test_a_fault_of_the_program_is_an_error_too(client: TestClient) -> None:
    tolerant = TestClient(client.app, str(client.base_url), cookies=client.cookies, raise_server_exceptions=False)
    response = tolerant.get("/api/fault")
    assert response.status_code == 500
    assert response.json()["error"] == "sslreg has failed: ValueError: a fault"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_an_unknown_page_is_a_page_and_an_unknown_endpoint_is_json(client: TestClient) -> None:
    assert client.get("/nowhere").status_code == 404
    assert "there is nothing at this address</h1>" in client.get("/nowhere").text
    assert client.get("/api/no/where").json() == {"error": "there is nothing at this address", "hint": None}
    assert client.post("/api/user").status_code == 405


def test_a_workspace_without_areas_has_a_page(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "AREAS", ())
    assert "there is nothing to show" in connect(Workspace()).get("/").text


def test_an_area_does_not_wait_for_another_one(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    async def work(request: Request) -> Response:
        await run_quick(request, release.wait, 10)
        return Response()

    async def end(request: Request) -> Response:
        await run_quick(request, release.set)
        return Response()

    def build(workspace: Workspace) -> Area:
        return Area("Views", "/views", [Route("/api/views", work), Route("/api/runs/end", end)])

    monkeypatch.setattr(server, "AREAS", (build,))
    client = connect(Workspace())
    with ThreadPoolExecutor(3) as executor:
        waiting = [executor.submit(client.get, "/api/views") for _ in range(3)]
        while client.app.app.state.quick_work["views"].count < 3:  # type: ignore[attr-defined]
            time.sleep(0.01)
        client.get("/api/runs/end")
        assert release.is_set()
        assert [response.result().status_code for response in waiting] == [200] * 3
