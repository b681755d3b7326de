"""Worker processes of a study."""

from __future__ import annotations

import io
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from rich.console import Console

import sslreg
from sslreg_tune import workers as workers_module
from sslreg_tune.budget import Budget
from sslreg_tune.study import Study
from sslreg_tune.workers import Worker, WorkerPool, list_devices, share_threads

BUDGET = Budget(trials=6)
LONGER = ("data.train.subset=512", "trainer.max_epochs=6")


@pytest.fixture
def output() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.mark.slow
def test_two_workers_share_the_trials(search, tmp_path: Path, output: Console) -> None:
    study = Study(tmp_path / "study", search(), budget=BUDGET)
    assert study.run(BUDGET, parallel=2, console=output)
    records = study.records()
    assert [record.number for record in records] == list(range(6))
    assert {record.state for record in records} <= {"finished", "pruned"}
    assert len({str(record.values) for record in records}) == 6
    assert isinstance(output.file, io.StringIO)
    assert len(output.file.getvalue().splitlines()) == 6


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_its_trial_taken_over(
    search, tmp_path: Path, output: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    wait = WorkerPool._wait

    def kill_first(self: WorkerPool, workers: list[Worker]) -> None:
        while not any((tmp_path / "study" / "trials").glob("*/checkpoints/last.ckpt")):
            time.sleep(0.01)
        workers[0].process.kill()
        killed.append(workers[0].process.pid)
        wait(self, workers)

    monkeypatch.setattr(WorkerPool, "_wait", kill_first)
    study = Study(tmp_path / "study", search(*LONGER), budget=BUDGET)
    assert study.run(Budget(trials=4), parallel=2, console=output)
    assert killed
    assert [record.number for record in study.records()] == list(range(4))
    assert {record.state for record in study.records()} <= {"finished", "pruned"}


@pytest.mark.slow
def test_a_trial_that_always_ends_its_worker_fails(
    search, tmp_path: Path, output: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if memory were short in every trial."""
    start = WorkerPool._start

    def start_and_kill(self: WorkerPool, number: int) -> Worker:
        worker = start(self, number)
        if len(deaths) < 3:
            path = tmp_path / "study" / "trials" / "0000"
            while not path.exists() and worker.is_running:
                time.sleep(0.01)
            worker.process.kill()
            deaths.append(number)
        return worker

    deaths: list[int] = []
    monkeypatch.setattr(WorkerPool, "_start", start_and_kill)
    study = Study(tmp_path / "study", search(*LONGER), budget=BUDGET)
    assert study.run(Budget(trials=2), parallel=2, console=output)
    first, second = study.records()
    assert (first.state, second.state) == ("failed", "finished")
    assert first.reason == "it has ended 3 processes: SIGKILL, perhaps because memory is short"


class ScriptedWorker:
    """A worker that ends at once: with a status and an error from a list."""

    ends: ClassVar[list[tuple[int, sslreg.SslregError | None]]]
    started = 0

    def __init__(self, number: int, assignment: Any, device: str | None) -> None:
        type(self).started += 1
        self.number = number
        self.is_running = self.is_closed = False
        self._end = self.ends.pop(0)
        self.process = self
        self.returncode = self._end[0]

    def close(self) -> sslreg.SslregError | None:
        self.is_closed = True
        return self._end[1]

    def describe_end(self) -> str:
        return "SIGKILL"

    def terminate(self) -> None: ...


RunPool = Callable[..., tuple[Study, int]]


@pytest.fixture
def run_pool(search, tmp_path: Path, output: Console, monkeypatch: pytest.MonkeyPatch) -> RunPool:
    """Run two workers that end as a list says, and return the study and the number of workers that were started."""

    def run(*ends: tuple[int, sslreg.SslregError | None], abandoned: int = 0) -> tuple[Study, int]:
        class Scripted(ScriptedWorker):
            pass

        Scripted.ends = list(ends)
        looks = iter([True] * 100)

        def is_any_running(self: WorkerPool, workers: list[Any]) -> None:
            while any(not worker.is_closed for worker in workers) and next(looks):
                for index, worker in enumerate(workers):
                    if not worker.is_closed:
                        workers[index] = self._end(worker, is_stopping=False) or worker

        monkeypatch.setattr(workers_module, "Worker", Scripted)
        monkeypatch.setattr(WorkerPool, "_wait", is_any_running)
        study = Study(tmp_path / "study", search(), budget=BUDGET)
        for _ in range(abandoned):
            study.storage.create_trial(study.claims.folder_id)
        study.run(BUDGET, parallel=2, console=output)
        return study, Scripted.started

    return run


def test_workers_that_end_well_are_not_replaced(run_pool: RunPool) -> None:
    assert run_pool((0, None), (0, None))[1] == 2


def test_a_trial_that_ends_three_workers_fails(run_pool: RunPool) -> None:
    study, started = run_pool((-9, None), (0, None), (-9, None), (-9, None), (0, None), abandoned=1)
    assert started == 5
    trial = study.storage.read_trial(0)
    assert (trial.state, trial.reason) == ("failed", "it has ended 3 processes: SIGKILL")


def test_workers_that_die_without_a_trial_are_not_replaced_forever(run_pool: RunPool) -> None:
    with pytest.raises(sslreg.SslregError, match="worker processes end without a trial: SIGKILL"):
        run_pool(*[(-9, None)] * 10)


def test_the_first_error_of_a_worker_is_that_of_the_study(run_pool: RunPool) -> None:
    with pytest.raises(sslreg.SslregError, match="the disk is full"):
        run_pool((1, sslreg.SslregError("the disk is full")), (1, sslreg.SslregError("another")))


@pytest.mark.slow
def test_workers_that_do_not_start_are_reported(
    search, tmp_path: Path, output: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "optuna.py").write_text("raise ImportError('this is not Optuna')")
    study = Study(tmp_path / "study", search(), budget=BUDGET)
    with pytest.raises(sslreg.SslregError, match="worker processes end without a trial"):
        study.run(BUDGET, parallel=2, console=output)


@pytest.mark.slow
def test_a_signal_lets_all_workers_save_their_trials(
    search, tmp_path: Path, start_study: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder, config = tmp_path / "study", search(*LONGER, "trainer.max_epochs=200")
    process = start_study(folder, config, BUDGET, parallel=2)
    wait_for_checkpoints(folder, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 75
    assert "the study was interrupted by SIGINT" in errors.decode()
    assert "continue with the same command" in errors.decode()
    statuses = [sslreg.load_run(path).summary["status"] for path in (folder / "trials").iterdir()]
    assert statuses == ["interrupted"] * 2


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(
    search, tmp_path: Path, start_study: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder, config = tmp_path / "study", search(*LONGER, "trainer.max_epochs=200")
    process = start_study(folder, config, BUDGET, parallel=2)
    wait_for_checkpoints(folder, 2)
    process.kill()
    process.communicate()
    study = Study(folder, config, budget=BUDGET)
    for _ in range(600):
        if study.claims.find_abandoned() == [0, 1]:
            break
        time.sleep(0.05)
    statuses = [sslreg.load_run(path).summary["status"] for path in (folder / "trials").iterdir()]
    assert statuses == ["interrupted"] * 2


def wait_for_checkpoints(folder: Path, count: int) -> None:
    for _ in range(1200):
        if len(list((folder / "trials").glob("*/checkpoints/last.ckpt"))) == count:
            return
        time.sleep(0.05)
    raise AssertionError("no checkpoint")


@pytest.mark.slow
def test_an_error_of_the_study_ends_all_workers(search, tmp_path: Path, output: Console) -> None:
    config = search()
    study = Study(tmp_path / "study", config, budget=BUDGET)
    path = Path(config.source)
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.2"))
    with pytest.raises(sslreg.SslregError, match=r"tiny.yaml has changed"):
        study.run(BUDGET, parallel=2, console=output)


@pytest.mark.parametrize(
    ("visible", "count", "devices"), [(None, 2, ["0", "1"]), ("3,5", 2, ["3", "5"]), ("", 0, []), (None, 0, [])]
)
def test_the_devices_are_those_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, count: int, devices: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert list_devices() == devices


def test_workers_are_spread_over_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str | None] = []

    class Recorder:
        def __init__(self, number: int, assignment: Any, device: str | None) -> None:
            started.append(device)

    monkeypatch.setattr(workers_module, "Worker", Recorder)
    monkeypatch.setattr(workers_module, "list_devices", lambda: ["0", "1"])
    unused: Any = None
    pool = WorkerPool(unused, 3, unused, unused, unused)
    for number in range(3):
        pool._start(number)
    assert started == ["0", "1", "0"]


@pytest.mark.parametrize(("limit", "count", "threads"), [(None, 2, 4), ("3", 2, 3), ("16", 2, 4), ("", 16, 1)])
def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch, limit: str | None, count: int, threads: int) -> None:
    monkeypatch.setattr(workers_module, "count_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert share_threads(count) == threads
