"""Runs with an external teacher, as a third party would write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import torch
from torch import nn

import sslreg
from sslreg import Run, UserError
from sslreg.spec import Spec, parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyBackbone


class Pretrained(TinyBackbone):
    """A backbone that starts from the weights in a file."""

    def __init__(self, in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3, weights: str = "") -> None:
        super().__init__(in_channels)
        if weights and not Path(weights).is_file():
            raise ValueError(f"weights: there is no file {weights}")
        if weights:
            self.load_state_dict(torch.load(weights))


class Taught(sslreg.Model):
    """A student that learns the features of a teacher.

    Args:
        backbone: the student.
        teacher: the teacher.
        half: whether the teacher computes in half precision.
    """

    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone, half: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.teacher = sslreg.frozen(teacher.half() if half else teacher)
        self.head = nn.Linear(backbone.num_features, self.teacher.num_features)
        self.embedding_dim = self.teacher.num_features

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        assert not self.teacher.wrapped.training
        first, second = batch.views
        embeddings = self.head(self.backbone(first))
        return sslreg.StepOutput(loss(embeddings, self.teacher(second)), embeddings=embeddings)


class FrozenBackbone(Taught):
    """A method that freezes what it should train."""

    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__(backbone, teacher)
        self.backbone = sslreg.frozen(backbone)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.pt"
    torch.manual_seed(1)
    torch.save(TinyBackbone(1).state_dict(), path)
    return path


@pytest.fixture
def spec(tiny_spec: str, weights: Path):
    def parse(*overrides: str) -> Spec:
        model = (
            "model={use: taught, backbone: {use: convnet, width: 4, depth: 2}, "
            f"teacher: {{use: pretrained, weights: {weights}}}}}"
        )
        changes = [model, "trainer.max_epochs=1", "trainer.limit_train_batches=4", "evaluate=[]", *overrides]
        return parse_spec(tiny_spec, "tiny.yaml", changes)

    models = {"taught": Taught, "frozen_backbone": FrozenBackbone}
    with temporary_components(model=models, backbone={"pretrained": Pretrained}):
        yield parse


@pytest.fixture
def stopped(spec, tmp_path: Path, at_step) -> Iterator[Path]:
    """The folder of a run that failed after two of its four steps."""

    def fail() -> None:
        raise RuntimeError("power cut")

    at_step(2, fail)
    with pytest.raises(RuntimeError, match="power cut"):
        sslreg.train(spec("checkpoint.every_steps=1"), tmp_path / "stopped")
    return tmp_path / "stopped"


def test_a_teacher_is_in_no_checkpoint_optimizer_and_average(spec, tmp_path: Path, weights: Path) -> None:
    run = sslreg.train(spec("engine.ema=0.9", "trainer.precision=bf16-mixed", "model.half=true"), tmp_path / "run")
    checkpoint = run.checkpoint()

    assert not [name for name in checkpoint["state_dict"] if "teacher" in name]
    assert [name for name in checkpoint["state_dict"] if name.startswith("average.model.head.")]
    parameters = sum(len(group["params"]) for group in checkpoint["optimizer_states"][0]["param_groups"])
    assert parameters == len(list(run.model().parameters()))


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_a_teacher_keeps_its_weights_in_a_training_of_another_precision(
    spec, tmp_path: Path, weights: Path, precision: str
) -> None:
    run = sslreg.train(spec(f"trainer.precision={precision}", "model.half=true"), tmp_path / "run")

    teacher = sslreg.frozen(Pretrained(1, str(weights)).half())
    assert run.checkpoint()["frozen_modules"] == {"model.teacher": teacher.sha256()}


def test_a_run_with_a_teacher_resumes_bit_for_bit(spec, stopped: Path, tmp_path: Path, assert_same) -> None:
    whole = sslreg.train(spec("checkpoint.every_steps=1"), tmp_path / "whole")

    sslreg.resume(stopped)

    assert_same(whole.path, stopped)


def test_resuming_refuses_other_weights_of_the_teacher(stopped: Path, weights: Path) -> None:
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    torch.save(TinyBackbone(1).state_dict(), weights)

    with pytest.raises(UserError, match=r"the frozen weights of 'pretrained' \(model\.teacher\) differ from") as error:
        sslreg.resume(stopped)

    (diagnostic,) = error.value.diagnostics
    assert diagnostic.line
    assert diagnostic.hint == f"restore {weights}, or start a new run"
    assert before == {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}


def test_resuming_needs_the_weights_of_the_teacher_and_loading_does_not(stopped: Path, weights: Path) -> None:
    images = [torch.zeros(1, 8, 8, dtype=torch.uint8).numpy()]
    before = Run(stopped).embed(images)
    weights.unlink()

    assert torch.equal(Run(stopped).embed(images), before)
    with pytest.raises(UserError, match="there is no file"):
        sslreg.resume(stopped)


def test_a_backbone_that_is_used_after_training_cannot_be_frozen(spec, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the backbone of 'frozen_backbone' is frozen, so checkpoints would not hold"):
        sslreg.train(spec("model.use=frozen_backbone"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
