"""A run from its spec to its folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch

import sslreg
from sslreg import Run, SslregError, UserError
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg_memory_banks import FIFOMemoryBank

Trained = Callable[..., Run]


@pytest.fixture
def trained(tiny_spec: str, tmp_path: Path) -> Trained:
    """Trains the tiny spec with overrides."""

    def train(*overrides: str, name: str = "run") -> Run:
        return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path / name)

    return train


def rows(run: Run) -> list[dict[str, str]]:
    with run.folder.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def steps(run: Run) -> list[dict[str, str]]:
    """The rows of steps, without those of evaluations and of the watch for collapse."""
    return [row for row in rows(run) if row["loss"]]


def test_every_step_has_a_row_and_every_evaluation_one_more(tiny_run: Run) -> None:
    steps = 2 * (1348 // 64)
    recorded = rows(tiny_run)
    assert [int(row["step"]) for row in recorded if row["loss"]] == list(range(1, steps + 1))
    assert [(row["step"], row["epoch"]) for row in recorded if row["neighbors_top1"]] == [
        (str(steps // 2), "0"),
        (str(steps), "1"),
    ]
    assert [(row["step"], row["epoch"]) for row in recorded if row["few_shot_1"]] == [(str(steps), "1")]


def test_the_summary_tells_the_whole_story(tiny_run: Run) -> None:
    summary = tiny_run.summary
    assert (summary["status"], summary["epochs"], summary["steps"], summary["resumed_at"]) == ("finished", 2, 42, [])
    assert summary["images_per_second"] > 0
    assert 0 <= summary["waiting_for_data"] <= 1
    names = {"few_shot_1", "few_shot_5", "neighbors_top1", "neighbors_top5"}
    figures = names | {f"{name}_ci" for name in names}
    assert set(summary["final"]) == figures | {"loss"}
    assert set(summary["baseline"]["raw_pixels"]) == set(summary["baseline"]["untrained"]) == figures


def test_the_folder_keeps_the_spec_as_written_and_as_trained(trained: Trained, tiny_spec: str) -> None:
    run = trained("trainer.max_epochs=1", "evaluate=[]")
    assert run.folder.spec.read_text() == tiny_spec
    assert run.spec.trainer["max_epochs"] == 1
    assert run.spec.evaluate == ()


def test_the_lock_names_every_component_with_its_version(tiny_run: Run) -> None:
    lock = json.loads(tiny_run.folder.lock.read_text())
    assert set(lock["components"]) == {
        "dataset/digits",
        "augmentation/random_resized_crop",
        "augmentation/normalize",
        "model/simclr",
        "backbone/convnet",
        "loss/nt_xent",
        "optimizer/sgd",
        "schedule/cosine",
        "evaluator/few_shot",
        "evaluator/knn",
    }
    assert lock["components"]["loss/nt_xent"] == {
        "distribution": "sslreg",
        "version": sslreg.__version__,
        "target": "sslreg_losses.nt_xent:NTXentLoss",
    }
    assert (lock["torch"], lock["sslreg"]) == (torch.__version__.partition("+")[0], sslreg.__version__)
    assert lock["facts"]["total_steps"] == 42
    assert lock["facts"]["num_classes"] == 10


def test_training_is_reproducible_and_its_views_do_not_depend_on_workers(trained: Trained) -> None:
    alone = trained("trainer.max_epochs=1", "evaluate=[]", name="alone")
    helped = trained("trainer.max_epochs=1", "evaluate=[]", "data.workers=2", name="helped")
    assert [row["loss"] for row in rows(alone)] == [row["loss"] for row in rows(helped)]
    for ours, theirs in zip(alone.model().parameters(), helped.model().parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_another_seed_gives_another_run(trained: Trained) -> None:
    losses = {
        seed: [row["loss"] for row in steps(trained("trainer.max_steps=3", "evaluate=[]", f"seed={seed}", name=seed))]
        for seed in "01"
    }
    assert len(losses["0"]) == 3
    assert losses["0"] != losses["1"]


def test_training_lowers_the_loss(trained: Trained) -> None:
    losses = [float(row["loss"]) for row in steps(trained("trainer.max_epochs=4", "evaluate=[]"))]
    assert sum(losses[-10:]) < 0.97 * sum(losses[:10])


MOCO = "model={use: moco, backbone: {use: convnet, width: 8, depth: 3}, projection: [16], momentum: 0.5}"


def test_moco_commits_its_keys_and_moves_its_key_encoder_once_a_step(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    from sslreg_models.moco import MoCo

    for owner, method in ((FIFOMemoryBank, "commit"), (MoCo, "after_step")):
        original = getattr(owner, method)

        def counted(self, original=original, method=method):
            calls.append(method)
            return original(self)

        monkeypatch.setattr(owner, method, counted)
    run = trained(MOCO, "loss.memory_bank={use: fifo, size: 100}", "trainer.max_steps=5", "evaluate=[]")
    assert sorted(calls) == ["after_step"] * 5 + ["commit"] * 5
    state = torch.load(run.folder.last_checkpoint, weights_only=True)["state_dict"]
    assert any(name.startswith("loss.memory_bank.") for name in state)


def test_gradient_accumulation_makes_fewer_steps_and_the_rows_follow(trained: Trained) -> None:
    run = trained("trainer.accumulate_grad_batches=2", "trainer.max_epochs=1", "evaluate=[]")
    assert run.summary["steps"] == 11  # of 21 batches
    assert [row["step"] for row in steps(run)] == [str(step) for step in range(1, 12)]


def test_a_loss_that_is_no_number_stops_the_run_and_says_so(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SslregError, match=r"the loss is nan at step \d+|not finite"):
        trained("optimizer.lr=1.0e+30", "evaluate=[]", "trainer.log_every_n_steps=1")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"


def test_labels_are_not_needed(trained: Trained, photos: Path) -> None:
    run = trained(
        f"data={{train: {{use: image_folder, root: '{photos}'}}, batch_size: 4}}",
        "views.0.augment=[{use: random_resized_crop, size: 24}]",
        "evaluate=[]",
        "trainer.max_epochs=2",
    )
    assert run.summary["steps"] == 4
    assert run.embed(sorted(photos.rglob("*.jpg"))).shape == (3, run.backbone().num_features)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_named_without_a_workers_traceback(
    trained: Trained, photos: Path, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "0-torn.jpg").write_bytes((photos / "rgb.jpg").read_bytes()[:300])
    for number in range(1, 8):
        (folder / f"{number}.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    with pytest.raises(UserError, match=r"torn\.jpg") as caught:
        trained(
            f"data={{train: {{use: image_folder, root: '{folder}'}}, batch_size: 8, workers: {workers}}}",
            "views.0.augment=[{use: random_resized_crop, size: 24}]",
            "evaluate=[]",
        )
    assert "Traceback" not in str(caught.value)


def test_broken_images_can_be_skipped_and_are_listed(trained: Trained, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "0-torn.jpg").write_bytes((photos / "rgb.jpg").read_bytes()[:300])
    for number in range(1, 8):
        (folder / f"{number}.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    run = trained(
        f"data={{train: {{use: image_folder, root: '{folder}'}}, batch_size: 8, on_error: skip}}",
        "views.0.augment=[{use: random_resized_crop, size: 24}]",
        "evaluate=[]",
        "trainer.max_epochs=3",
    )
    assert run.summary["skipped_samples"] == 3
    with (run.path / "skipped.csv").open(newline="") as file:
        (listed,) = csv.DictReader(file)
    assert (listed["index"], listed["name"]) == ("0", "0-torn.jpg")
    assert "0-torn.jpg" in listed["reason"]


def test_evaluators_that_need_labels_are_refused_before_training(
    trained: Trained, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="needs labels, but the reference set has none"):
        trained(
            f"data={{train: {{use: image_folder, root: '{photos}'}}, test: {{use: digits}}, batch_size: 4}}",
            "views.0.augment=[{use: random_resized_crop, size: 24}]",
        )
    assert not (tmp_path / "run").exists()


def test_the_best_checkpoint_by_a_figure_is_kept_beside_the_last(trained: Trained) -> None:
    run = trained("checkpoint.best=neighbors_top1")
    assert {path.name for path in run.folder.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}


class Misbehaving(sslreg.Loss):
    """Returns what a loss may not: one number for each sample, or no number at all."""

    def __init__(self, how: Literal["per_sample", "nan"]) -> None:
        super().__init__()
        self.how = how

    def forward(self, a: torch.Tensor, b: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        distances = (a - b).square().sum(dim=1)
        return distances if self.how == "per_sample" else distances.mean() * float("nan")


class Wide(FIFOMemoryBank):
    """Gives rows wider than it took."""

    def negatives(self) -> torch.Tensor:
        return torch.ones(5, 40)


class Shrinking(sslreg.Augmentation):
    """Changes the images' size and does not say so."""

    def apply(self, images: torch.Tensor, params: sslreg.Params) -> torch.Tensor:
        return images[..., 1:]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "loss={use: misbehaving, how: per_sample}",
            r"loss 'misbehaving' of temporary_components-\d+: .* not a scalar",
        ),
        ("loss.memory_bank={use: wide, size: 64}", r"memory_bank 'wide' of temporary_components-\d+: .*40"),
        (
            "loss={use: misbehaving, how: nan}",
            r"the loss is nan at step 1 \(loss 'misbehaving' of temporary_components",
        ),
        (
            "views.0.augment.1={use: shrinking}",
            r"augmentation 'shrinking' of temporary_components-\d+ returned an image",
        ),
    ],
)
def test_a_component_that_breaks_its_contract_is_named_with_its_package(
    trained: Trained, override: str, message: str
) -> None:
    components = {
        "loss": {"misbehaving": Misbehaving},
        "memory_bank": {"wide": Wide},
        "augmentation": {"shrinking": Shrinking},
    }
    with temporary_components(**components):  # noqa: SIM117
        with pytest.raises(SslregError, match=message):
            trained(MOCO, override, "evaluate=[]")


class WithNeighbors(sslreg.Model):
    """NNCLR in short: the bank is the model's, so it is built before anyone knows how wide its rows are."""

    def __init__(self, backbone: sslreg.Backbone, memory_bank: sslreg.MemoryBank) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_dim = backbone.num_features
        self.memory_bank = memory_bank
        memory_bank.hold(self.embedding_dim)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        a, b = (self.backbone(view) for view in batch.views)
        neighbors = self.memory_bank.nearest(a)
        self.memory_bank.enqueue(a)
        return sslreg.StepOutput(loss(neighbors, b))


def test_a_model_may_own_a_memory_bank(trained: Trained) -> None:
    bank = "memory_bank: {use: nearest_neighbor, size: 80}"
    model = f"model={{use: with_neighbors, backbone: {{use: convnet, width: 4}}, {bank}}}"
    with temporary_components(model={"with_neighbors": WithNeighbors}):
        run = trained(model, "trainer.max_steps=2", "evaluate=[]")
    state = run.checkpoint()["state_dict"]
    assert state["model.memory_bank.rows"].shape == (80, 64)
    assert state["model.memory_bank.rows"].norm(dim=1).allclose(torch.ones(80), atol=1e-5)


def test_the_path_of_a_spec_is_accepted(tiny_spec: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{tiny_spec}\nepochs: 3\n")
    for spec in (path, str(path)):
        with pytest.raises(UserError, match="epochs") as refused:
            sslreg.train(spec)
        assert refused.value.diagnostics[0].file == str(path)


def test_an_evaluator_that_trains_the_backbone_does_not_change_the_training(trained: Trained) -> None:
    backbone = "model.backbone={use: vit, patch_size: 4, width: 16, depth: 1, heads: 2, drop_path: 0.2}"
    overrides = (backbone, "data.train.split=test", "trainer.max_epochs=2")
    entry = "{use: fine_tune, epochs: 1, warmup_epochs: 0, batch_size: 128, every: 1}"
    plain, tuned = (
        trained(*overrides, f"evaluate=[{evaluator}]", name=name)
        for name, evaluator in (("plain", ""), ("tuned", entry))
    )
    weights = tuned.model().state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in plain.model().state_dict().items())
    baseline = tuned.summary["baseline"]
    assert "fine_tune_top1" in tuned.summary["final"]
    assert "fine_tune_top1" in baseline["untrained"]
    assert baseline["raw_pixels"] == {}
    assert not tuned.folder.unfinished_evaluations.exists()
