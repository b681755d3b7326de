from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sslreg import UserError
from sslreg.runs import run_index
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_index import RunIndex
from sslreg.runs.run_lock import hold_run_lock

Make = Callable[..., RunFolder]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a run: ``make("one", status="running")``."""

    def make_run(name: str, status: str = "finished") -> RunFolder:
        folder = RunFolder(tmp_path / "runs" / name)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.resolved_spec.write_text("version: 1\n")
        folder.summary.write_text(json.dumps({"status": status}))
        return folder

    make_run("one")
    return make_run


@pytest.fixture
def index(make: Make, tmp_path: Path) -> RunIndex:
    index = RunIndex(tmp_path / "runs")
    assert index.refresh()
    return index


def list_states(index: RunIndex) -> dict[str, str]:
    return {path.name: run.record.state for path, run in index.runs.items()}


def test_runs_that_appear_change_and_disappear_are_noticed(index: RunIndex, make: Make) -> None:
    assert not index.refresh()
    make("group/two", status="interrupted")
    assert index.refresh()
    assert list_states(index) == {"one": "finished", "two": "interrupted"}
    folder = make("one", status="failed")
    assert index.refresh()
    assert list_states(index) == {"one": "failed", "two": "interrupted"}
    assert [run.version for run in index.runs.values()] == [3, 2]
    (folder.path / "evaluations.json").write_text('{"trained": {"knn_top1": 0.5}}')
    assert index.refresh()
    assert index.runs[folder.path].record.value("knn_top1") == 0.5
    shutil.rmtree(folder.path)
    assert index.refresh()
    assert list_states(index) == {"two": "interrupted"}
    assert not index.refresh()


def test_files_are_read_only_after_a_change(index: RunIndex, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    original = run_index.read_run
    monkeypatch.setattr(run_index, "read_run", lambda path: read.append(path.name) or original(path))
    make("two")
    index.refresh()
    index.refresh()
    assert read == ["two"]


def test_a_run_that_trains_changes_with_its_metrics_and_dies_with_its_process(
    index: RunIndex, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "CHECK_EVERY", 0.0)
    folder = make("two", status="running")
    with hold_run_lock(folder):
        assert index.refresh()
        assert not index.refresh()
        folder.metrics.write_text("step,epoch\n")
        assert index.refresh()
        assert list_states(index)["two"] == "running"
    assert index.refresh()
    assert list_states(index)["two"] == "dead"


def test_the_folder_of_a_run_has_that_run(index: RunIndex, make: Make) -> None:
    folder = make("one").path
    own = RunIndex(folder)
    assert own.refresh()
    assert list(own.runs) == [folder]
    assert not own.refresh()


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        RunIndex(tmp_path / "nowhere")
