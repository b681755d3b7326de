"""Runs as their files describe them, and choosing among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sslreg.errors import UserError
from sslreg.runs.folder import RunFolder
from sslreg.runs.queries import count_missing, filter_runs, find_best_run, sort_runs
from sslreg.runs.records import MISSING, RunRecord, find_runs, read_run
from sslreg.runs.run_lock import hold_run_lock
from sslreg.runs.run_state import DEAD_AFTER

SPEC = """
name: {name}
data: {{batch_size: 64}}
model: {{use: {model}, backbone: {{use: convnet, width: 8}}, projection: [32, 16]}}
loss: {{use: nt_xent, temperature: {temperature}}}
trainer: {{max_epochs: 40}}
"""

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes the files of a run, each a second younger than the one before."""
    count = 0

    def make_run(
        name: str, model: str = "simclr", temperature: float | str = 0.5, status: str = "finished", **final: Any
    ) -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "spec.yaml").touch()
        os.utime(folder / "spec.yaml", (count, count))
        spec = SPEC.format(name=folder.name, model=model, temperature=temperature)
        (folder / "spec.resolved.yaml").write_text(spec)
        (folder / "summary.json").write_text(json.dumps({"status": status, "epochs": 40, "final": final}))
        return folder

    return make_run


@pytest.fixture
def three(make: Make, tmp_path: Path) -> list[RunRecord]:
    make("b/first", knn_top1=0.9, loss=3.0)
    make("a/second", model="moco", temperature=0.1, knn_top1=0.95, loss=2.0)
    make("third", temperature="low", status="failed")
    return find_runs(tmp_path / "runs")


def names(runs: list[RunRecord]) -> list[str]:
    return [run.path.name for run in runs]


def test_runs_are_found_at_any_depth_in_the_order_of_their_start(three: list[RunRecord]) -> None:
    assert names(three) == ["first", "second", "third"]
    assert [run.state for run in three] == ["finished", "finished", "failed"]


def test_a_runs_own_folder_is_that_run_alone(make: Make) -> None:
    folder = make("one")
    (folder / "copies").mkdir()
    (folder / "copies" / "summary.json").touch()
    assert [run.path for run in find_runs(folder)] == [folder]


def test_a_folder_that_links_back_above_is_not_walked_for_ever(make: Make, tmp_path: Path) -> None:
    make("one")
    (tmp_path / "runs" / "again").symlink_to(tmp_path / "runs")
    assert names(find_runs(tmp_path / "runs")) == ["one"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trainer.max_epochs", 40),
        ("model.projection.1", 16),
        ("final.knn_top1", 0.9),
        ("knn_top1", 0.9),
        ("epochs", 40),
        ("state", "finished"),
        ("model.projection.2", MISSING),
        ("model.projection.x", MISSING),
        ("trainer.max_epochs.more", MISSING),
    ],
)
def test_a_dotted_path_leads_into_spec_and_summary(three: list[RunRecord], path: str, value: object) -> None:
    assert three[0].value(path) == value


def test_figures_measured_afterwards_have_their_own_names_too(make: Make) -> None:
    folder = make("one", loss=3.0)
    (folder / "evaluations.json").write_text(json.dumps({"trained": {"retrieval_map": 0.7}, "untrained": {}}))
    run = read_run(folder)
    assert run.value("evaluations.trained.retrieval_map") == run.value("retrieval_map") == 0.7
    assert run.figures() == {"retrieval_map": 0.7, "loss": 3.0}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("trainer.max_epochs=40", ["first", "second", "third"]),
        ("model=moco", ["second"]),
        ("model.backbone=convnet", ["first", "second", "third"]),
        ("model.backbone.width = 8", ["first", "second", "third"]),
        ("loss.temperature=5e-1", ["first"]),
        ("loss.temperature<0.5", ["second"]),
        ("knn_top1>=0.9", ["first", "second"]),
        ("knn_top1!=0.9", ["second", "third"]),
        ("status=failed", ["third"]),
        ("trainer.max_epochs=true", []),
    ],
)
def test_a_condition_chooses_runs(three: list[RunRecord], condition: str, expected: list[str]) -> None:
    assert names(filter_runs(three, condition)) == expected


def test_runs_without_a_value_are_counted(three: list[RunRecord]) -> None:
    assert count_missing(three, "knn_top1>0.5") == 1


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("trainer.max_epoch=40", "did you mean 'trainer.max_epochs'"),
        ("final.knn_top=1", "did you mean 'final.knn_top1'"),
        ("nonsense", "PATH=VALUE"),
        ("=40", "PATH=VALUE"),
    ],
)
def test_a_condition_that_can_hold_for_none_is_explained(three: list[RunRecord], condition: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        filter_runs(three, condition)


def test_runs_are_ordered_by_numbers_then_text_then_nothing(three: list[RunRecord]) -> None:
    assert names(sort_runs(three, "loss.temperature")) == ["second", "first", "third"]
    assert names(sort_runs(three, "knn_top1", descending=True)) == ["second", "first", "third"]


def test_the_best_run_has_the_largest_figure_or_the_smallest_loss(three: list[RunRecord]) -> None:
    assert find_best_run(three, "knn_top1")[0].path.name == "second"
    assert find_best_run(three, "knn_top1", lowest=True)[0].path.name == "first"
    assert find_best_run(three, "loss") == (three[1], 2.0)
    assert find_best_run(three, "final.loss") == (three[1], 2.0)
    with pytest.raises(UserError, match="did you mean 'knn_top1'"):
        find_best_run(three, "knn_top_1")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda run: (run / "summary.json").write_text('{"status": "fin'), "summary.json is damaged"),
        (lambda run: (run / "summary.json").write_text("[]"), "summary.json is damaged"),
        (lambda run: (run / "summary.json").write_bytes(b"\xff\xfe"), "summary.json is damaged"),
        (lambda run: (run / "summary.json").unlink(), "summary.json is missing"),
        (lambda run: (run / "spec.resolved.yaml").write_text("a: [1"), "spec.resolved.yaml is damaged"),
        (lambda run: (run / "spec.resolved.yaml").write_text("a: *b"), "spec.resolved.yaml is damaged"),
        (lambda run: (run / "spec.resolved.yaml").write_text("? [a]\n: 1"), "spec.resolved.yaml is damaged"),
        (lambda run: (run / "evaluations.json").mkdir(), "evaluations.json cannot be read: Is a directory"),
    ],
)
def test_a_damaged_folder_is_broken_and_says_why(make: Make, damage: Callable[[Path], Any], problem: str) -> None:
    folder = make("one")
    damage(folder)
    run = read_run(folder)
    assert (run.state, run.problem) == ("broken", problem)


def test_a_broken_run_harms_no_other(make: Make, tmp_path: Path) -> None:
    (make("one", knn_top1=0.5) / "spec.resolved.yaml").unlink()
    (make("two") / "summary.json").write_text('{"status": 1, "final": [null]}')
    runs = find_runs(tmp_path / "runs")
    assert [run.state for run in runs] == ["broken", "1"]
    assert names(sort_runs(runs, "knn_top1")) == ["one", "two"]
    assert names(filter_runs(runs, "model=simclr")) == ["two"]


def test_a_missing_root_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        find_runs(tmp_path / "nowhere")


def test_listing_runs_imports_no_torch(make: Make) -> None:
    program = (
        f"import sys; from sslreg.runs.records import find_runs; assert find_runs({str(make('one'))!r});"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_run_is_running_as_long_as_a_process_has_its_folder(make: Make) -> None:
    folder = make("one", status="running")
    os.utime(folder / "summary.json", (1, 1))
    with hold_run_lock(RunFolder(folder)):
        assert read_run(folder).state == "running"
    assert read_run(folder).state == "dead"


def test_where_locks_tell_nothing_a_silent_run_that_says_running_is_dead(make: Make) -> None:
    folder = make("one", status="running")
    assert read_run(folder).state == "running"
    (folder / "metrics.csv").touch()
    for name in ("summary.json", "metrics.csv"):
        before = (folder / name).stat().st_mtime - DEAD_AFTER - 1
        os.utime(folder / name, (before, before))
    assert read_run(folder).state == "dead"
