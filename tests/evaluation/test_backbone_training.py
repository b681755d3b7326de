"""Copies of backbones to train, and their images."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn

import sslreg
from sslreg import Run, UserError
from sslreg.assembly import SampleDataset, build_embed_collate, build_evaluators, build_fine_tuning_plan
from sslreg.assembly.builder import Builder
from sslreg.evaluation import Evaluation, evaluate_raw_pixels
from sslreg.evaluation.backbone_training import BackboneTraining
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import Darken, TinyBackbone, make_pictures
from sslreg.views import Collate, Operation, ViewPlan
from sslreg_backbones.convnet import ConvNet

CPU = torch.device("cpu")


def make_training(backbone: sslreg.Backbone | None = None, **options: object) -> BackboneTraining:
    samples = SampleDataset([(image, number % 3) for number, image in enumerate(make_pictures(10, 16, 16))])
    plan = ViewPlan([])
    fields = {"training_view": plan, "device": CPU, "report": lambda done, total: None} | options
    return BackboneTraining(backbone or TinyBackbone(), samples, samples, Collate([plan]), **fields)


def test_a_copy_is_trained_without_the_original() -> None:
    original = TinyBackbone().double().eval().requires_grad_(False)
    before = original.convolution.weight.clone()
    copied = make_training(original).backbone()
    assert copied.training
    assert all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in copied.parameters())
    with torch.no_grad():
        copied.convolution.weight.zero_()
    assert torch.equal(original.convolution.weight, before)
    assert not original.training


def test_batch_normalization_does_not_wait_for_other_processes() -> None:
    backbone = nn.SyncBatchNorm.convert_sync_batchnorm(TinyBackbone())
    copied = make_training(backbone).backbone()
    assert not isinstance(copied.normalization, nn.SyncBatchNorm)
    images = torch.rand(4, 3, 16, 16)
    expected = TinyBackbone()
    expected.load_state_dict(backbone.state_dict())
    assert torch.equal(copied(images), expected(images))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_is_a_shuffled_pass_that_depends_on_its_number_alone(workers: int) -> None:
    training = make_training(training_view=ViewPlan([Operation("darken", Darken())]), workers=workers)
    epochs = {number: list(batches) for number, batches in training.reference_epochs(range(3), 4)}
    for batches in epochs.values():
        assert [len(batch) for batch in batches] == [4, 4]  # the incomplete third is dropped
        assert all(batch.targets.tolist() == [number % 3 for number in batch.indices] for batch in batches)
    assert not torch.equal(epochs[0][0].indices, epochs[1][0].indices)
    ((number, again),) = training.reference_epochs(range(1, 2), 4)
    assert number == 1
    assert len(again) == 2
    for first, second in zip(epochs[1], again, strict=True):
        assert torch.equal(first.views[0], second.views[0])


def test_a_view_of_the_evaluator_replaces_the_default() -> None:
    training = make_training()
    views = [None, [Darken()]]
    plain, darker = (next(iter(next(training.reference_epochs(range(1), 10, view))[1])) for view in views)
    assert torch.equal(plain.indices, darker.indices)
    assert (darker.views[0] <= plain.views[0]).all()
    assert darker.views[0].sum() < plain.views[0].sum()


def test_test_images_are_predicted_in_order() -> None:
    training = make_training()
    images = torch.stack([sample.image for sample in (training.test[n] for n in range(10))]).float() / 255
    assert torch.equal(training.predict(lambda batch: batch.flatten(1)), images.flatten(1))


def test_states_are_kept_until_the_evaluation_ends(tmp_path: Path) -> None:
    training = make_training(state_file=tmp_path / "states" / "one.pt")
    assert training.load_state() is None
    with suppress(KeyboardInterrupt), training.started():
        training.save_state({"epoch": 3, "weights": torch.ones(2)})
        raise KeyboardInterrupt
    state = training.load_state()
    assert state["epoch"] == 3
    assert state["weights"].tolist() == [1, 1]
    with training.started():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_state_is_none(tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    file.write_bytes(b"damaged")
    assert make_training(state_file=file).load_state() is None


def test_an_evaluation_does_not_change_random_numbers() -> None:
    training = make_training(seed=5)
    before = torch.get_rng_state()
    with torch.inference_mode(), training.started():
        first = torch.rand(1)
        assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    with training.started():
        assert torch.equal(torch.rand(1), first)


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("bf16-mixed", "cpu", torch.bfloat16),
        ("16-mixed", "cuda", torch.float16),
        ("16-mixed", "cpu", None),
        ("32-true", "cuda", None),
        ("None", "cpu", None),
    ],
)
def test_precision_is_that_of_the_run(precision: str, device: str, expected: torch.dtype | None) -> None:
    assert make_training(precision=precision, device=torch.device(device)).autocast_dtype is expected


def test_the_default_view_moves_pixels_as_training_does_and_changes_values_as_embedding_does() -> None:
    views = """
version: 1
data: {train: {use: digits, split: train}, channels: 1, batch_size: 8}
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 8}
      - {use: horizontal_flip}
      - {use: color_jitter, brightness: 0.4}
      - {use: normalize, mean: [0.5], std: [0.5]}
model: {use: simclr, backbone: {use: convnet, width: 4, depth: 2}}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1}
trainer: {max_epochs: 1}
"""
    plan = build_fine_tuning_plan(parse_spec(views, "views.yaml"))
    assert [operation.name for operation in plan.operations] == ["random_resized_crop", "horizontal_flip", "normalize"]


class Interrupted(sslreg.BackboneEvaluator):
    """An evaluator that counts calls, and is interrupted once."""

    resumed_from: int | None = None

    def evaluate_backbone(self, reference: object, test: object, run: sslreg.BackboneRun) -> dict[str, float]:
        state = run.load_state()
        if state is None:
            run.save_state({"calls": 7})
            raise KeyboardInterrupt
        return {"calls": state["calls"]}


def test_an_interrupted_evaluation_of_a_run_resumes(tiny_run: Run, tiny_spec: str, tmp_path: Path) -> None:
    with temporary_components(evaluator={"interrupted": Interrupted}):
        spec = parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[{use: interrupted}]"])
        builder = Builder(spec)
        reference, test = (
            SampleDataset(torch.utils.data.Subset(builder.build(part), range(20)))
            for part in (spec.data.train, spec.data.test)
        )
        evaluators, model = build_evaluators(builder), tiny_run.model()
        evaluation = Evaluation(spec, reference, test, build_embed_collate(spec), CPU, unfinished=tmp_path / "states")
        with pytest.raises(KeyboardInterrupt):
            evaluation.evaluate_model(model, evaluators)
        with pytest.raises(KeyboardInterrupt):  # the state belongs to the weights
            evaluation.evaluate_model(tiny_run.untrained_model(), evaluators)
        assert evaluation.evaluate_model(model, evaluators) == {"interrupted_calls": 7.0}
        assert len(list((tmp_path / "states").iterdir())) == 1
        assert evaluate_raw_pixels(evaluation, evaluators) == {}


def test_evaluators_of_backbones_refuse_embeddings() -> None:
    with pytest.raises(TypeError, match="call evaluate_backbone"):
        Interrupted().evaluate(None, None, None)  # type: ignore[arg-type]


def test_unreadable_images_are_replaced_in_training_and_omitted_in_the_test() -> None:
    pictures: list[object] = list(make_pictures(6, 16, 16))
    pictures[2] = UserError("broken")
    samples = SampleDataset([sslreg.Sample(image, 0) for image in pictures])
    plan = ViewPlan([])
    training = BackboneTraining(
        TinyBackbone(), samples, samples, Collate([plan], on_error="skip"), plan, CPU, lambda done, total: None
    )
    ((_, batches),) = training.reference_epochs(range(1), 6)
    (batch,) = batches
    assert len(batch) == 6
    assert 2 not in batch.indices
    assert len(training.predict(lambda images: images.flatten(1))) == 5


def test_frozen_stages_are_trained() -> None:
    copied = make_training(ConvNet(3, width=2, depth=3, frozen_stages=1)).backbone()
    assert all(parameter.requires_grad for parameter in copied.parameters())
    assert all(module.training for module in copied.modules())
