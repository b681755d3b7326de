"""The collapse watch: the statistics of embeddings, and the report of a collapse."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console

import sslreg
from sslreg import SslregError
from sslreg.evaluation.embedding_statistics import (
    effective_rank,
    embedding_std,
    singular_values,
    squared_distances,
    uniformity,
)
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyModel
from sslreg.training import loop
from sslreg.training.callbacks import collapse_watch
from sslreg.training.callbacks.collapse_watch import ROWS

FIGURES = {"embedding_std", "effective_rank", "alignment", "uniformity"}


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def watched(path: Path) -> list[dict[str, float]]:
    """The figures of each epoch."""
    return [
        {name: float(row[name]) for name in FIGURES if row.get(name)}
        for row in rows(path)
        if row.get("embedding_std") or row.get("alignment")
    ]


class Constant(sslreg.Loss):
    """Rewards embeddings for being all the same vector."""

    def forward(self, a: torch.Tensor, b: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        return ((a - 1).square() + (b - 1).square()).mean()


class Line(sslreg.Loss):
    """Rewards embeddings for having the same number in each dimension; batch normalization spreads these numbers."""

    def forward(self, a: torch.Tensor, b: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        return ((a - a[:, :1]).square() + (b - b[:, :1]).square()).mean()


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path):
    """Trains the tiny spec without evaluations; the folder, and what was printed."""

    def run(*overrides: str, name: str = "run") -> tuple[Path, str]:
        said = io.StringIO()
        spec = parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]", *overrides])
        path = sslreg.train(spec, tmp_path / name, console=Console(file=said, width=300)).path
        return path, said.getvalue()

    return run


BARE = "model={use: simclr, backbone: {use: convnet, width: 8, depth: 3}, projection: []}"
WITH_HEAD = "model={use: simclr, backbone: {use: convnet, width: 8, depth: 3}, projection: [8]}"
COLLAPSING = ("loss={use: collapsing}", "optimizer={use: adamw, lr: 0.01}", "trainer.max_epochs=3")


def test_each_epoch_has_the_figures_of_its_last_steps(tiny_run: sslreg.Run) -> None:
    epochs = watched(tiny_run.path)
    assert [set(figures) for figures in epochs] == [FIGURES] * 2
    for figures in epochs:
        assert 0.5 < figures["embedding_std"] < 1.1
        assert 2 < figures["effective_rank"] <= 16
        assert 0 < figures["alignment"] < 2
        assert -4 < figures["uniformity"] < -1


def test_the_figures_are_of_what_the_model_returned_and_the_loss_compared(train, monkeypatch) -> None:
    from sslreg_losses import NTXentLoss
    from sslreg_models.simclr import SimCLR

    pairs, returned = [], []
    forward, step = NTXentLoss.forward, SimCLR.training_step

    def spied_forward(self, *views, **keywords):
        pairs.append([view.detach().clone() for view in views])
        return forward(self, *views, **keywords)

    def spied_step(self, batch, loss):
        output = step(self, batch, loss)
        returned.append(output.embeddings.detach().clone())
        return output

    monkeypatch.setattr(NTXentLoss, "forward", spied_forward)
    monkeypatch.setattr(SimCLR, "training_step", spied_step)
    path, _ = train("trainer.max_epochs=1")
    last = ROWS // 64
    embeddings = torch.cat(returned[-last:])
    (figures,) = watched(path)
    assert figures["embedding_std"] == pytest.approx(embedding_std(embeddings), rel=1e-5)
    assert figures["effective_rank"] == pytest.approx(effective_rank(singular_values(embeddings)), rel=1e-5)
    assert figures["uniformity"] == pytest.approx(uniformity(embeddings), rel=1e-5)
    distances = torch.cat([squared_distances(a, b) for a, b in pairs[-last:]])
    assert figures["alignment"] == pytest.approx(distances.mean().item(), rel=1e-5)


def test_a_healthy_run_is_not_warned(train) -> None:
    _, said = train("trainer.max_epochs=1")
    assert "collapse" not in said


@pytest.mark.parametrize(
    ("loss", "model", "found"),
    [(Constant, BARE, "standard deviation is 0.0"), (Line, WITH_HEAD, "effective rank is 1")],
)
def test_a_collapse_is_warned_of_once_and_the_run_goes_on(
    train, loss: type[sslreg.Loss], model: str, found: str
) -> None:
    with temporary_components(loss={"collapsing": loss}):
        path, said = train(*COLLAPSING, model)
    assert said.count("warning: the embeddings have collapsed in epoch") == 1
    assert found in said
    assert json.loads((path / "summary.json").read_text())["status"] == "finished"
    assert len(watched(path)) == 3


def test_a_collapse_stops_the_run_where_that_is_asked_for(train, tmp_path: Path) -> None:
    with (
        temporary_components(loss={"collapsing": Constant}),
        pytest.raises(SslregError, match="have collapsed in epoch 1") as end,
    ):
        train(*COLLAPSING, BARE, "engine.on_collapse=stop")
    assert end.value.exit_status == 1
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"
    assert len(watched(tmp_path / "run")) == 1


def test_a_run_is_the_same_without_the_watch(train, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = train(name="watched")
    attach = loop.add_callbacks

    def unwatched(setup, *arguments):
        made = attach(setup, *arguments)
        setup.trainer.callbacks[:] = [
            callback for callback in setup.trainer.callbacks if not isinstance(callback, collapse_watch.CollapseWatch)
        ]
        return made

    monkeypatch.setattr(loop, "add_callbacks", unwatched)
    other, _ = train(name="unwatched")
    assert not watched(other)
    losses = [[row["loss"] for row in rows(each) if row["loss"]] for each in (path, other)]
    assert losses[0] == losses[1]
    one, two = (sslreg.load_run(each).checkpoint() for each in (path, other))
    assert all(torch.equal(value, two["state_dict"][name]) for name, value in one["state_dict"].items())
    generators = [state["callbacks"]["ResumePosition"]["generators"][0]["torch"] for state in (one, two)]
    assert torch.equal(*generators)


class NoEmbeddings(sslreg.Model):
    """Says nothing of its embeddings, and gives the loss what is no pair."""

    gives = ("one number",)

    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_dim = backbone.num_features

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        return sslreg.StepOutput(loss(self.backbone(batch.views[0]).mean()))


class Number(sslreg.Loss):
    takes = "one number"

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value.square()


def test_what_a_method_does_not_give_is_left_out(train) -> None:
    with temporary_components(loss={"number": Number}, model={"quiet": NoEmbeddings}):
        path, said = train("model={use: quiet, backbone: {use: convnet, width: 4}}", "loss={use: number}")
    assert not watched(path)
    assert "collapse" not in said


class Watched(TinyModel):
    """A model that watches three features for each one that the loss compares.

    Args:
        ndim: the number of dimensions of what it watches.
    """

    def __init__(self, backbone: sslreg.Backbone, ndim: int = 2) -> None:
        super().__init__(backbone)
        self.ndim = ndim

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        output = super().training_step(batch, loss)
        wide = torch.cat([output.embeddings * factor for factor in (-1, 1, 2)], dim=1)
        return dataclasses.replace(output, embeddings=wide.unflatten(0, (-1,) + (1,) * (self.ndim - 2)))


def test_a_model_chooses_which_embeddings_are_watched(train) -> None:
    model = "model={use: watched, backbone: {use: convnet, width: 4}}"
    with temporary_components(model={"watched": Watched}):
        path, _ = train(model, "trainer.max_steps=3")
        with pytest.raises(SslregError, match=r"model 'watched' of .* embeddings \(N, D\) or None; .* \(64, 1, 192\)"):
            train(model, "trainer.max_steps=3", "model.ndim=3", name="broken")
    assert set(watched(path)[0]) == FIGURES


def test_a_run_that_ends_within_an_epoch_has_figures_too(train) -> None:
    path, _ = train("trainer.max_steps=3")
    (figures,) = watched(path)
    assert all(math.isfinite(value) for value in figures.values())
