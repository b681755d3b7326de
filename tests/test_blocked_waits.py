"""Runs that wait for a worker, a process or a disk that does not answer, and are asked to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import sslreg.blocked_waits as waits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.independent,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]

#: Seconds until which a run has ended, in all cases. A hang lasts forever.
LIMIT = 60
PROGRAM = """
import sslreg.blocked_waits as waits
waits.CALL_GRACE = waits.INTERRUPT_GRACE = 1.0
waits.BATCH_GRACE = 2.0  # longer than after a second Ctrl-C, as outside of tests
from sslreg.cli.app import main
if __name__ == "__main__":
    main()
"""
TWO = ("trainer.devices=2", "trainer.strategy=ddp")
#: Each step is written, so that a run that makes no progress can be told from a slow one.
LONG = ("trainer.max_epochs=100000", "evaluate=[]", "trainer.log_every_n_steps=1")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tiny_spec: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a long run in tmp_path/run, with short graces."""
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    (tmp_path / "program.py").write_text(PROGRAM)
    started: list[subprocess.Popen[str]] = []

    def popen(*overrides: str) -> subprocess.Popen[str]:
        sets = [word for override in (*LONG, *overrides) for word in ("--set", override)]
        started.append(
            subprocess.Popen(
                [sys.executable, "program.py", "train", "tiny.yaml", "--out", "run", *sets],
                cwd=tmp_path,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield popen
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_steps(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until the run has trained some steps."""
    metrics = folder / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 5):
        time.sleep(0.01)
    assert process.poll() is None, process.stderr and process.stderr.read()


def find_children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def wait_until_ended(process: int) -> None:
    """Wait until a process that was killed has ended."""
    deadline = time.monotonic() + LIMIT
    while is_alive(process):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_until_blocked(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until the run makes no progress."""
    before, now = -1, 0
    while before != now:
        time.sleep(2.0)
        before, now = now, (folder / "metrics.csv").stat().st_size


def wait_until_listening(process: subprocess.Popen[str]) -> None:
    """Wait until a process accepts connections, as the first one of several does before the others start."""
    while process.poll() is None and not _listening_sockets() & _sockets(process):
        time.sleep(0.1)
    assert process.poll() is None, process.stderr and process.stderr.read()


def _listening_sockets() -> set[str]:
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}


def _sockets(process: subprocess.Popen[str]) -> set[str]:
    found = set()
    for file in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(file))
    return found


def read_status(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text())["status"])


@pytest.mark.parametrize(
    ("numbers", "status"), [([signal.SIGTERM], 75), ([signal.SIGINT], 75), ([signal.SIGINT, signal.SIGINT], 130)]
)
def test_a_run_whose_worker_is_stopped_ends_when_it_is_asked_to(
    start: Start, tmp_path: Path, numbers: list[signal.Signals], status: int
) -> None:
    process = start("data.workers=1")
    wait_for_steps(process, tmp_path / "run")
    (worker,) = find_children(process.pid)
    os.kill(worker, signal.SIGSTOP)
    wait_until_blocked(process, tmp_path / "run")
    for number in numbers:
        os.kill(process.pid, number)
        time.sleep(0.2)
    _, stderr = process.communicate(timeout=LIMIT)

    assert process.returncode == status, stderr
    assert "Traceback" not in stderr
    assert f"while waiting for a batch from the workers that load data (process {worker} is stopped)" in stderr
    assert "sslreg train --resume run" in stderr
    assert read_status(tmp_path / "run") == "interrupted"
    wait_until_ended(worker)


@pytest.mark.parametrize(("numbers", "status"), [([signal.SIGTERM], 75), ([signal.SIGINT, signal.SIGINT], 130)])
def test_a_run_whose_second_process_is_stopped_ends_when_it_is_asked_to(
    start: Start, tmp_path: Path, numbers: list[signal.Signals], status: int
) -> None:
    process = start(*TWO)
    wait_for_steps(process, tmp_path / "run")
    (second,) = find_children(process.pid)
    os.kill(second, signal.SIGSTOP)
    wait_until_blocked(process, tmp_path / "run")
    for number in numbers:
        os.kill(process.pid, number)
        time.sleep(0.2)
    _, stderr = process.communicate(timeout=LIMIT)

    assert process.returncode == status, stderr
    assert "Traceback" not in stderr
    assert f"(process {second} is stopped)" in stderr
    assert "sslreg train --resume run" in stderr
    assert read_status(tmp_path / "run") == "interrupted"
    wait_until_ended(second)


def test_processes_that_wait_for_one_that_does_not_start_end_when_they_are_asked_to(
    tiny_spec: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchrun has started this process; the other one, on another host, does not come."""
    group = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "TORCHELASTIC_RUN_ID": "1"}
    for name, value in (group | rendezvous).items():
        monkeypatch.setenv(name, value)
    process = start(*TWO)
    wait_until_listening(process)
    os.kill(process.pid, signal.SIGTERM)
    _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 75, stderr
    assert "before the first step, while waiting for the other processes of the run" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "run").exists()


def test_a_path_that_the_main_thread_is_creating_is_passed_over() -> None:
    path = object.__new__(type(Path()))
    assert isinstance(path, Path)
    assert waits._find_path(sys._getframe()) is None
