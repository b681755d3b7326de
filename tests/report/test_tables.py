"""The tables of a report."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from sslreg import Run
from sslreg.report.reported_runs import read_runs
from sslreg.report.tables import PageTable, evaluation_table


def test_baselines_that_runs_share_have_one_column(tiny_run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(tiny_run.path, tmp_path / name)
    table = evaluation_table(read_runs([tmp_path / "a", tmp_path / "b"]))
    assert isinstance(table, PageTable)
    assert table.groups == [("trained", 2), ("raw pixels", 1), ("untrained", 1)]
    assert table.columns == ["a", "b", "all", "all"]


@pytest.fixture
def seeds(tiny_run: Run, tmp_path: Path) -> list[Path]:
    """Three runs with other seeds, and other results of an evaluator."""
    folders = []
    for seed in range(3):
        folder = shutil.copytree(tiny_run.path, tmp_path / f"seed-{seed}", ignore=shutil.ignore_patterns("checkpoints"))
        spec = folder / "spec.resolved.yaml"
        spec.write_text(f"{spec.read_text()}\nseed: {seed}\n")
        summary = json.loads((folder / "summary.json").read_text())
        summary["final"] |= {"few_shot_1": 0.5 + seed / 100, "few_shot_1_ci": 0.02}
        (folder / "summary.json").write_text(json.dumps(summary))
        folders.append(folder)
    return folders


def test_seeds_of_a_spec_have_one_group_of_columns(seeds: list[Path]) -> None:
    other = shutil.copytree(seeds[0], seeds[0].with_name("other"))
    spec = other / "spec.resolved.yaml"
    spec.write_text(spec.read_text().replace("lr: 0.1", "lr: 0.2"))
    table = evaluation_table(read_runs([*seeds, other]))
    assert isinstance(table, PageTable)
    assert table.columns == ["seed-0 and 2 other seeds", "other", "all", "all"]
    assert table.groups == [("trained", 2), ("raw pixels", 1), ("untrained", 1)]
    interval = math.hypot(0.02, 4.3027 * 0.01 / math.sqrt(3))
    assert dict(table.rows)["few_shot_1"][0] == f"0.510 ± {interval:.3f}"


def test_a_metric_that_a_seed_lacks_has_no_mean(seeds: list[Path]) -> None:
    summary = json.loads((seeds[2] / "summary.json").read_text())
    del summary["final"]["few_shot_1"]
    (seeds[2] / "summary.json").write_text(json.dumps(summary))
    table = evaluation_table(read_runs(seeds))
    assert isinstance(table, PageTable)
    assert table.columns[0] == "seed-0 and 2 other seeds"
    assert dict(table.rows)["few_shot_1"][0] == "–"
