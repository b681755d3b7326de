"""Attacks on all pages and endpoints, whichever areas there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from sslreg_browser.access import Access
from sslreg_browser.workspace import Workspace

Connect = Callable[[Workspace], TestClient]

VALUES = [
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "/etc/passwd",
    "%2e%2e",
    "%00",
    "-1",
    "999999999999999999999999",
    "<img src=x onerror=document.title='attacked'>",
    "NaN",
    "\u0663",
]


@pytest.fixture
def client(connect: Connect, nasty_workspace: Workspace) -> TestClient:
    client = connect(nasty_workspace)
    return TestClient(
        client.app, str(client.base_url), cookies=client.cookies, headers=client.headers, raise_server_exceptions=False
    )


def list_routes(client: TestClient) -> Iterator[Route]:
    assert isinstance(client.app, Access)
    for route in client.app.app.routes:  # type: ignore[attr-defined]
        assert isinstance(route, Route)
        yield route


def test_no_page_has_the_markup_of_a_name(client: TestClient) -> None:
    for route in list_routes(client):
        path = re.sub(r"\{[^}]*\}", "0", route.path)
        response = client.get(path)
        if response.headers["content-type"].startswith("text/html"):
            assert "<img src=x" not in response.text, path


@pytest.mark.parametrize("value", VALUES)
def test_no_parameter_leads_to_a_file_or_a_fault(client: TestClient, value: str) -> None:
    for route in list_routes(client):
        for method in (route.methods or set()) & {"GET", "POST"}:
            path = re.sub(r"\{[^}]*\}", value, route.path)
            response = client.request(method, path, params=dict.fromkeys(("n", "name", "run", "where"), value))
            assert response.status_code < 500, (method, route.path)
            assert "root:" not in response.text
            if "{" in route.path:
                assert response.status_code in (400, 404), (method, route.path)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"run": "../../etc/passwd", "name": "../x", "spec": "../x"}', b"\xff"])
def test_no_body_leads_to_a_fault(client: TestClient, body: bytes) -> None:
    for route in list_routes(client):
        if "POST" in (route.methods or ()):
            response = client.post(re.sub(r"\{[^}]*\}", "0", route.path), content=body)
            assert response.status_code < 500, route.path


def test_every_route_needs_the_token(client: TestClient) -> None:
    stranger = TestClient(client.app, str(client.base_url), headers=client.headers)
    for route in list_routes(client):
        for method in route.methods or ():
            response = stranger.request(method, re.sub(r"\{[^}]*\}", "0", route.path))
            assert response.status_code == 403, (method, route.path)


def test_an_unreadable_image_is_a_card_that_says_so(client: TestClient) -> None:
    views = client.get("/api/views/start").json()["views"]
    rows = client.post("/api/views/show", json={"views": views}).json()["pictures"]["rows"]
    assert len(rows) == 8
    (broken,) = [row for row in rows if row["error"]]
    assert "cannot be read" in broken["error"] or "not an image" in broken["error"]
    assert all(row["tiles"] for row in rows if row is not broken)
