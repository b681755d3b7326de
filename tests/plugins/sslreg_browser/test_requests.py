from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.testclient import TestClient

import sslreg
from sslreg_browser.requests import MAX_JSON, read_integer, read_json


async def echo(request: Request) -> Response:
    try:
        return JSONResponse(await read_json(request))
    except sslreg.UserError as error:
        return Response(str(error), 400)


def number(request: Request) -> Response:
    try:
        return JSONResponse(read_integer(request, "n", 7, high=100))
    except sslreg.UserError as error:
        return Response(str(error), 400)


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Router([Route("/json", echo, methods=["POST"]), Route("/n", number), Route("/n/{n}", number)]))


def test_a_json_object_is_read(client: TestClient) -> None:
    assert client.post("/json", json={"a": [1, "é"]}).json() == {"a": [1, "é"]}


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"1", b"null", b"{", b"\xff\xfe{", b'"' * 9, b"[" * 100_000, b'{"a": ' * 100_000]
)
def test_another_body_is_a_mistake_of_the_user(client: TestClient, body: bytes) -> None:
    response = client.post("/json", content=body)
    assert response.status_code == 400
    assert "not a JSON object" in response.text


def test_a_long_json_is_refused(client: TestClient) -> None:
    body = b'{"a": "' + b"a" * MAX_JSON + b'"}'
    assert client.post("/json", content=body).status_code == 400


@pytest.mark.parametrize(("path", "value"), [("/n", 7), ("/n?n=0", 0), ("/n?n=100", 100), ("/n/5?n=6", 5)])
def test_an_integer_is_read(client: TestClient, path: str, value: int) -> None:
    assert client.get(path).json() == value


@pytest.mark.parametrize(
    "text", ["101", "-1", "1.0", "1e1", " 1", "+1", "٣", "²", "..", "../1", "%2e%2e", "0x1", "1" * 5000, "nan", "1;2"]
)
def test_what_is_no_integer_of_the_range_is_a_mistake_of_the_user(client: TestClient, text: str) -> None:
    assert client.get("/n", params={"n": text}).status_code == 400
