from __future__ import annotations

import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sslreg_browser import command
from sslreg_browser.command import open_browser
from sslreg_browser.http_server import Server, listen

Command = Callable[..., Any]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Collects the sockets of servers, which do not run."""
    sockets: list[socket.socket] = []
    monkeypatch.setattr(Server, "run", lambda self, listeners: sockets.extend(listeners))
    monkeypatch.setattr(command, "_put_trainings_first", lambda: None)
    return sockets


def test_the_link_is_printed(cli: Command, served: list[socket.socket]) -> None:
    result = cli("browse", "digits-simclr", "--no-open")
    assert result.status == 0
    assert len(served) == 1
    link = urlsplit(result.out.splitlines()[0].removeprefix("open "))
    assert (link.scheme, link.hostname, link.path) == ("http", "127.0.0.1", "/")
    assert len(link.query.removeprefix("token=")) == 43


def test_the_link_that_is_opened_has_another_token(
    cli: Command, served: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(command, "open_browser", opened.append)
    printed = cli("browse", "digits-simclr").out.splitlines()[0].removeprefix("open ")
    assert urlsplit(opened[0]).netloc == urlsplit(printed).netloc
    assert urlsplit(opened[0]).query != urlsplit(printed).query


def test_without_a_display_no_browser_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(webbrowser, "open", started.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    open_browser("http://127.0.0.1:1/")
    assert started == []
    monkeypatch.setenv("DISPLAY", ":0")
    open_browser("http://127.0.0.1:1/")
    assert started == ["http://127.0.0.1:1/"]


def test_a_used_port_is_one_message(cli: Command) -> None:
    with listen(0) as listener:
        port = listener.getsockname()[1]
        result = cli("browse", "digits-simclr", "--port", port)
    assert result.status == 2
    assert f"port {port} is used by another program" in result.err
    assert "--port 0 chooses a free port" in result.err


def test_a_missing_package_is_one_message(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    result = cli("browse", "digits-simclr")
    assert result.status == 2
    assert "pip install 'sslreg[browser]'" in result.err


@contextmanager
def run_browse(folder: Path, *, ignore_hangup: bool = False) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the command in another process, and yield the process and its port."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hangup else signal.SIG_DFL)
    arguments = [sys.executable, "-m", "sslreg", "browse", "digits-simclr", "--no-open"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
    signal.signal(signal.SIGHUP, before)
    try:
        assert process.stdout is not None
        link = process.stdout.readline().removeprefix("open ")
        yield process, urlsplit(link).port or 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.slow
@pytest.mark.independent
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_server_at_once_also_with_open_connections(tmp_path: Path, number: signal.Signals) -> None:
    with run_browse(tmp_path) as (process, port), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        time.sleep(0.2)  # the server has accepted
        process.send_signal(number)
        assert process.wait(timeout=3) == 0
        assert process.stdout is not None
        assert "Traceback" not in process.stdout.read()


@pytest.mark.slow
@pytest.mark.independent
def test_under_nohup_the_server_outlives_its_terminal(tmp_path: Path) -> None:
    with run_browse(tmp_path, ignore_hangup=True) as (process, port):
        process.send_signal(signal.SIGHUP)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert select.select([connection], [], [], 10)[0]
            assert connection.recv(100).startswith(b"HTTP/1.1 4")
        assert process.poll() is None


@pytest.mark.slow
@pytest.mark.independent
def test_a_training_goes_first(tmp_path: Path) -> None:
    with run_browse(tmp_path) as (process, port), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connection.recv(100)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
        score = Path(f"/proc/{process.pid}/oom_score_adj")
        assert not score.exists() or score.read_text().strip() == "500"
