"""The effect of `trainer` and `engine` in a spec: precision, accumulation, clipping, memory."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback

import sslreg
from sslreg import Run, UserError
from sslreg.runs.run_evaluation import evaluate_run
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.training import loop
from sslreg_losses import NTXentLoss
from sslreg_memory_banks import FIFOMemoryBank
from sslreg_models.moco import MoCo
from sslreg_models.simclr import SimCLR

Trained = Callable[..., Run]

MOCO = [
    "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], momentum: 0.9}",
    "loss.memory_bank={use: fifo, size: 2000}",
]


@pytest.fixture
def trained(tiny_spec: str, tmp_path: Path) -> Trained:
    """Trains an epoch of the tiny spec with overrides, without evaluations."""

    def train(*overrides: str, name: str = "run") -> Run:
        spec = parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]", "trainer.max_epochs=1", *overrides])
        return sslreg.train(spec, tmp_path / name)

    return train


def steps(run: Run) -> list[dict[str, str]]:
    with run.folder.metrics.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["loss"]]


def losses(run: Run) -> list[float]:
    return [float(row["loss"]) for row in steps(run)]


class Cut(Callback):
    """Ends a run without a goodbye."""

    class Error(Exception):
        pass

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        if trainer.global_step == 9:
            raise Cut.Error


@pytest.fixture
def resumed(trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trained:
    """As `trained`, but cut off after nine steps and resumed."""

    def train(*overrides: str) -> Run:
        attach = loop.add_callbacks

        def with_cut(setup, *arguments):
            setup.trainer.callbacks.append(Cut())
            return attach(setup, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "add_callbacks", with_cut)
            with pytest.raises(Cut.Error):
                trained(*overrides, "checkpoint.every_minutes=1.0e-9", name="cut")
        return sslreg.resume(tmp_path / "cut")

    return train


def assert_same_end(one: Run, other: Run) -> None:
    states = [run.checkpoint()["state_dict"] for run in (one, other)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert losses(one) == losses(other)


def test_bf16_trains_and_resumes_bit_for_bit(trained: Trained, resumed: Trained) -> None:
    run = trained(*MOCO, "trainer.precision=bf16-mixed")
    single = trained(*MOCO, name="single")
    assert losses(run) != losses(single)
    assert losses(run) == pytest.approx(losses(single), rel=0.05)
    assert all(value.dtype != torch.bfloat16 for value in run.checkpoint()["state_dict"].values())
    assert_same_end(run, resumed(*MOCO, "trainer.precision=bf16-mixed"))


def test_mixed_precision_in_float16_is_refused_on_a_cpu(tiny_spec: str, tmp_path: Path) -> None:
    """However the accelerator was chosen; Lightning would silently compute in bfloat16."""
    text = tiny_spec.replace("accelerator: cpu", "accelerator: auto")
    spec = parse_spec(text, "tiny.yaml", ["trainer.precision=16-mixed"])
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match=r"(?s)needs a GPU.*bf16-mixed"):
            sslreg.train(spec, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_within_autocast_embeddings_are_coarse_and_the_loss_is_not(trained: Trained, monkeypatch) -> None:
    seen: list[tuple[torch.dtype, torch.dtype, float]] = []
    forward = NTXentLoss.forward

    def spied(self, *views, **keywords):
        value = forward(self, *views, **keywords)
        exact = forward(NTXentLoss(self.temperature), *(view.detach().double() for view in views))
        seen.append((views[0].dtype, value.dtype, abs(float(value.detach() - exact))))
        return value

    monkeypatch.setattr(NTXentLoss, "forward", spied)
    trained("trainer.precision=bf16-mixed", "trainer.max_steps=3", "model.projection=[16]")
    del seen[0]  # the trial of the spec, which has no precision
    assert [(given, got) for given, got, _ in seen] == [(torch.bfloat16, torch.float32)] * 3
    assert max(error for *_, error in seen) < 1e-5


@pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true"])
def test_weights_of_other_types_train_are_evaluated_and_come_back_in_float32(trained: Trained, precision: str) -> None:
    run = trained(f"trainer.precision={precision}", "evaluate=[{use: knn}]", "trainer.max_steps=3", "optimizer.lr=0.01")
    assert run.summary["final"]["knn_top1"] > 0.3
    assert {parameter.dtype for parameter in run.model().parameters()} == {torch.float32}
    assert evaluate_run(run).by_subject["trained"]["knn_top1"] == pytest.approx(run.summary["final"]["knn_top1"])


def test_accumulation_commits_schedules_and_counts_by_optimizer_steps(trained: Trained, monkeypatch) -> None:
    calls: list[str] = []
    for owner, method in ((FIFOMemoryBank, "enqueue"), (FIFOMemoryBank, "commit"), (MoCo, "after_step")):
        original = getattr(owner, method)

        def counted(self, *arguments, original=original, method=method):
            calls.append(method)
            return original(self, *arguments)

        monkeypatch.setattr(owner, method, counted)
    run = trained(*MOCO, "trainer.accumulate_grad_batches=4", "trainer.max_epochs=2", "optimizer.lr=0.5")
    each = ["enqueue"] * 4 + ["after_step", "commit"]
    an_epoch = each * 5 + ["enqueue", "after_step", "commit"]  # 21 batches: the last step has one
    assert calls == an_epoch * 2
    assert run.summary["steps"] == run.facts["total_steps"] == 12
    rates = [float(row["lr"]) for row in steps(run)]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    expected = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=11)
    for rate in rates[:-1]:
        optimizer.step()
        expected.step()
        assert rate == pytest.approx(expected.get_last_lr()[0], rel=1e-5, abs=1e-9)


class MeanSquare(sslreg.Loss):
    """A mean over samples, of which that of a large batch is the mean of those of its parts."""

    def forward(self, a: torch.Tensor, b: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        return (a - 1).square().mean() + (b + 1).square().mean()


def test_accumulated_gradients_are_those_of_the_larger_batch(trained: Trained, monkeypatch) -> None:
    original = SimCLR.training_step

    def without_batch_statistics(self, batch, loss):
        self.eval()  # batch normalization sees each sample alone
        return original(self, batch, loss)

    monkeypatch.setattr(SimCLR, "training_step", without_batch_statistics)
    with temporary_components(loss={"mean_square": MeanSquare}):
        common = ("loss={use: mean_square}", "trainer.max_steps=3")
        large = trained(*common, "data.batch_size=64", name="large")
        small = trained(*common, "data.batch_size=16", "trainer.accumulate_grad_batches=4", name="small")
    states = [run.checkpoint()["state_dict"] for run in (large, small)]
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=1e-4, atol=1e-6)


class NormOfGradients(torch.optim.SGD):
    """Remembers how long the gradients were that it was given."""

    seen: list[float] = []  # noqa: RUF012

    def step(self, closure=None):
        value = closure()
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        self.seen.append(torch.stack([gradient.norm() for gradient in gradients]).norm().item())
        super().step()
        return value


def test_gradients_are_clipped_before_the_step(trained: Trained) -> None:
    norms = {}
    for value in (None, 0.05):
        NormOfGradients.seen = []
        with temporary_components(optimizer={"remembering": NormOfGradients}):
            clip = f"trainer.gradient_clip_val={'null' if value is None else value}"
            trained(clip, "optimizer={use: remembering, lr: 0.01}", "trainer.max_steps=3", name=str(value))
        norms[value] = NormOfGradients.seen
    assert min(norms[None]) > 0.06
    assert norms[0.05] == pytest.approx([0.05] * 3, rel=1e-3)


def test_channels_last_computes_the_same(trained: Trained, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[bool] = []
    original = SimCLR.training_step

    def spied(self, batch, loss):
        weights = [parameter for parameter in self.parameters() if parameter.ndim == 4 and parameter.shape[1] > 1]
        laid_out.append(
            all(each.is_contiguous(memory_format=torch.channels_last) for each in (*batch.views, *weights))
            and not any(each.is_contiguous() for each in (*batch.views, *weights))
        )
        return original(self, batch, loss)

    monkeypatch.setattr(SimCLR, "training_step", spied)
    common = (
        f"data={{train: {{use: image_folder, root: '{photos}', labels: none}}, batch_size: 4}}",
        "views.0.augment=[{use: random_resized_crop, size: 24}]",
        "trainer.max_epochs=2",
        "optimizer.lr=0.01",
    )
    last = trained(*common, "engine.channels_last=true", "engine.ema=0.5", name="last")
    assert laid_out[1:] == [True] * 4  # the first call is the trial of the spec
    first = trained(*common, "engine.ema=0.5", name="first")
    assert laid_out[6:] == [False] * 4
    assert losses(last) == pytest.approx(losses(first), rel=1e-4)
    for one, other in zip(last.model().parameters(), first.model().parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_summary_has_the_learning_rate_that_a_step_of_so_many_samples_gets(trained: Trained) -> None:
    run = trained("optimizer.base_batch_size=32", "trainer.max_steps=1", "schedule=null")
    assert run.summary["learning_rate"] == 0.2
    assert steps(run)[0]["lr"] == "0.2"


def test_gradient_checkpointing_trains_the_same_weights(trained: Trained) -> None:
    vit = "model.backbone={use: vit, patch_size: 4, width: 8, depth: 1, heads: 2}"
    steps = "trainer.max_steps=3"
    stored = trained(vit, steps, name="stored")
    recomputed = trained(vit, steps, "engine.gradient_checkpointing=true", name="recomputed")
    assert losses(recomputed) == pytest.approx(losses(stored))
    torch.testing.assert_close(recomputed.checkpoint()["state_dict"], stored.checkpoint()["state_dict"])
