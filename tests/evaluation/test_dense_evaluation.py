"""Evaluations by segmentation masks, from the folder of images to the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import sslreg
from sslreg import FromRun, UserError
from sslreg.assembly import Builder, assemble, build_embed_collate, build_evaluation_sets, build_evaluators, try_spec
from sslreg.assembly.pipeline import build_model
from sslreg.evaluation import Evaluation, evaluate_raw_pixels
from sslreg.runs.run_evaluation import evaluate_run
from sslreg.spec import Spec, parse_spec
from sslreg.testing.temporary_components import temporary_components

CPU = torch.device("cpu")

SPEC = """
version: 1
name: shapes
data:
  train: {use: segmentation_folder, root: ROOT/train, classes: [ground, red, blue]}
  test: {use: segmentation_folder, root: ROOT/test, classes: [ground, red, blue]}
  channels: 3
  batch_size: 4
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 16, scale: [0.5, 1.0]}
      - {use: normalize, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
model: {use: simclr, backbone: {use: texture_vit}, projection: [8, 4]}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.01}
trainer: {max_steps: 1, accelerator: cpu}
evaluate:
  - {use: dense_linear, solver: lbfgs}
  - {use: dense_knn, k: 5, per_class: true, as: neighbors}
"""


class TextureVit(sslreg.PatchBackbone):
    """A backbone whose features of patches are their mean levels; it learns nothing."""

    patch_size, token_features, num_features, has_class_token = 2, 3, 3, False

    def __init__(self, in_channels: Annotated[int, FromRun("in_channels")] = 3) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def tokens(
        self,
        images: Tensor,
        *,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        self.grid(images)
        patches = nn.functional.avg_pool2d(images, self.patch_size).flatten(2).transpose(1, 2) * self.scale
        return patches[:, :0], patches


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue squares on a noisy ground, whose masks ignore the first row."""
    root = tmp_path_factory.mktemp("shapes")
    generator = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 6)):
        for name in ("images", "masks"):
            (root / split / name).mkdir(parents=True)
        for number in range(count):
            image = generator.integers(60, 120, (16, 20, 3), dtype=np.uint8)
            mask = np.zeros((16, 20), dtype=np.uint8)
            for label, color, left in ((1, (220, 40, 40), 2), (2, (40, 40, 220), 10)):
                top, left = generator.integers(0, 5) * 2, left + generator.integers(0, 2) * 2
                image[top : top + 6, left : left + 6] = color
                mask[top : top + 6, left : left + 6] = label
            mask[0] = 255
            Image.fromarray(image).save(root / split / "images" / f"{number}.png")
            Image.fromarray(mask).save(root / split / "masks" / f"{number}.png")
    return root


@pytest.fixture
def spec(root: Path) -> Iterator[Callable[..., Spec]]:
    """Parses the spec with overrides."""

    def parse(*overrides: str) -> Spec:
        return parse_spec(SPEC.replace("ROOT", str(root)), "shapes.yaml", overrides)

    with temporary_components(backbone={"texture_vit": TextureVit}):
        yield parse


def evaluate(spec: Spec) -> dict[str, dict[str, float]]:
    """The figures of both baselines; the backbone is the same when it is trained."""
    builder = Builder(spec, {"in_channels": 3})
    evaluators = build_evaluators(builder)
    evaluation = Evaluation(spec, *build_evaluation_sets(builder, evaluators), build_embed_collate(spec), CPU)
    model = build_model(builder)
    return {
        "raw_pixels": evaluate_raw_pixels(evaluation, evaluators, model.backbone),
        "untrained": evaluation.evaluate_model(model, evaluators),
    }


def test_features_that_show_the_classes_segment_all_pixels(spec) -> None:
    figures = evaluate(spec())
    # The squares consist of whole patches. All nearest neighbors agree, but scores of a linear classifier differ in
    # size, so that the interpolation moves the borders of squares.
    assert figures["untrained"]["neighbors_miou"] == figures["untrained"]["neighbors_pixel_accuracy"] == 1.0
    assert figures["untrained"]["dense_linear_miou"] > 0.85
    assert figures["untrained"]["dense_linear_pixel_accuracy"] > 0.93
    assert min(figures["raw_pixels"][f"{name}_miou"] for name in ("neighbors", "dense_linear")) > 0.8
    classes = [figures["raw_pixels"][f"neighbors_iou_{number}"] for number in range(3)]
    assert figures["raw_pixels"]["neighbors_miou"] == pytest.approx(sum(classes) / 3)


def test_images_may_have_another_size_than_the_view(spec) -> None:
    figures = evaluate(spec("embed_view=[{use: resize, size: 32}, {use: center_crop, size: 32}]"))["untrained"]
    assert 0.95 < figures["dense_linear_pixel_accuracy"] < 1.0
    assert 0 < figures["dense_linear_pixel_accuracy_ci"] < 0.05


def test_evaluators_of_images_and_of_patches_share_an_evaluation(spec) -> None:
    figures = evaluate(spec("evaluate=[{use: spectrum}, {use: dense_linear}]"))
    assert {"spectrum_rankme", "dense_linear_miou"} <= set(figures["untrained"])


def test_a_run_trains_on_the_images_and_evaluates_by_the_masks(spec, tmp_path: Path) -> None:
    run = sslreg.train(spec(), tmp_path / "run")
    figures = evaluate_run(run, ["neighbors"]).by_subject
    assert figures["trained"]["neighbors_miou"] > 0.85
    assert set(figures["raw_pixels"]) == set(figures["trained"])
    assert run.summary["final"]["neighbors_miou"] == pytest.approx(figures["trained"]["neighbors_miou"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.backbone={use: convnet, width: 8}", "dense_linear evaluates .* backbone ConvNet has none"),
        (
            "embed_view=[{use: normalize, mean: [0, 0, 0], std: [1, 1, 1]}, {use: center_crop, size: 16}]",
            "dense_linear compares masks with the embedding view, which moves pixels",
        ),
    ],
)
def test_check_and_training_refuse_what_has_no_patches_that_masks_label(spec, override: str, message: str) -> None:
    for refuse in (try_spec, assemble):
        with pytest.raises(UserError, match=message) as caught:
            refuse(spec(override))
        assert caught.value.diagnostics[0].line is not None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("evaluate=[{use: knn}]", "knn needs a class number for each image, but the reference set has segm"),
        ("loss={use: sup_con}", "loss 'sup_con' needs a class number .* training set has segmentation masks"),
        (
            "data.test={use: image_folder, root: ROOT/test/images}",
            "dense_linear needs segmentation .* no labels",
        ),
        ("data.test={use: digits}", "dense_linear needs segmentation masks, but the test set has class numbers"),
    ],
)
def test_training_refuses_targets_of_the_wrong_kind(spec, root: Path, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        assemble(spec(override.replace("ROOT", str(root))))


def test_an_evaluator_of_patches_gets_test_images_that_it_may_leave(spec) -> None:
    class Leaving(sslreg.PatchEvaluator):
        """Looks at the first batch."""

        def evaluate_patches(self, reference: Any, test: Any, run: Any) -> dict[str, float]:
            return {"images": float(len(next(iter(test))))}

    with temporary_components(evaluator={"leaving": Leaving}):
        builder = Builder(spec("evaluate=[{use: leaving}]"), {"in_channels": 3})
        evaluators = build_evaluators(builder)
        sets = build_evaluation_sets(builder, evaluators)
        checksums = set()
        for seen in (sets, sets, (sets[0], sets[0])):
            evaluation = Evaluation(builder.spec, *seen, build_embed_collate(builder.spec), CPU, compute_checksum=True)
            figures = evaluation.evaluate_model(build_model(builder), evaluators)
            assert figures == {"leaving_images": float(len(seen[1]))}
            checksums.add(evaluation.checksum_for(evaluators[0].evaluator))
        assert len(checksums) == 2
