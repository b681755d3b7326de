"""Studies whose processes are killed, and that several processes share."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import sslreg
from sslreg_tune.budget import Budget
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.study import Study
from sslreg_tune.trial_record import TrialRecord

pytestmark = [pytest.mark.slow, pytest.mark.independent]

#: Trials that last long enough to be killed within an epoch, and that are pruned.
LONGER = ("data.train.subset=512", "trainer.max_epochs=6", "checkpoint.every_steps=4")
BUDGET = Budget(trials=9)

Start = Callable[..., subprocess.Popen[bytes]]


def read_records(folder: Path, config: SearchConfig, **options: Any) -> list[TrialRecord]:
    return Study(folder, config, budget=BUDGET, **options).records()


def list_results(records: list[TrialRecord]) -> list[tuple[Any, ...]]:
    """Return what may not depend on when processes were killed."""
    return [
        (record.number, record.state, record.values, record.figure, record.intermediate, record.origin, record.epochs)
        for record in records
    ]


def test_a_study_that_is_killed_five_times_has_the_trials_of_an_undisturbed_one(
    search, tmp_path: Path, start_study: Start
) -> None:
    config = search(*LONGER)
    whole = Study(tmp_path / "whole", config, budget=BUDGET)
    whole.run(BUDGET, console=Console(quiet=True))
    expected = list_results(whole.records())
    assert {"finished", "pruned"} <= {record.state for record in whole.records()}

    rng, kills = random.Random(0), 0
    database = tmp_path / "killed" / "study.db"
    while True:
        process = start_study(tmp_path / "killed", config, BUDGET)
        before = database.stat().st_mtime_ns if database.exists() else 0
        if kills < 5:
            while process.poll() is None and (not database.exists() or database.stat().st_mtime_ns == before):
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 3))
            process.kill()
            kills += 1
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors.decode()
    assert kills == 5
    records = read_records(tmp_path / "killed", config)
    assert list_results(records) == expected
    assert len(list((tmp_path / "killed" / "trials").iterdir())) == 9
    for record, other in zip(records, whole.records(), strict=True):
        assert sslreg.load_run(record.path).summary["final"] == sslreg.load_run(other.path).summary["final"]


def test_two_processes_on_one_file_share_the_trials(search, tmp_path: Path, start_study: Start) -> None:
    config = search()
    processes = [start_study(tmp_path / "study", config, BUDGET) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert_complete(read_records(tmp_path / "study", config))


def assert_complete(records: list[TrialRecord]) -> None:
    """Fail if a trial is missing, was trained twice, or did not end."""
    assert [record.number for record in records] == list(range(9))
    assert {record.state for record in records} <= {"finished", "pruned"}
    assert len({str(record.values) for record in records}) == 9
    for record in records:
        assert sslreg.load_run(record.path).summary["resumed_at"] == []
