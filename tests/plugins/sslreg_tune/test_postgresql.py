"""Studies in a PostgreSQL database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import sslreg
from sslreg_tune import trial_storage
from sslreg_tune.budget import Budget
from sslreg_tune.study import Study
from sslreg_tune.trial_storage import StorageError

pytestmark = [pytest.mark.slow, pytest.mark.independent]

PROGRAMS = shutil.which("postgres"), shutil.which("initdb")
#: The server refuses root.
USER: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
BUDGET = Budget(trials=6)


class Server:
    """A server in a temporary folder, with a user and a password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://tuner:s3cret@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        where = ["-D", str(self.folder / "data"), "-k", str(self.folder), "-p", str(self.port)]
        command = [str(PROGRAMS[0]), *where, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **USER)
        for _ in range(200):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the server does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # without waiting for its clients
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    if None in PROGRAMS:
        pytest.skip("there is no PostgreSQL")
    folder = Path(tempfile.mkdtemp())
    password = folder / "password"
    password.write_text("s3cret\n")
    if USER:
        for path in (folder, password):
            shutil.chown(path, USER["user"], USER["group"])
    options = ["-U", "tuner", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
    command = [str(PROGRAMS[1]), "-D", str(folder / "data"), *options]
    subprocess.run(command, check=True, capture_output=True, cwd="/", **USER)
    running = Server(folder)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(folder)


def test_two_processes_share_the_trials(
    search, tmp_path: Path, server: Server, start_study: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Each has a separate folder, as machines without a shared disk have."""
    config = search()
    folders = [tmp_path / "one" / "digits", tmp_path / "two" / "digits"]
    processes = [start_study(folder, config, BUDGET, storage=server.url) for folder in folders]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    records = Study(folders[0], config, storage=server.url, budget=BUDGET).records()
    # Both may begin a last trial at the same time.
    assert [record.number for record in records[:6]] == list(range(6))
    assert len(records) <= 7
    assert len({str(record.values) for record in records}) == len(records)
    trained = [path.name for folder in folders for path in (folder / "trials").iterdir()]
    assert sorted(trained) == [f"{record.number:04}" for record in records]
    for folder in folders:
        assert "s3cret" not in (folder / "study.json").read_text()


def test_a_wrong_password_is_refused_without_showing_it(search, tmp_path: Path, server: Server) -> None:
    url = server.url.replace("s3cret", "wr0ng")
    with pytest.raises(StorageError, match="password authentication failed") as caught:
        Study(tmp_path / "study", search(), storage=url, budget=BUDGET)
    assert "wr0ng" not in str(caught.value)


def test_a_server_that_restarts_interrupts_nothing(
    search, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = search()
    study = Study(tmp_path / "study", config, storage=server.url, budget=BUDGET)
    train = sslreg.train_or_resume

    def restart(spec: Any, out: Path, **options: Any) -> Any:
        server.stop()
        run = train(spec, out, **options)
        server.start()
        return run

    monkeypatch.setattr(sslreg, "train_or_resume", restart)
    study.run(Budget(trials=1), console=Console(quiet=True))
    (record,) = study.records()
    assert (record.state, list(record.intermediate)) == ("finished", [1, 2])


def test_a_server_that_stays_away_ends_the_process_and_nothing_is_lost(
    search, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = search()
    study = Study(tmp_path / "lost", config, storage=server.url, budget=BUDGET)
    train = sslreg.train_or_resume

    def stop(spec: Any, out: Path, **options: Any) -> Any:
        run = train(spec, out, **options)
        server.stop()
        return run

    with monkeypatch.context() as patch:
        patch.setattr(sslreg, "train_or_resume", stop)
        patch.setattr(trial_storage, "PATIENCE", 0.5)
        patch.setattr(study.storage, "_patience", 0.5)
        with pytest.raises(StorageError, match="does not answer") as caught:
            study.run(Budget(trials=1), console=Console(quiet=True))
    assert "same command" in str(caught.value.diagnostics[0].hint)
    assert "s3cret" not in str(caught.value)
    server.start()
    again = Study(tmp_path / "lost", config, storage=server.url, budget=BUDGET)
    again.run(Budget(trials=1), console=Console(quiet=True))
    (record,) = again.records()
    assert (record.number, record.state) == (0, "finished")
    assert sslreg.load_run(record.path).summary["resumed_at"] == []
