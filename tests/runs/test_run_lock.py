"""One process at a time trains in a folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import sslreg
from sslreg import Run, SslregError
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_lock import hold_run_lock, is_locked

HOLD = """
import sys, time
from pathlib import Path
from sslreg.runs.run_lock import hold_run_lock
from sslreg.runs.folder import RunFolder
with hold_run_lock(RunFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tiny_run: Run):
    """Another process that holds the run's folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tiny_run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_folder_that_another_process_has_is_refused_and_the_process_named(
    tiny_run: Run, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(SslregError, match=f"is in use by process {holder.pid} on {socket.gethostname()}"):
        sslreg.resume(tiny_run.path, ["trainer.max_epochs=3"])
    assert tiny_run.summary["status"] == "finished"


def test_a_killed_process_releases_the_lock(tiny_run: Run, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with hold_run_lock(tiny_run.folder):
        assert str(os.getpid()) in tiny_run.folder.lock_file.read_text()


def test_a_child_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    """As a loader's worker does, for some seconds."""
    program = HOLD.replace(
        "    time.sleep(600)\n", "    import os\n    if os.fork(): os._exit(0)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.wait() == 0
    try:
        with hold_run_lock(RunFolder(tmp_path)):
            assert str(os.getpid()) in (tmp_path / ".in_use").read_text()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()


def test_whether_a_folder_is_locked_can_be_told_without_taking_it(
    tiny_run: Run, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert is_locked(tiny_run.folder) is True
    holder.kill()
    holder.wait()
    assert is_locked(tiny_run.folder) is False
    assert is_locked(RunFolder(tmp_path)) is None


def test_a_process_that_trains_in_a_folder_does_not_do_so_twice(tmp_path: Path) -> None:
    """As two threads, or a callback, might; the first one keeps the folder."""
    folder = RunFolder(tmp_path)
    with hold_run_lock(folder):
        with pytest.raises(SslregError, match="is in use by this process"), hold_run_lock(folder):
            raise AssertionError
        assert is_locked(folder) is True
        assert ask_in_another_process(tmp_path) == "True\n"
    assert ask_in_another_process(tmp_path) == "False\n"
    with hold_run_lock(folder):
        pass


def ask_in_another_process(folder: Path) -> str:
    """Return what another process finds out about a folder."""
    program = "import sys; from pathlib import Path; from sslreg.runs.run_lock import is_locked\n"
    program += "from sslreg.runs.folder import RunFolder; print(is_locked(RunFolder(Path(sys.argv[1]))))"
    return subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True).stdout


def test_a_process_that_asks_about_its_own_folder_keeps_it(tmp_path: Path) -> None:
    with hold_run_lock(RunFolder(tmp_path)):
        assert is_locked(RunFolder(tmp_path)) is True
        assert ask_in_another_process(tmp_path) == "True\n"
    assert is_locked(RunFolder(tmp_path)) is False
