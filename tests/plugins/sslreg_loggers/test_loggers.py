"""Loggers get the rows of metrics.csv, in the run's folder, and a resumed run continues the same log."""

import csv
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

import sslreg
from sslreg import Run, UserError
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.training import loop

Train = Callable[..., Run]

EVERY_STEP = ("trainer.log_every_n_steps=1", "evaluate=[{use: knn, every: 1}]")


class CutError(Exception):
    """Stands for whatever ends a process without a goodbye."""


class Cut(Callback):
    """Keeps the checkpoints as they are after step 24, and cuts the power in step 31."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        if trainer.global_step == 24:
            shutil.copytree(self.folder / "checkpoints", self.folder.parent / "kept")
        if trainer.global_step == 30:
            raise CutError


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path) -> Train:
    """Trains two epochs of 21 steps with loggers."""

    def run(*overrides: str) -> Run:
        return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*EVERY_STEP, *overrides]), tmp_path / "run")

    return run


@pytest.fixture
def resumed(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """As `train`, but cut off in step 31 and resumed from step 24: six steps are taken, and measured, twice."""

    def run(*overrides: str) -> Run:
        attach, folder = loop.add_callbacks, tmp_path / "run"

        def with_cut(setup, *arguments):
            setup.trainer.callbacks.append(Cut(folder))
            return attach(setup, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "add_callbacks", with_cut)
            with pytest.raises(CutError):
                train("checkpoint.every_minutes=1.0e-9", *overrides)
        shutil.rmtree(folder / "checkpoints")
        shutil.copytree(tmp_path / "kept", folder / "checkpoints")
        resumed = sslreg.resume(folder)
        assert resumed.summary["resumed_at"] == [24]
        return resumed

    return run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def by_step(rows: list[dict[str, str]], figure: str) -> list[tuple[int, float]]:
    return [(int(row["step"]), float(row[figure])) for row in rows if row.get(figure)]


class Noting(Logger):
    """A logger that records its calls."""

    calls: list[tuple] = []  # noqa: RUF012
    name, version = "noting", ""

    def __init__(self, note: str = "") -> None:
        super().__init__()

    def log_metrics(self, metrics, step=None) -> None:
        self.calls.append(("figures", step, dict(metrics)))

    def log_hyperparams(self, params, *args, **kwargs) -> None:
        self.calls.append(("hyperparameters", params))

    def save(self) -> None:
        self.calls.append(("save",))


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    monkeypatch.setattr(Noting, "calls", [])
    return Noting.calls


def test_a_logger_gets_every_figure_of_metrics_csv_and_the_spec(train: Train, noted: list[tuple], monkeypatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    with temporary_components(logger={"noting": Noting}):
        run = train("loggers=[{use: noting, note: '${env:SECRET}'}]", "trainer.max_epochs=1")
    ((_, params),) = [each for each in noted if each[0] == "hyperparameters"]
    assert params["loss"] == {"use": "nt_xent"}
    assert params["loggers"] == [{"use": "noting", "note": "${env:SECRET}"}]
    assert "hunter2" not in str(noted)
    figures = [(step, name) for kind, step, values in (e for e in noted if e[0] == "figures") for name in values]
    written = [(int(row["step"]), name) for row in rows_of(run.folder.metrics) for name, text in row.items() if text]
    assert figures == [(step, name) for step, name in written if name != "step"]
    assert {"loss", "lr", "knn_top1", "embedding_std", "effective_rank"} <= {name for _, name in figures}
    assert noted[-1] == ("save",)


def test_the_folder_that_a_logger_learns_of_is_the_runs_and_not_there_yet(train: Train, tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    class Curious(Noting):
        def __init__(self, run_folder: Annotated[str, sslreg.FromRun("run_folder")]) -> None:
            super().__init__()
            seen.append((run_folder, Path(run_folder).exists()))

    class CuriousToo(Callback):
        def __init__(self, run_folder: Annotated[str, sslreg.FromRun("run_folder")]) -> None:
            seen.append((run_folder, Path(run_folder).exists()))

    with temporary_components(logger={"curious": Curious}, callback={"curious": CuriousToo}):
        train("loggers=[{use: curious}]", "callbacks=[{use: curious}]", "trainer.max_steps=1")
    assert seen == [(str(tmp_path / "run"), False), (str(tmp_path / "run"), True)]


def test_steps_are_thinned_out_and_evaluations_are_not(train: Train, noted: list[tuple]) -> None:
    with temporary_components(logger={"noting": Noting}):
        train("loggers=[{use: noting}]", "trainer.log_every_n_steps=10")
    steps = [each[1] for each in noted if each[0] == "figures" and "loss" in each[2]]
    assert steps == [10, 20, 30, 40]
    assert [each[1] for each in noted if each[0] == "figures" and "knn_top1" in each[2]] == [21, 42]


def test_csv_is_in_the_runs_folder_with_the_spec_beside_it(train: Train) -> None:
    run = train("loggers=[{use: csv}]", "trainer.max_epochs=1")
    rows = rows_of(run.path / "logs" / "csv" / "metrics.csv")
    for figure in ("loss", "lr", "knn_top1", "uniformity"):
        expected = by_step(rows_of(run.folder.metrics), figure)
        assert [step for step, _ in by_step(rows, figure)] == [step for step, _ in expected]
        assert [value for _, value in by_step(rows, figure)] == pytest.approx([v for _, v in expected], rel=1e-5)
    assert yaml.safe_load((run.path / "logs" / "csv" / "hparams.yaml").read_text())["name"] == "tiny"


def events(folder: Path, tag: str) -> list[tuple[int, float]]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    read.Reload()
    return [(event.step, event.value) for event in read.Scalars(tag)]


def test_tensorboards_events_are_the_figures(train: Train) -> None:
    pytest.importorskip("tensorboard")
    run = train("loggers=[{use: tensorboard}]", "trainer.max_epochs=1")
    for figure in ("loss", "lr", "knn_top1", "effective_rank"):
        expected = by_step(rows_of(run.folder.metrics), figure)
        found = events(run.path / "logs" / "tensorboard", figure)
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert [value for _, value in found] == pytest.approx([value for _, value in expected], rel=1e-5)


ONCE = list(range(1, 43))


def test_a_resumed_run_tells_a_logger_nothing_twice(resumed: Train, noted: list[tuple]) -> None:
    with temporary_components(logger={"noting": Noting}):
        resumed("loggers=[{use: noting}]")
    assert [each[1] for each in noted if each[0] == "figures" and "loss" in each[2]] == ONCE
    assert [each[1] for each in noted if each[0] == "figures" and "knn_top1" in each[2]] == [21, 42]
    assert len([each for each in noted if each[0] == "hyperparameters"]) == 1


def test_a_resumed_run_goes_on_in_the_same_csv(resumed: Train) -> None:
    run = resumed("loggers=[{use: csv}]")
    rows = rows_of(run.path / "logs" / "csv" / "metrics.csv")
    assert [step for step, _ in by_step(rows, "loss")] == ONCE
    assert {path.name for path in (run.path / "logs" / "csv").iterdir()} == {"metrics.csv", "hparams.yaml"}


def test_a_resumed_run_goes_on_in_the_same_tensorboard(resumed: Train) -> None:
    pytest.importorskip("tensorboard")
    run = resumed("loggers=[{use: tensorboard}]")
    assert [step for step, _ in events(run.path / "logs" / "tensorboard", "loss")] == ONCE


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what mlflow's database layer deprecates is not ours to mend
def test_mlflow_keeps_a_resumed_run_as_one(resumed: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    tracking = pytest.importorskip("mlflow.tracking")
    run = resumed("loggers=[{use: mlflow, experiment: digits}]")
    client = tracking.MlflowClient(f"sqlite:///{run.path}/logs/mlflow.db")
    (found,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert found.data.params["loss/use"] == "nt_xent"
    assert sorted(metric.step for metric in client.get_metric_history(found.info.run_id, "loss")) == ONCE
    assert found.info.status == "FINISHED"


@pytest.mark.slow
def test_wandb_offline_keeps_a_resumed_run_under_one_name(resumed: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setitem(os.environ, "WANDB_MODE", "offline")  # the logger sets it: it is to be undone
    run = resumed("loggers=[{use: wandb, offline: true}]")
    identity = (run.path / "logs" / "wandb.id").read_text()
    folders = [path.name for path in (run.path / "logs" / "wandb").glob("offline-run-*")]
    assert folders
    assert all(name.endswith(identity) for name in folders)


def test_a_missing_package_is_named_with_its_extra(train: Train, tmp_path: Path, monkeypatch) -> None:
    for package in ("tensorboard", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UserError, match=rf"{package} is not installed.*sslreg\[{package}\]"):
            train(f"loggers=[{{use: {package}}}]")
    assert not (tmp_path / "run").exists()
