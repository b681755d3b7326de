"""A run that is interrupted and resumed equals one that was not interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback

import sslreg
from sslreg import Run, SslregError, UserError
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.training import loop
from sslreg_curves.metrics import read_metrics
from sslreg_models.simclr import SimCLR

EVERY_STEP = "checkpoint.every_minutes=1.0e-9"


class PowerCutError(Exception):
    """Stands for whatever ends a process without a goodbye."""


class CutAt(Callback):
    """Cuts the power in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        if trainer.global_step == self.step:
            raise PowerCutError


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Trains two epochs of 21 steps; `cut`: the step at which the power goes, if it does."""

    def run(name: str, *overrides: str, cut: int | None = None) -> Path:
        folder = tmp_path / name
        spec = parse_spec(tiny_spec, "tiny.yaml", ["evaluate.0.every=1", *overrides])
        if cut is None:
            return sslreg.train(spec, folder).path
        attach = loop.add_callbacks

        def with_cut(setup, *arguments):
            setup.trainer.callbacks.append(CutAt(cut))
            return attach(setup, *arguments)

        monkeypatch.setattr(loop, "add_callbacks", with_cut)
        with pytest.raises(PowerCutError):
            sslreg.train(spec, folder)
        monkeypatch.setattr(loop, "add_callbacks", attach)
        return folder

    return run


@pytest.mark.parametrize(("cut", "workers"), [(1, 0), (7, 2), (20, 0), (21, 0), (21, 2), (22, 2), (41, 0)])
def test_a_run_that_was_cut_off_anywhere_ends_as_one_that_was_not(
    train, moco, undisturbed: Path, assert_same, cut: int, workers: int
) -> None:
    broken = train("broken", *moco, EVERY_STEP, f"data.workers={workers}", cut=cut)
    resumed = sslreg.resume(broken)
    assert resumed.summary["resumed_at"] == [cut]
    assert resumed.summary["status"] == "finished"
    assert_same(undisturbed, broken)


def test_a_run_may_be_cut_off_again_and_again(
    train, moco, undisturbed: Path, assert_same, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = train("broken", *moco, EVERY_STEP, cut=5)
    attach = loop.add_callbacks
    for cut in (6, 21, 30):

        def with_cut(setup, *arguments, cut=cut):
            setup.trainer.callbacks.append(CutAt(cut))
            return attach(setup, *arguments)

        monkeypatch.setattr(loop, "add_callbacks", with_cut)
        with pytest.raises(PowerCutError):
            sslreg.resume(broken)
    monkeypatch.setattr(loop, "add_callbacks", attach)
    assert sslreg.resume(broken).summary["resumed_at"] == [5, 6, 21, 30]
    assert_same(undisturbed, broken)


def test_every_schedule_resumes(train, assert_same) -> None:
    two = (
        "schedule=[{use: cosine}, {use: cosine_weight_decay, end: 0.4}]",
        "optimizer.weight_decay=0.04",
        "trainer.max_steps=8",
        "evaluate=[]",
    )
    whole, broken = train("whole", *two), train("broken", *two, EVERY_STEP, cut=5)
    sslreg.resume(broken)
    assert_same(whole, broken)
    steps = read_metrics(whole)
    # A row has the values of the next step, and the last step has the final ones.
    assert all(len({value for _, value in steps[name]}) == 7 for name in ("lr", "weight_decay"))
    assert steps["weight_decay"][-2:] == [(7, 0.4), (8, 0.4)]


class Restless:
    """A schedule that doubles every learning rate, and then multiplies it by 0.9 in each step."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.state_dict, self.load_state_dict = dict, dict
        for group in optimizer.param_groups:
            group["lr"] *= 2

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.9


class RatesByGroup(SimCLR):
    """SimCLR with a fixed learning rate of the projection, and a quarter of the rate for biases of the backbone."""

    def parameter_groups(self):
        projection, backbone = (sslreg.split_weight_decay(part) for part in (self.projection, self.backbone))
        weights, biases = backbone
        return [*({**group, "fixed_lr": True} for group in projection), weights, {**biases, "lr_scale": 0.25}]


@pytest.mark.parametrize("schedule", ["{use: cosine, warmup_epochs: 1}", "{use: restless}"])
def test_fixed_and_scaled_learning_rates_are_used_in_every_step(
    train, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    used = []

    class Recording(torch.optim.SGD):
        def __init__(self, params, lr: float) -> None:
            super().__init__(params, lr)
            self.register_step_post_hook(self.record)

        def record(self, *_: object) -> None:
            if not self.param_groups[0]["params"][0].is_meta:  # a resumed run tries its checkpoint on the meta device
                used.append([group["lr"] for group in self.param_groups])

    with temporary_components(
        schedule={"restless": Restless}, model={"by_group": RatesByGroup}, optimizer={"recording": Recording}
    ):
        broken = train(
            "run",
            f"schedule={schedule}",
            "model.use=by_group",
            "optimizer={use: recording, lr: 0.1, base_batch_size: 32}",
            "trainer.max_epochs=1",
            "trainer.limit_train_batches=6",
            "evaluate=[]",
            EVERY_STEP,
            cut=3,
        )
        sslreg.resume(broken)

    assert [rates[:2] for rates in used] == [[0.2, 0.2]] * 6
    assert len({rates[2] for rates in used}) == 6
    assert [rates[3] for rates in used] == pytest.approx([rates[2] / 4 for rates in used])
    assert dict(read_metrics(broken)["lr"])[5] == pytest.approx(used[5][2])


def test_steps_after_the_last_checkpoint_are_taken_again(train, moco, undisturbed: Path, assert_same) -> None:
    """The checkpoint is older than the metrics: rows beyond it are replaced, none is doubled."""
    broken = train("broken", *moco, EVERY_STEP, cut=10)
    checkpoint = (broken / "checkpoints" / "last.ckpt").read_bytes()
    later = train("later", *moco, EVERY_STEP, cut=30)
    (later / "checkpoints" / "last.ckpt").write_bytes(checkpoint)
    sslreg.resume(later)
    assert_same(undisturbed, later)


def test_a_finished_run_may_be_lengthened(train) -> None:
    path = train("run", "schedule=null")
    run = sslreg.resume(path, ["trainer.max_epochs=3"])
    longer = train("longer", "schedule=null", "trainer.max_epochs=3")
    assert (run.summary["epochs"], run.summary["steps"], run.spec.trainer["max_epochs"]) == (3, 63, 3)
    assert run.facts["total_steps"] == 63
    for ours, theirs in zip(run.model().parameters(), Run(longer).model().parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=0.2", "optimizer.lr would change it"),
        ("trainer.max_epochs=1", "trainer.max_epochs would change it"),
        ("data.batch_size=32", "data.batch_size would change it"),
        ("data.workers=1", "has trained all of its 2 epochs"),
    ],
)
def test_a_run_resumes_with_the_spec_it_was_started_with(tiny_run: Run, override: str, message: str) -> None:
    before = {path: path.read_bytes() for path in tiny_run.path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=message):
        sslreg.resume(tiny_run.path, [override])
    assert before == {path: path.read_bytes() for path in tiny_run.path.rglob("*") if path.is_file()}


def test_a_checkpoint_cannot_run_code(train) -> None:
    path = train("run", EVERY_STEP, cut=3)

    class Hostile:
        def __reduce__(self):
            return (Path.write_text, (path / "owned", "yes"))

    torch.save({"state_dict": Hostile()}, path / "checkpoints" / "last.ckpt")
    with pytest.raises(SslregError, match=r"last\.ckpt cannot be read"):
        sslreg.resume(path)
    assert not (path / "owned").exists()
