"""Attacks on the server, and what a browser may do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sslreg_browser import access
from sslreg_browser.access import MAX_BODY
from sslreg_browser.server import create_app
from sslreg_browser.workspace import Workspace

ADDRESS = "http://127.0.0.1:8123"
PAGE = "/static/page.css"

Connect = Callable[[Workspace], TestClient]


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect(Workspace())


@pytest.fixture
def stranger(client: TestClient) -> TestClient:
    """A client of the same server without the token."""
    return TestClient(client.app, ADDRESS)


def test_the_link_gives_a_cookie_that_scripts_and_other_sites_do_not_get(stranger: TestClient) -> None:
    response = stranger.get("/?token=token-of-the-tests")
    assert response.headers["set-cookie"].endswith("; HttpOnly; Path=/; SameSite=strict")
    assert response.headers["set-cookie"].startswith("sslreg-8123=")
    assert "token-of-the-tests" not in response.headers["set-cookie"] + response.text
    assert 'content="0; url=/"' in response.text
    assert stranger.get(PAGE).status_code == 200


def test_nothing_is_sent_without_the_token(stranger: TestClient) -> None:
    for path in ("/", PAGE, "/runs", "/nowhere", "/api/nowhere"):
        response = stranger.get(path)
        assert response.status_code == 403, path
        assert "open the link that sslreg browse printed" in response.text
    assert stranger.get("/api/nowhere").json()["error"] == "this page needs a link that works"


@pytest.mark.parametrize("token", ["", "wrong", "token-of-the-test", "token-of-the-tests2", "\udcff", "é", "a" * 9000])
def test_a_wrong_token_gives_no_cookie(stranger: TestClient, token: str) -> None:
    response = stranger.get("/", params={"token": token.encode("utf-8", "surrogateescape").decode("latin-1")})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


def test_the_token_works_only_in_the_link(stranger: TestClient) -> None:
    assert stranger.get(f"{PAGE}?token=token-of-the-tests").status_code == 403
    assert stranger.get(PAGE, headers={"Cookie": "sslreg-8123=token-of-the-tests"}).status_code == 403


def test_a_code_works_once() -> None:
    app = create_app(Workspace(), "token")
    code = app.create_code()
    assert TestClient(app, ADDRESS).get("/", params={"token": code}).status_code == 200
    assert TestClient(app, ADDRESS).get("/", params={"token": code}).status_code == 403


HOSTS = [
    "attacker.example",
    "attacker.example:8123",
    "127.0.0.1.attacker.example:8123",
    "localhost.attacker.example",
    "127.0.0.1:8123@attacker.example",
    "127.0.0.1:8123/x",
    "127.0.0.2:8123",
    "0.0.0.0:8123",
    "192.168.0.7:8123",
    "[::]:8123",
    "localhost.",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get(PAGE, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "LOCALHOST:8123", "[::1]:8123"])
def test_the_names_of_this_machine_are_accepted(client: TestClient, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}", "Cookie": f"sslreg-8123={client.cookies['sslreg-8123']}"}
    assert client.get(PAGE, headers=headers).status_code == 200


ORIGINS = [
    "http://attacker.example",
    "https://127.0.0.1:8123",
    "http://127.0.0.1:8124",
    "http://127.0.0.1",
    "http://localhost:8123",
    "http://127.0.0.1:8123.attacker.example",
    "null",
    "",
    "file://",
]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(client: TestClient, origin: str, method: str) -> None:
    assert client.request(method, PAGE, headers={"Origin": origin}).status_code == 403


def test_a_request_that_may_change_something_names_its_origin(client: TestClient) -> None:
    del client.headers["Origin"]
    assert client.get(PAGE).status_code == 200
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, PAGE).status_code == 403, method


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unknown"])
@pytest.mark.parametrize(
    "kind", [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "script")]
)
def test_other_sites_cannot_embed_or_fetch(client: TestClient, site: str, kind: tuple[str, str]) -> None:
    mode, destination = kind
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    assert client.get(PAGE, headers=headers).status_code == 403


def test_a_link_on_another_site_leads_to_the_entrance(stranger: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert stranger.get("/?token=token-of-the-tests", headers=headers).status_code == 200
    assert stranger.post("/?token=token-of-the-tests", headers=headers).status_code == 403


def test_every_response_is_protected(client: TestClient, stranger: TestClient) -> None:
    responses = [client.get(PAGE), client.get("/nowhere"), stranger.get("/"), client.get(PAGE, headers={"Host": "x"})]
    for response in responses:
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in response.headers


PATHS = [
    "/static/%2e%2e/server.py",
    "/static/..%2fserver.py",
    "/static/..%5cserver.py",
    "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/static//etc/passwd",
    "/static/%00",
    "/static/page.css%00.js",
    "/static/" + "a" * 3000,
    "/static/",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd",
    "/static/%ff",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_static_files(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(client: TestClient) -> None:
    response = client.post("/api/x", content=b"", headers={"Content-Length": str(500_000_000)})
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert response.json()["error"] == "the request is larger than 20 MB"


def test_pages_and_scripts_know_the_limit_of_a_body() -> None:
    script = (Path(access.__file__).parent / "static" / "api.js").read_text()
    assert f"MAX_BODY = {MAX_BODY:_};" in script
