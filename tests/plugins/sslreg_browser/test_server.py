from __future__ import annotations

from collections.abc import Callable

from starlette.testclient import TestClient

from sslreg_browser.workspace import Workspace

Connect = Callable[[Workspace], TestClient]


def test_the_style_of_the_reports_is_sent(connect: Connect) -> None:
    response = connect(Workspace()).get("/static/style.css")
    assert response.headers["content-type"].startswith("text/css")
    assert "--paper:" in response.text


def test_an_unknown_page_is_a_page_and_an_unknown_endpoint_is_json(connect: Connect) -> None:
    client = connect(Workspace())
    assert client.get("/nowhere").status_code == 404
    assert "<h1>Not found</h1>" in client.get("/nowhere").text
    assert client.get("/api/nowhere").json() == {"error": "Not Found", "hint": None}
