"""sslreg runs"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from sslreg import Run


@pytest.fixture
def root(tmp_path: Path, tiny_run: Run) -> Path:
    """A good run, and one whose summary was cut off."""
    for name in ("good", "broken"):
        shutil.copytree(tiny_run.path, tmp_path / "runs" / name)
    (tmp_path / "runs" / "broken" / "summary.json").write_text("{")
    return tmp_path / "runs"


def test_the_list_has_the_first_figure_of_starting_weights(cli, root: Path) -> None:
    assert "starting" not in cli("runs", "list", root).out
    summary = json.loads((root / "good" / "summary.json").read_text())
    summary["baseline"]["starting"] = {"few_shot_1": 0.25, "few_shot_1_ci": 0.125}
    (root / "good" / "summary.json").write_text(json.dumps(summary))
    header, *lines = cli("runs", "list", root).out.splitlines()
    assert header.split()[-1] == "baseline.starting.few_shot_1"
    assert any(line.endswith("0.250 ± 0.125") for line in lines)


def test_the_list_has_state_and_figures_of_every_run(cli, root: Path) -> None:
    result = cli("runs", "list", root)
    assert result.status == 0
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert "few_shot_1" in lines["run"]
    assert " finished " in lines[str(root / "good")]
    assert " broken" in lines[str(root / "broken")]
    assert "summary.json is damaged" in result.err


def test_chosen_runs_with_chosen_columns_as_json(cli, root: Path, tiny_run: Run) -> None:
    columns = "model.backbone,final.neighbors_top1,data.batch_size"
    result = cli("runs", "list", root, "--where", "state=finished", "--columns", columns, "--json")
    (run,) = json.loads(result.out)["runs"]
    assert run["path"] == str(root / "good")
    assert run["state"] == "finished"
    final = tiny_run.summary["final"]["neighbors_top1"]
    assert run["columns"] == {"model.backbone": "convnet", "final.neighbors_top1": final, "data.batch_size": 64}


def test_conditions_that_no_run_meets_are_said_to_find_nothing(cli, root: Path) -> None:
    result = cli("runs", "list", root, "--where", "model=nope")
    assert result.status == 0
    assert "matches" in result.err


def test_what_is_sorted_by_is_shown(cli, root: Path) -> None:
    header = cli("runs", "list", root, "--sort", "trainer.max_epochs").out.splitlines()[0]
    assert header.split()[-1] == "trainer.max_epochs"


def test_runs_that_lack_the_value_are_mentioned(cli, root: Path) -> None:
    assert (
        "1 of 2 runs have no value there: neighbors_top1>0"
        in cli("runs", "list", root, "--where", "neighbors_top1>0").err
    )


def test_a_mistyped_column_is_answered_with_the_nearest(cli, root: Path) -> None:
    result = cli("runs", "list", root, "--columns", "loss.temprature,trainer.maxepochs")
    assert result.status == 2
    assert "'loss.temprature'" in result.err


def test_show_tells_every_value_by_its_path(cli, root: Path, tiny_run: Run) -> None:
    shown = dict(line.split(maxsplit=1) for line in cli("runs", "show", root / "good").out.splitlines())
    assert shown["state"] == "finished"
    assert shown["views.0.augment.0.use"] == tiny_run.spec.views[0].augment[0].use
    assert float(shown["final.few_shot_1"]) == pytest.approx(tiny_run.summary["final"]["few_shot_1"], rel=1e-3)
    values = json.loads(cli("runs", "show", root / "good", "--json").out)["values"]
    assert values["trainer"]["max_epochs"] == 2


def test_show_of_a_broken_run_names_the_problem(cli, root: Path) -> None:
    assert "summary.json is damaged" in cli("runs", "show", root / "broken").out


def test_show_takes_a_run_and_not_a_folder_of_runs(cli, root: Path) -> None:
    result = cli("runs", "show", root)
    assert result.status == 2
    assert "is not the folder of a run" in result.err


def test_show_of_a_folder_that_is_not_there_says_so(cli, root: Path) -> None:
    result = cli("runs", "show", root / "nope")
    assert result.status == 2
    assert "there is no folder" in result.err


def test_a_figure_is_listed_with_its_interval_as_tables_have_it(cli, root: Path, tiny_run: Run) -> None:
    final = tiny_run.summary["final"]
    shown = f"{final['few_shot_1']:.3f} ± {final['few_shot_1_ci']:.3f}"
    assert shown in cli("runs", "list", root).out


def test_best_prints_the_folder_alone(cli, root: Path) -> None:
    result = cli("runs", "best", "few_shot_1", root)
    assert result.out == f"{root / 'good'}\n"
    assert "few_shot_1 0." in result.err
    assert json.loads(cli("runs", "best", "loss", root, "--json").out)["path"] == str(root / "good")


def test_no_runs_is_said(cli, tmp_path: Path) -> None:
    result = cli("runs", "list", tmp_path)
    assert result.status == 2
    assert "there is no run under" in result.err


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Runs with two learning rates and three seeds each; one has failed."""
    root = tmp_path / "sweep"
    for number, (lr, seed) in enumerate((lr, seed) for lr in (0.1, 0.5) for seed in range(3)):
        folder = root / f"{number:04}"
        folder.mkdir(parents=True)
        spec = f"version: 1\nname: sweep\nseed: {seed}\noptimizer: {{use: sgd, lr: {lr}}}\nviews: [{{augment: []}}]\n"
        (folder / "spec.resolved.yaml").write_text(spec)
        final = {"knn_top1": lr + seed / 100, "knn_top1_ci": 0.02, "loss": 2.0}
        failed = {"status": "failed", "final": {}}
        summary = failed if number == 5 else {"status": "finished", "epochs": 4, "final": final}
        (folder / "summary.json").write_text(json.dumps(summary))
    return root


def test_the_list_has_the_values_in_which_specs_differ(cli, sweep: Path) -> None:
    header, first, *_ = (line.split() for line in cli("runs", "list", sweep).out.splitlines())
    assert header == ["run", "state", "started", "epochs", "seed", "optimizer.lr", "knn_top1", "loss"]
    assert first[-7:] == ["4", "0", "0.1", "0.100", "±", "0.020", "2"]


def test_many_values_that_differ_are_left_out(cli, sweep: Path) -> None:
    path = sweep / "0000" / "spec.resolved.yaml"
    path.write_text(path.read_text() + "".join(f"extra{number}: 1\n" for number in range(5)))
    assert cli("runs", "list", sweep).out.split()[:6] == ["run", "state", "started", "epochs", "knn_top1", "loss"]


def test_runs_that_differ_in_their_seeds_are_grouped(cli, sweep: Path) -> None:
    header, first, second = (line.split() for line in cli("runs", "list", sweep, "--group").out.splitlines())
    assert header == ["runs", "number", "optimizer.lr", "knn_top1", "loss"]
    # Student's t of three seeds, 4.303, times 0.01 / sqrt(3), and the interval of the test images
    interval = math.hypot(4.3027 * 0.01 / math.sqrt(3), 0.02)
    assert first[1:] == [
        "and",
        "2",
        "other",
        "seeds",
        "3",
        "0.1",
        "0.110",
        "±",
        f"{interval:.3f}",
        "2.000",
        "±",
        "0.000",
    ]
    assert second[:1] == [str(sweep / "0003")]
    assert second[5:8] == ["3", "(1", "unfinished)"]
    assert second[9] == "0.505"


def test_groups_are_sorted_by_their_means(cli, sweep: Path) -> None:
    result = cli("runs", "list", sweep, "--group", "--sort", "knn_top1", "--columns", "optimizer.lr,seed", "--json")
    first, second = json.loads(result.out)["groups"]
    assert [Path(path).name for path in first["runs"]] == ["0003", "0004", "0005"]
    assert first["columns"]["knn_top1"]["mean"] == pytest.approx(0.505)
    assert (second["columns"]["optimizer.lr"], second["columns"]["seed"]) == (0.1, None)
