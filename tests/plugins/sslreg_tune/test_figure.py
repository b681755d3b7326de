"""The figure that judges trials is resolved, refused before any run, and read from runs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import sslreg
from sslreg import Run, UserError
from sslreg_tune.figure import Figure, describe_limits, require_comparable, resolve_figure


@pytest.fixture
def resolve(tiny_spec: str, tmp_path: Path):
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny_spec)

    def resolve(name: str, *overrides: str, lowest: bool = False) -> Figure:
        return resolve_figure(file, name, overrides, lowest=lowest, console=Console(file=io.StringIO()))

    return resolve


def test_a_metric_of_an_evaluator_is_read_from_the_results_of_a_run(resolve, tiny_run: Run) -> None:
    figure = resolve("few_shot_1")
    assert figure == Figure("few_shot_1")
    assert figure.read(tiny_run) == tiny_run.summary["final"]["few_shot_1"]
    assert figure.direction == "maximize"


def test_an_evaluator_may_have_another_name_and_run_during_the_training(resolve, tiny_run: Run) -> None:
    figure = resolve("neighbors_top1", lowest=True)
    assert figure == Figure("neighbors_top1", lowest=True, every=1)
    assert list(figure.read_epochs(tiny_run.path)) == [1, 2]
    assert figure.read_epochs(tiny_run.path)[2] == pytest.approx(figure.read(tiny_run), abs=1e-6)
    assert (figure.title, figure.direction) == ("neighbors_top1 (lowest)", "minimize")


def test_rank_adds_the_evaluator_that_it_needs(resolve, tiny_spec: str, tmp_path: Path) -> None:
    figure = resolve("rank")
    assert (figure.name, figure.lowest) == ("spectrum_rankme", False)
    spec = sslreg.load_spec(tmp_path / "tiny.yaml", figure.overrides)
    assert [component.info.name for component in spec.evaluate] == ["few_shot", "knn", "spectrum"]


def test_rank_uses_the_evaluator_that_a_spec_has(resolve) -> None:
    evaluator = "evaluate=[{use: spectrum, as: directions, every: 1}]"
    assert resolve("rank", evaluator) == Figure("directions_rankme", every=1)


def test_rank_needs_no_labels(resolve, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(20):
        Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{number}.png")
    train = f"{{use: image_folder, root: {folder}, labels: none}}"
    data = f"data={{train: {train}, channels: 1, validation: 0.3, batch_size: 8}}"
    assert resolve("rank", "evaluate=[]", data).name == "spectrum_rankme"


def test_the_loss_is_the_mean_over_an_epoch(resolve, tiny_run: Run) -> None:
    figure = resolve("loss")
    assert figure == Figure("loss", lowest=True, every=1)
    first, last = figure.read_epochs(tiny_run.path).values()
    assert first > last == figure.read(tiny_run)
    assert last != tiny_run.summary["final"]["loss"]  # that of the last step


@pytest.mark.parametrize(("name", "lowest"), [("alignment", True), ("effective_rank", False)])
def test_figures_of_the_training_are_in_the_direction_of_better_features(resolve, name: str, lowest: bool) -> None:
    assert resolve(name) == Figure(name, lowest=lowest, every=1)


def test_a_figure_that_the_method_does_not_record_is_refused(resolve) -> None:
    model = "model={use: lejepa, backbone: {use: convnet, width: 8, depth: 3}, projection: [16]}"
    schedule = "schedule={use: cosine, warmup_epochs: 1}"
    changes = (model, "loss={use: lejepa, directions: 16}", schedule)
    with pytest.raises(UserError, match="a training of lejepa does not record the figure 'alignment'"):
        resolve("alignment", *changes)


def test_a_misspelled_figure_is_refused_with_those_that_exist(resolve) -> None:
    with pytest.raises(UserError) as caught:
        resolve("fewshot_1")
    (diagnostic,) = caught.value.diagnostics
    assert "could be few_shot_1, few_shot_5, neighbors_top1, neighbors_top5, rank, loss," in diagnostic.message
    assert diagnostic.hint is not None
    assert "did you mean 'few_shot_1'" in diagnostic.hint


@pytest.mark.parametrize("name", ["few_shot_3", "few_shot_1_ci"])
def test_a_figure_that_the_evaluator_does_not_return_is_refused(resolve, name: str) -> None:
    with pytest.raises(UserError, match=f"no evaluator of the spec provides the figure '{name}'"):
        resolve(name)


def test_an_evaluator_that_the_spec_lacks_is_added(resolve) -> None:
    figure = resolve("clustering_ari")
    assert figure.name == "clustering_ari"
    (change,) = figure.overrides
    assert change.endswith('{"use": "clustering"}]')


def test_a_run_without_the_figure_is_an_error(tiny_run: Run) -> None:
    with pytest.raises(UserError, match="linear_top1, the figure that judges trials, is missing in the results of"):
        Figure("linear_top1").read(tiny_run)


def test_a_figure_that_is_not_finite_is_an_error(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "summary", {"final": {"few_shot_1": float("nan")}})
    with pytest.raises(UserError, match="is nan in the results of"):
        Figure("few_shot_1").read(tiny_run)


def test_a_run_that_has_not_started_has_no_values(tmp_path: Path) -> None:
    assert Figure("loss").read_epochs(tmp_path) == {}


def test_the_loss_cannot_choose_its_parameters() -> None:
    with pytest.raises(UserError, match=r"--by loss cannot choose loss\.temperature"):
        require_comparable(Figure("loss"), ["optimizer.lr", "loss.temperature"])
    require_comparable(Figure("loss"), ["optimizer.lr", "model.backbone.width"])
    require_comparable(Figure("spectrum_rankme"), ["loss.temperature"])


def test_values_that_change_a_figure_by_themselves_are_pointed_out() -> None:
    paths = ["optimizer.lr", "model.backbone.width", "data.batch_size"]
    found = describe_limits(Figure("loss"), paths, views=True)
    assert [warning.partition(":")[0] for warning in found] == [
        "model.backbone.width changes loss",
        "data.batch_size changes loss",
        "--views changes loss",
    ]
    assert len(describe_limits(Figure("spectrum_rankme"), paths, views=True)) == 1
    assert describe_limits(Figure("few_shot_1"), paths, views=True) == []
