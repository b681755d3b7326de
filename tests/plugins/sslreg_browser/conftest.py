"""Clients of the server without a network, and a server for a real browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from sslreg_browser.http_server import Server, listen
from sslreg_browser.server import create_app
from sslreg_browser.workspace import Workspace

#: The address and the token of the server in tests.
ADDRESS = "http://127.0.0.1:8123"
TOKEN = "token-of-the-tests"


@pytest.fixture
def connect() -> Iterator[Callable[[Workspace], TestClient]]:
    """Start an application for a workspace, and return a client that has the token: ``connect(workspace)``."""
    with ExitStack() as stack:

        def start(workspace: Workspace) -> TestClient:
            app = create_app(workspace, TOKEN)
            client = stack.enter_context(TestClient(app, ADDRESS, headers={"Origin": ADDRESS}))
            client.get("/", params={"token": TOKEN})
            return client

        yield start


@pytest.fixture
def start_server() -> Iterator[Callable[[Workspace], str]]:
    """Start a server on a free port, and return the link for a browser: ``start_server(workspace)``."""
    with ExitStack() as stack:

        def start(workspace: Workspace) -> str:
            listener = stack.enter_context(listen(0))
            server = Server(create_app(workspace, TOKEN))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()

            def stop() -> None:
                server.stop()
                thread.join()

            stack.callback(stop)
            while not server.started:
                time.sleep(0.01)
            return f"http://127.0.0.1:{listener.getsockname()[1]}/?token={TOKEN}"

        yield start
