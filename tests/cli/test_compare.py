"""sslreg runs compare: runs and baselines in a table, and sentences about their differences."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sslreg import Run


def test_a_run_is_compared_with_its_baselines(cli, tiny_run: Run) -> None:
    result = cli("runs", "compare", tiny_run.path)
    assert result.status == 0, result.err
    final = tiny_run.summary["final"]
    assert f"{final['neighbors_top1']:.3f} ± {final['neighbors_top1_ci']:.3f}" in result.out
    assert "neighbors_top1: " in result.out
    assert "raw pixels" in result.out


def test_json_has_the_rows_and_the_comparisons(cli, tiny_run: Run) -> None:
    content = json.loads(cli("runs", "compare", tiny_run.path.parent, "--json").out)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == ["raw pixels", "untrained", str(tiny_run.path)]
    final = tiny_run.summary["final"]
    assert rows[str(tiny_run.path)]["metrics"]["few_shot_1"] == {
        "value": final["few_shot_1"],
        "interval": final["few_shot_1_ci"],
    }
    assert rows["untrained"]["runs"] == []
    assert [comparison["metric"] for comparison in content["comparisons"]] == ["few_shot_1", "neighbors_top1"]


def test_a_broken_run_is_left_out_and_named(cli, tiny_run: Run, tmp_path) -> None:
    for name in ("[good]", "broken"):
        shutil.copytree(tiny_run.path, tmp_path / name)
    (tmp_path / "broken" / "summary.json").write_text("{")
    result = cli("runs", "compare", tmp_path)
    assert result.status == 0
    assert "broken is left out, because it is broken: summary.json is damaged" in result.err.replace("\n", " ")
    assert "[good]" in result.out


def test_a_folder_without_runs_is_refused(cli, tmp_path) -> None:
    result = cli("runs", "compare", tmp_path)
    assert result.status == 2
    assert "there is no run to compare" in result.err


def test_evaluate_states_the_differences(cli, tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    out = cli("evaluate", tmp_path / "run").out.replace("\n", " ")
    assert "few_shot_1: training reached" in out
    assert "raw pixels" in out.split("that is")[1]
