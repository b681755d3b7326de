"""Components of plugins in training: plain modules, memory banks, broken contracts, and hooks of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import sslreg
from sslreg import SslregError
from sslreg.assembly import assemble
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyModel
from sslreg.training.dry_run import dry_run
from sslreg.training.lightning_module import TrainingModule


class Plain(nn.Module):
    """A plain loss.

    Args:
        scale: a factor.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.scale * (a - b).square().mean()


class WithoutTargets(sslreg.Loss):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().mean()


class Coroutine(Plain):
    async def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().mean()


class Evaluator:
    """No loss."""


class Exits(Plain):
    def __init__(self) -> None:
        raise SystemExit(3)


class Item(sslreg.Loss):
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> float:
        return views[0].detach().sum().item()


class Detached(Item):
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return views[0].detach().sum()


class Rows(Item):
    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return (views[0] - views[1]).square().mean(dim=1)


class WithBanks(Plain):
    """A plain loss with a list of banks."""

    def __init__(self, banks: Sequence[sslreg.MemoryBank]) -> None:
        super().__init__()
        self.banks = nn.ModuleList(banks)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        for bank, keys in zip(self.banks, (a, b), strict=True):
            bank.enqueue(keys)
        return super().forward(a, b)


class SometimesNaN(WithBanks):
    """A plain loss that is not finite in every second call."""

    calls: int

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(a, b) * (torch.nan if self.calls % 2 == 0 else 1.0)


class ModelWithBanks(TinyModel):
    """A model with a list of banks in a nested module."""

    def __init__(self, backbone: sslreg.Backbone, banks: Sequence[sslreg.MemoryBank]) -> None:
        super().__init__(backbone)
        self.queues = nn.ModuleDict({"of_views": nn.ModuleList(banks)})
        for bank in banks:
            bank.hold(self.embedding_dim)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        output = super().training_step(batch, loss)
        for bank in self.queues["of_views"]:
            bank.enqueue(output.embeddings)
        return output


class TeacherAndStudent(TinyModel):
    """A model that trains a student and keeps its momentum copy."""

    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(sslreg.momentum_copy(backbone))
        self.student = backbone

    def trained_modules(self) -> list[nn.Module]:
        return [self.student]

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        return sslreg.StepOutput(loss(self.student(batch.views[0]), self.backbone(batch.views[1])))

    def after_step(self) -> None:
        sslreg.follow(self.backbone, self.student, 0.5)


def overrides(name: str) -> list[str]:
    return [f"loss={{use: {name}}}", "trainer.max_epochs=1", "evaluate=[]", "data.test=null"]


def test_a_plain_module_trains_and_resumes(tiny_spec: str, tmp_path: Path) -> None:
    with temporary_components(loss={"plain": Plain}):
        run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides("plain")), tmp_path / "run")
        assert run.summary["status"] == "finished"
        loss = sslreg.build("loss", "plain", scale=2.0)
        assert isinstance(loss, sslreg.Loss)
        assert loss(torch.ones(2, 3), torch.zeros(2, 3), targets=torch.zeros(2)).item() == 2.0
        assert "module.scale" in loss.state_dict()


def test_banks_at_any_depth_are_committed_and_not_broadcast(tiny_spec: str, tmp_path: Path) -> None:
    banks = "banks: [{use: fifo, size: 100}, {use: fifo, size: 10}]"
    changes = [
        f"loss={{use: with_banks, {banks}}}",
        f"model={{use: model_with_banks, backbone: {{use: convnet, width: 4, depth: 1}}, {banks}}}",
        "trainer.max_steps=2",
        "engine.ema=0.9",
        "evaluate=[]",
    ]
    with temporary_components(loss={"with_banks": WithBanks}, model={"model_with_banks": ModelWithBanks}):
        spec = parse_spec(tiny_spec, "tiny.yaml", changes)
        module = TrainingModule(assemble(spec))
        state = sslreg.train(spec, tmp_path / "run").checkpoint()["state_dict"]
    names = [f"{owner}.{number}" for owner in ("model.queues.of_views", "loss.module.banks") for number in (0, 1)]
    for name in names:
        valid = int(state[f"{name}._extra_state"][1])
        assert valid == min(len(state[f"{name}.rows"]), 2 * spec.data.batch_size)
        assert f"{name}.rows" in module._ddp_params_and_buffers_to_ignore


def test_the_bank_of_a_plain_loss_is_discarded_with_a_skipped_step(tiny_spec: str, tmp_path: Path) -> None:
    banks = "banks: [{use: fifo, size: 1000}, {use: fifo, size: 1000}]"
    changes = [f"loss={{use: plain, {banks}}}", "trainer.max_steps=3", "engine.on_nan=skip", "evaluate=[]"]
    with temporary_components(loss={"plain": SometimesNaN}):
        spec = parse_spec(tiny_spec, "tiny.yaml", changes)
        run = sslreg.train(spec, tmp_path / "run")
        state = run.checkpoint()["state_dict"]
    assert run.summary["skipped_steps"] == 1
    for number in (0, 1):
        assert int(state[f"loss.module.banks.{number}._extra_state"][1]) == 2 * spec.data.batch_size


def test_what_is_trained_is_compiled_and_loads_without_compiling(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[nn.Module] = []

    def compile_eagerly(call: Any) -> Any:
        compiled.append(call.__self__)
        return original(call, backend="eager")

    original = torch.compile
    monkeypatch.setattr(torch, "compile", compile_eagerly)
    model = "model={use: teacher_and_student, backbone: {use: convnet, width: 4, depth: 1}}"
    with temporary_components(model={"teacher_and_student": TeacherAndStudent}):
        changes = [model, "engine.compile=true", "trainer.max_steps=2", "evaluate=[]"]
        run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", changes), tmp_path / "run")
        student = compiled[0]
        assert compiled == [student, student]  # its `forward`, and its `patches`, which this training does not call
        loaded = run.model()
    assert len(compiled) == 2
    torch.testing.assert_close(loaded.student.state_dict(), student.state_dict())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (WithoutTargets, r"forward does not take `targets`; its signature is forward\(\*views, targets=None\)"),
        (Coroutine, "forward is async"),
        (Exits, "the constructor of loss 'broken' of .* ends the program"),
        (Evaluator, "Evaluator is neither an sslreg.Loss nor a torch.nn.Module"),
    ],
)
def test_a_loss_that_cannot_be_built_is_named(loss: type, message: str, tiny_spec: str, tmp_path: Path) -> None:
    with temporary_components(loss={"broken": loss}):
        with pytest.raises(SslregError, match=message):
            sslreg.build("loss", "broken")
        with pytest.raises(SslregError, match=message):
            sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides("broken")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Item, "loss 'broken' of .*: forward returns a float, not a scalar tensor"),
        (Detached, "loss 'broken' of .*: forward returns a loss without a gradient"),
        (Rows, r"loss 'broken' of .*: forward returns a tensor \(\d+,\), not a scalar tensor"),
    ],
)
def test_a_loss_that_returns_something_else_is_named(loss: type, message: str, tiny_spec: str, tmp_path: Path) -> None:
    with temporary_components(loss={"broken": loss}), pytest.raises(SslregError, match=message):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides("broken")), tmp_path / "run")


def test_a_dry_run_does_not_advise_to_resume(tiny_spec: str) -> None:
    with temporary_components(loss={"broken": Rows}), pytest.raises(SslregError, match="forward returns") as caught:
        dry_run(parse_spec(tiny_spec, "tiny.yaml", overrides("broken")))
    assert "resume" not in str(caught.value)


class Freezing(sslreg.Model):
    """A model whose backbone is frozen until step 3.

    Attributes:
        calls: what training called.
    """

    calls: ClassVar[list[str]] = []

    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.num_features, 4)
        self.embedding_dim = 4

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        self.calls.append("step")
        a, b = (self.head(self.backbone(view)) for view in batch.views)
        return sslreg.StepOutput(loss(a, b))

    def before_step(self) -> None:
        assert all(weight.grad is not None for weight in self.parameters())
        self.calls.append("before")
        self.backbone.zero_grad()

    def after_step(self) -> None:
        assert all(weight.grad is None for weight in self.backbone.parameters())
        self.calls.append("after")


def test_before_step_runs_once_between_the_last_backward_pass_and_the_optimizer(tiny_spec: str, tmp_path: Path) -> None:
    Freezing.calls.clear()
    more = ["model.use=freezing", "trainer.accumulate_grad_batches=2", "trainer.max_steps=2", "trainer.max_epochs=null"]
    more.append("trainer.gradient_clip_val=1.0")
    with temporary_components(model={"freezing": Freezing}):
        spec = parse_spec(tiny_spec, "tiny.yaml", [*overrides("nt_xent")[:1], "evaluate=[]", "data.test=null", *more])
        Freezing.calls.clear()
        run = sslreg.train(spec, tmp_path / "run")
        trained, untrained = run.model(), run.untrained_model()
    steps = Freezing.calls[-8:]
    assert steps == ["step", "step", "before", "after"] * 2
    for name, weight in trained.named_parameters():
        assert torch.equal(weight, untrained.get_parameter(name)) is name.startswith("backbone."), name


class FailsLater(sslreg.Loss):
    """Breaks its contract in the third step."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        self.calls += 1
        losses = (views[0] - views[1]).square().mean(dim=1)
        return losses if self.calls > 2 else losses.mean()


def test_a_run_that_a_component_breaks_advises_to_fix_it_first(tiny_spec: str, tmp_path: Path) -> None:
    for loss, advice in ((FailsLater, "fix the component first, then resume with"), (Rows, None)):
        path = tmp_path / loss.__name__
        with temporary_components(loss={"broken": loss}), pytest.raises(SslregError, match="not a scalar") as caught:
            sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides("broken")), path)
        assert advice in str(caught.value) if advice else "resume" not in str(caught.value)
