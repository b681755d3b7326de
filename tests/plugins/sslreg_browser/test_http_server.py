"""A server that clients attack, by sockets."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import sslreg
from sslreg_browser import access, http_server, server
from sslreg_browser.area import Area
from sslreg_browser.http_server import listen
from sslreg_browser.workspace import Workspace

StartServer = Callable[[Workspace], str]


class Client:
    """Sends bytes to a server, as no browser would."""

    def __init__(self, link: str) -> None:
        self.port = urlsplit(link).port or 0
        self.cookie = ""
        answer = self.exchange(f"GET /?{urlsplit(link).query} HTTP/1.1")
        self.cookie = answer.partition(b"set-cookie: ")[2].partition(b";")[0].decode()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def head(self, line: str, **headers: str) -> bytes:
        host = f"127.0.0.1:{self.port}"
        fields = {"Host": host, "Origin": f"http://{host}", "Cookie": self.cookie, "Connection": "close"} | headers
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        return "\r\n".join([line, *lines, "", ""]).encode()

    def exchange(self, line: str, **headers: str) -> bytes:
        with self.connect() as connection:
            connection.sendall(self.head(line, **headers))
            return receive_all(connection)

    def is_served(self) -> bool:
        return self.exchange("GET /static/page.css HTTP/1.1").startswith(b"HTTP/1.1 200")


def receive_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


async def measure(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


async def send_much(request: Request) -> Response:
    return Response(bytes(50_000_000))


def build_area(workspace: Workspace) -> Area:
    return Area("Area", "/", [Route("/api/measure", measure, methods=["POST"]), Route("/api/much", send_much)])


@pytest.fixture
def client(start_server: StartServer, time_limit: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(server, "AREAS", (build_area,))
    client = Client(start_server(Workspace()))
    assert client.is_served()
    return client


def test_a_used_port_is_one_message() -> None:
    with listen(0) as listener, pytest.raises(sslreg.UserError, match="is used by another program"):
        listen(listener.getsockname()[1])


def test_only_this_machine_can_connect() -> None:
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/static/../server.py", "/../../../etc/passwd", "/..", "/static/../../command.py"])
def test_dots_lead_nowhere(client: Client, path: str) -> None:
    assert client.exchange(f"GET {path} HTTP/1.1").startswith(b"HTTP/1.1 404")


def test_large_headers_are_refused(client: Client) -> None:
    with client.connect() as connection, suppress(ConnectionError):
        connection.sendall(client.head("GET / HTTP/1.1", X="a" * 1_000_000))
        assert receive_all(connection).startswith((b"HTTP/1.1 400", b""))
    assert client.is_served()


def test_two_hosts_are_refused(client: Client) -> None:
    request = client.head("GET / HTTP/1.1").replace(b"\r\n\r\n", b"\r\nHost: attacker.example\r\n\r\n")
    with client.connect() as connection:
        connection.sendall(request)
        assert receive_all(connection).startswith(b"HTTP/1.1 4")


def test_a_thousand_requests_on_one_connection_are_answered_in_order(client: Client) -> None:
    request = client.head("GET /static/page.css HTTP/1.1", Connection="keep-alive")
    with client.connect() as connection, connection.makefile("rb") as answers:
        for _ in range(1000):
            connection.sendall(request)
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.startswith(b"content-length: "):
                    length = int(line.split()[1])
            assert len(answers.read(length)) == length > 0


def test_hanging_clients_keep_nobody_out(client: Client) -> None:
    with ExitStack() as stack:
        for number in range(3 * http_server.MAX_CONNECTIONS):
            connection = stack.enter_context(client.connect())
            connection.sendall(b"" if number % 2 else b"GET / HTTP/1.1\r\nHost:")
        assert client.is_served()


def test_a_client_that_never_sends_its_headers_is_disconnected(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADER_TIMEOUT", 0.2)
    for beginning in (b"", b"G", b"GET / HTTP/1.1\r\n"):
        with client.connect() as connection, suppress(ConnectionResetError):
            connection.sendall(beginning)
            assert connection.recv(1) == b""


def test_a_client_that_sends_its_headers_slowly_is_disconnected(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEADER_TIMEOUT", 0.3)
    started = time.monotonic()
    with client.connect() as connection, suppress(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        while time.monotonic() < started + 5:
            connection.sendall(b"a")
            time.sleep(0.02)
    assert time.monotonic() < started + 4


def test_a_client_that_sends_its_body_slowly_is_disconnected(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "BODY_TIMEOUT", 0.2)
    with client.connect() as connection:
        connection.sendall(client.head("POST /api/measure HTTP/1.1", Content_Length="100") + b"{")
        assert receive_all(connection).startswith(b"HTTP/1.1 408")


def test_a_client_that_does_not_read_is_disconnected(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "READ_TIMEOUT", 0.2)
    with client.connect() as connection, suppress(ConnectionError):
        connection.sendall(client.head("GET /api/much HTTP/1.1"))
        time.sleep(0.5)
        assert len(receive_all(connection)) < 50_000_000


def test_a_body_is_read(client: Client) -> None:
    with client.connect() as connection:
        connection.sendall(client.head("POST /api/measure HTTP/1.1", Content_Length="1000000") + bytes(1_000_000))
        assert receive_all(connection).endswith(b"\r\n\r\n1000000")


@pytest.mark.slow
@pytest.mark.independent
def test_the_page_is_served_during_10000_requests(client: Client) -> None:
    request = client.head("GET /static/page.css HTTP/1.1", Connection="keep-alive")
    last = client.head("GET /static/page.css HTTP/1.1")

    def attack() -> int:
        with client.connect() as connection:
            connection.sendall(request * 99 + last)
            return receive_all(connection).count(b"HTTP/1.1 200")

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ThreadPoolExecutor(8) as attackers:
        answers = [attackers.submit(attack) for _ in range(100)]
        while not all(answer.done() for answer in answers):
            assert client.is_served()
            assert client.exchange("GET / HTTP/1.1", Cookie="").startswith(b"HTTP/1.1 403")
    assert [answer.result() for answer in answers] == [100] * 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50_000  # kilobytes


def test_500_megabytes_are_neither_kept_nor_read_to_the_end(client: Client) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    part, sent = bytes(1_000_000), 0
    head = client.head("POST /api/measure HTTP/1.1", Transfer_Encoding="chunked")
    with client.connect() as connection, suppress(ConnectionError):
        connection.sendall(head)
        for _ in range(500):
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            sent += len(part)
    assert sent < 60_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes
    assert client.is_served()
