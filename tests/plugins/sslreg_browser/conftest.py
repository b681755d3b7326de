"""Clients of the server without a network, and a server for a real browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

import sslreg
from sslreg_browser.http_server import Server, listen
from sslreg_browser.server import create_app
from sslreg_browser.workspace import Workspace

#: The address and the token of the server in tests.
ADDRESS = "http://127.0.0.1:8123"
TOKEN = "token-of-the-tests"

#: A name that runs a script on a page that does not escape it.
NASTY = "<img src=x onerror=document.title='attacked'>"

NASTY_SPEC = """
version: 1
name: nasty
data:
  train: {{use: image_folder, root: {root}}}
  test: {{use: image_folder, root: {root}}}
  batch_size: 4
views:
  - repeat: 2
    augment:
      - {{use: random_resized_crop, size: 16}}
      - {{use: normalize, stats: imagenet}}
model: {{use: simclr, backbone: {{use: convnet, width: 8, depth: 2}}, projection: [16]}}
loss: {{use: nt_xent}}
optimizer: {{use: sgd, lr: 0.1}}
trainer: {{max_steps: 1, accelerator: cpu}}
"""


@pytest.fixture(autouse=True)
def user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the user that is empty."""
    folder = tmp_path / "user-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def nasty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A spec and its run whose folder, classes and files have a nasty name, with a file that is not an image."""
    root = tmp_path_factory.mktemp("images")
    for name in (NASTY, "plain"):
        (root / name).mkdir()
        for number in range(4):
            image = Image.effect_noise((40, 30), 20 + number).convert("RGB")
            image.save(root / name / f"{NASTY}{number}.png")
    folder = tmp_path_factory.mktemp("nasty")
    spec = folder / f"{NASTY}.yaml"
    spec.write_text(NASTY_SPEC.format(root=root))
    sslreg.train(sslreg.load_spec(spec), folder / "runs" / NASTY)
    (root / NASTY / f"{NASTY}0.png").write_bytes(b"not an image")
    return Workspace(spec=str(spec), runs=folder / "runs", run=folder / "runs" / NASTY)


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
