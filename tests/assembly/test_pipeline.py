"""Assembling a whole run, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sslreg
from sslreg import UserError
from sslreg.assembly import assemble, build_embed_collate, build_raw_pixels_collate
from sslreg.spec import Spec, parse_spec


@pytest.fixture
def spec(tiny_spec: str):
    def parse(*overrides: str) -> Spec:
        return parse_spec(tiny_spec, "tiny.yaml", overrides)

    return parse


def test_the_facts_are_those_of_the_run(spec) -> None:
    assert assemble(spec("trainer.max_epochs=3", "trainer.accumulate_grad_batches=2")).facts == {
        "world_size": 1,
        "num_samples": 1348,
        "num_classes": 10,
        "batch_size": 64,
        "in_channels": 1,
        "image_size": 8,
        "steps_per_epoch": 11,
        "total_steps": 33,
        "num_features": 32,
        "embedding_dim": 16,
    }


@pytest.mark.parametrize(
    ("trainer", "steps"),
    [
        ("{max_epochs: 3}", 63),
        ("{max_steps: 5}", 5),
        ("{max_epochs: 3, max_steps: 100}", 63),
        ("{max_epochs: 3, limit_train_batches: 4}", 12),
        ("{max_epochs: 2, limit_train_batches: 0.5}", 20),
    ],
)
def test_total_steps_are_counted_as_the_trainer_counts_them(spec, trainer: str, steps: int) -> None:
    assert assemble(spec(f"trainer={trainer}")).facts["total_steps"] == steps


def test_weights_depend_on_the_seed_alone(spec) -> None:
    torch.manual_seed(1)
    first = next(assemble(spec()).model.parameters())
    torch.manual_seed(2)
    assert torch.equal(first, next(assemble(spec()).model.parameters()))
    assert not torch.equal(first, next(assemble(spec("seed=1")).model.parameters()))


def test_assembling_leaves_torchs_generator_alone(spec) -> None:
    before = torch.get_rng_state()
    assemble(spec())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("overrides", "world_size", "message"),
    [
        (["data.batch_size=1349"], 1, "a batch of 1349 is larger than the training set, which has 1348 samples"),
        (["data.batch_size=65"], 2, "cannot be divided evenly among 2 processes"),
        (["trainer={}"], 1, "does not say how long to train"),
        (["data.test=null"], 1, "there is no data set to evaluate on"),
        (["views.0.augment=[]", "data.train.split=all"], 1, None),
    ],
)
def test_what_does_not_fit_is_said_at_its_place(
    spec, overrides: list[str], world_size: int, message: str | None
) -> None:
    if message is None:
        assert assemble(spec(*overrides), world_size=world_size)
        return
    with pytest.raises(UserError, match=message) as caught:
        assemble(spec(*overrides), world_size=world_size)
    assert caught.value.diagnostics[0].line is not None


def test_the_embedding_view_shows_the_same_each_time_at_the_views_size(spec, photos: Path) -> None:
    collate = build_embed_collate(spec("data.channels=3", "views.0.augment.0.size=32"))
    image = photos / "rgb.jpg"
    first, second = (collate([sslreg.Sample(image, index=1, epoch=epoch)]).views[0] for epoch in (0, 5))
    assert first.shape == (1, 3, 32, 32)
    assert torch.equal(first, second)


def test_an_embedding_view_of_ones_own_is_used(spec) -> None:
    collate = build_embed_collate(spec("embed_view=[{use: resize, size: 12}]"))
    assert collate([torch.zeros(1, 8, 8, dtype=torch.uint8)]).views[0].shape == (1, 1, 12, 12)


def test_raw_pixels_are_the_embedding_view_before_its_colors_change(spec) -> None:
    image = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    assert build_embed_collate(spec("views.0.augment.1.mean=[0.75]"))([image]).views[0].max() == 0.5
    assert build_raw_pixels_collate(spec("views.0.augment.1.mean=[0.75]"))([image]).views[0].max() == 1.0


def test_a_collate_of_a_spec_works_in_a_plain_loader(spec) -> None:
    data = sslreg.build("dataset", "digits")
    loader = torch.utils.data.DataLoader(data, batch_size=10, collate_fn=sslreg.build_collate(spec()), num_workers=1)
    batch = next(iter(loader))
    assert [view.shape for view in batch.views] == [(10, 1, 8, 8)] * 2
    assert batch.targets.tolist() == [data[number][1] for number in range(10)]


def test_folders_whose_classes_differ_are_not_compared_by_number(spec, photos: Path, tmp_path: Path) -> None:
    for split, classes in {"known": ("cat", "dog", "owl"), "judged": ("cat", "owl")}.items():
        for name in classes:
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "photo.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    sets = (
        f"data.{role}={{use: image_folder, root: '{tmp_path / split}'}}"
        for role, split in {"reference": "known", "test": "judged"}.items()
    )
    with pytest.raises(UserError, match="number different classes; they differ in 'dog'"):
        assemble(spec("data.channels=3", *sets))


@pytest.mark.parametrize(
    ("overrides", "rate"),
    [
        ((), 0.1),
        (("optimizer.base_batch_size=64",), 0.1),
        (("optimizer.base_batch_size=256",), 0.1 * 64 / 256),
        (("optimizer.base_batch_size=256", "trainer.accumulate_grad_batches=8"), 0.1 * 512 / 256),
        (("optimizer={use: adamw, base_batch_size: 16}",), 1e-3 * 4),
    ],
)
def test_the_learning_rate_goes_with_the_samples_behind_a_step(spec, overrides: tuple[str, ...], rate: float) -> None:
    pipeline = assemble(spec(*overrides))
    assert pipeline.learning_rate == pytest.approx(rate)
    assert pipeline.build_optimizer().param_groups[0]["lr"] == pytest.approx(rate)


def test_a_groups_own_learning_rate_is_scaled_with_the_others(spec, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = assemble(spec("optimizer.base_batch_size=32"))
    backbone, head = list(pipeline.model.backbone.parameters()), list(pipeline.model.projection.parameters())
    groups = [{"params": backbone, "lr": 0.5}, {"params": head}]
    monkeypatch.setattr(pipeline.model, "parameter_groups", lambda: groups)
    assert [group["lr"] for group in pipeline.build_optimizer().param_groups] == pytest.approx([1.0, 0.2])
