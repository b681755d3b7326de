"""The program of a worker process, called in this process."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sslreg_tune import worker_program
from sslreg_tune.budget import Budget
from sslreg_tune.study import Study
from sslreg_tune.workers import Assignment


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Assignment], tuple[int, str]]:
    """Return a function that runs the program, and returns its status and what it writes for its parent."""

    def run(assignment: Assignment) -> tuple[int, str]:
        class Input:
            buffer = io.BytesIO(pickle.dumps(assignment))

        class NoThread:
            def __init__(self, **_: Any) -> None: ...
            def start(self) -> None: ...

        answer, keep = tmp_path / "answer", os.dup(1)
        descriptor = os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.close(descriptor)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Input)
            patch.setattr(worker_program.threading, "Thread", NoThread)
            try:
                return worker_program.main(), answer.read_text()
            finally:
                os.dup2(keep, 1)
                os.close(keep)

    return run


def test_a_worker_runs_the_trials_of_the_study(search, tmp_path: Path, work) -> None:
    config, budget = search(), Budget(trials=1)
    study = Study(tmp_path / "study", config, budget=budget)
    assert work(Assignment(study.folder, config, None, budget, frozenset(), threads=2)) == (0, "")
    assert torch.get_num_threads() == 2
    assert [record.state for record in study.records()] == ["finished"]


def test_an_error_is_written_for_the_parent(search, tmp_path: Path, work) -> None:
    study = Study(tmp_path / "study", search(), budget=Budget(trials=1))
    status, answer = work(Assignment(study.folder, search(seed=1), None, Budget(), frozenset(), threads=1))
    assert status == 2
    assert json.loads(answer)[0]["code"] == "other-study"


def test_a_worker_stops_when_its_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *signal_of: received.append(signal_of))
    content = [b"x", b""]
    monkeypatch.setattr(os, "read", lambda *_: content.pop(0))
    worker_program._stop_with_parent()
    assert received == [(os.getpid(), signal.SIGTERM)]
