"""Commands that wait for a file, a process or a reader that does not answer, and are asked to stop."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sslreg import Run
from sslreg.assembly import loader_workers
from sslreg.blocked_waits import is_stopped
from sslreg.cli.interruption import CommandSignals

pytestmark = [
    pytest.mark.usefixtures("time_limit"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs FIFOs and looks into /proc"),
]

#: A command that waits in C, where Python calls no handlers of signals: for a mutex that it holds.
PROGRAM = r"""
import ctypes, os, signal, sys
# A shell that starts the tests in the background makes them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sslreg.blocked_waits as waits
import sslreg.spec.shipped_specs
from sslreg.cli import main

def wait():
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    os.write(2, b"waiting\n")
    libc.pthread_mutex_lock(mutex)

waits.CALL_GRACE = waits.INTERRUPT_GRACE = 0.3
sys.modules["sslreg.spec.shipped_specs"].shipped_specs = wait
sys.argv = ["sslreg", "specs", "list"]
main()
"""


@contextmanager
def send_signal(number: signal.Signals, ready: Callable[[], bool]) -> Iterator[None]:
    """Send a signal to this process, which waits in the block, a moment after something holds."""

    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.01):
            if ready():
                if not ended.wait(0.2):
                    os.kill(os.getpid(), number)
                return

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()


def create_fifo(path: Path) -> Callable[[], bool]:
    """Create a FIFO in the place of a file, and return a function that tells whether it is being read."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)

    def is_read() -> bool:
        try:
            os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # stays open: the reader waits for content
        except OSError:
            return False
        return True

    return is_read


def find_children() -> list[int]:
    return [int(child) for child in Path("/proc/self/task").joinpath(str(os.getpid()), "children").read_text().split()]


@pytest.mark.parametrize(
    ("command", "file", "number", "status"),
    [
        (("report", "run"), "summary.json", signal.SIGTERM, 75),
        (("runs", "list", "run"), "summary.json", signal.SIGINT, 130),
        (("evaluate", "run"), "lock.json", signal.SIGINT, 130),
        (("neighbors", "run", "test:1", "--embeddings", "run/e.npz"), "e.npz", signal.SIGTERM, 75),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_command_that_waits_for_a_file_names_it(
    cli: Callable[..., Any],
    spec_file: Path,
    tiny_run: Run,
    command: tuple[str, ...],
    file: str,
    number: signal.Signals,
    status: int,
) -> None:
    shutil.copytree(tiny_run.path, "run")
    path = Path("run", file)
    with send_signal(number, create_fifo(path)):
        result = cli(*command)
    assert (result.status, result.err) == (status, f"stopped by {number.name} while waiting for the file {path}\n")


def test_a_command_that_waits_for_a_stopped_worker_names_it(
    cli: Callable[..., Any], spec_file: Path, tiny_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_run.path, "run")
    spec = Path("run", "spec.resolved.yaml")
    spec.write_text(spec.read_text().replace("batch_size: 64", "batch_size: 64\n  workers: 1"))
    monkeypatch.setattr(loader_workers, "initialize_worker", lambda worker: os.kill(os.getpid(), signal.SIGSTOP))
    stopped: list[int] = []

    def has_stopped() -> bool:
        stopped.extend(filter(is_stopped, find_children()))
        return bool(stopped)

    with send_signal(signal.SIGTERM, has_stopped):
        result = cli("embed", "run", "--out", "e.npz")
    assert result.status == 75
    assert result.err == (
        "stopped by SIGTERM while waiting for a batch from the workers that load data "
        f"(process {stopped[0]} is stopped)\n"
    )
    assert not set(stopped) & set(find_children())


def test_a_command_whose_output_is_not_read_says_so(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    is_blocked = threading.Event()

    class Pipe(io.FileIO):
        def write(self, content: Any) -> int:
            is_blocked.set()
            return super().write(content)

    with (
        io.TextIOWrapper(io.BufferedWriter(Pipe(writer, "w"))) as pipe,
        send_signal(signal.SIGTERM, is_blocked.is_set),
    ):
        monkeypatch.setattr(sys, "stdout", pipe)
        result = cli("specs", "list")
    assert (result.status, result.err) == (75, "stopped by SIGTERM while waiting for the reader of its output\n")
    os.close(reader)


@pytest.mark.parametrize(
    ("numbers", "status"), [([signal.SIGTERM], 75), ([signal.SIGINT, signal.SIGINT], 130)], ids=["TERM", "INT"]
)
def test_a_wait_in_which_python_handles_no_signals_ends(numbers: list[signal.Signals], status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        time.sleep(0.2)  # it is about to wait
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.1)
        message = f"stopped by {numbers[0].name} while waiting for __main__.wait"
        assert message in process.stderr.read()
    assert process.returncode == status


def test_handlers_are_restored(cli: Callable[..., Any]) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    cli("specs", "list")
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with CommandSignals():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
