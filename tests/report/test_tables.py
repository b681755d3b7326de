"""The tables of a report."""

from __future__ import annotations

import shutil
from pathlib import Path

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
