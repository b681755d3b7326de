"""Fine-tuning, compared with a plain loop of torch, with timm's layer decay, and with `linear`."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from sslreg import Embeddings
from sslreg.assembly import SampleDataset
from sslreg.evaluation.backbone_training import BackboneTraining
from sslreg.testing.tiny_components import TinyPatchBackbone, make_embeddings, make_pictures
from sslreg.views import Collate, Operation, ViewPlan
from sslreg_augmentations.horizontal_flip import HorizontalFlip
from sslreg_backbones.convnet import ConvNet
from sslreg_backbones.timm_models import build_timm_model
from sslreg_datasets.digits import Digits
from sslreg_evaluators._fine_tuning import Recipe, _group_by_depth, rate_factor
from sslreg_evaluators.fine_tune import FineTune
from sslreg_evaluators.linear import Linear

CPU = torch.device("cpu")


def make_run(backbone, reference: SampleDataset, test: SampleDataset, **options) -> BackboneTraining:
    plan = ViewPlan([])
    fields = {"training_view": plan, "device": CPU, "report": lambda done, total: None} | options
    return BackboneTraining(backbone, reference, test, Collate([plan]), **fields)


def make_pictures_run(**options) -> tuple[BackboneTraining, Embeddings, Embeddings]:
    """A run on 40 pictures of four classes."""
    torch.manual_seed(3)
    samples = SampleDataset([(image, number % 4) for number, image in enumerate(make_pictures(40, 16, 16))])
    return make_run(TinyPatchBackbone(), samples, samples, **options), make_embeddings(40), make_embeddings(40)


def test_it_equals_a_plain_loop_of_torch() -> None:
    view = ViewPlan([Operation("horizontal_flip", HorizontalFlip())])
    run, reference, test = make_pictures_run(training_view=view)
    evaluator = FineTune(epochs=3, batch_size=16, lr=1e-2, layer_decay=0.5, warmup_epochs=1)
    outputs = []
    predict = run.predict
    object.__setattr__(run, "predict", lambda network: outputs.append(predict(network)) or outputs[-1])
    with run.started():
        evaluator.evaluate_backbone(reference, test, run)

    backbone, head = copy.deepcopy(run.evaluated).train(), nn.Linear(8, 4)
    torch.manual_seed(run.seed)
    run.backbone()
    nn.Linear(8, 4)  # the head draws once more before its initialization
    nn.init.trunc_normal_(head.weight, std=2e-5)
    nn.init.zeros_(head.bias)
    depths = [*backbone.parameters_by_depth(), list(head.parameters())]
    scales = [0.125 / 0.5, 0.5, 1.0, 1.0]  # one block: embeddings, block, norm, head
    optimizer = torch.optim.AdamW(
        [
            {"params": [one], "scale": scale, "weight_decay": 0.05 if one.ndim > 1 else 0.0}
            for scale, parameters in zip(scales, depths, strict=True)
            for one in parameters
        ]
    )
    for epoch, batches in run.reference_epochs(range(3), 16):
        for number, batch in enumerate(batches):
            done = epoch + number / 2
            factor = done if done < 1 else 0.5 * (1 + math.cos(math.pi * (done - 1) / 2))
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 * 16 / 256 * factor * group["scale"]
            scores = head(backbone(batch.views[0]))
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores, batch.targets, label_smoothing=0.1).backward()
            optimizer.step()
    expected = predict(nn.Sequential(backbone, head).eval())
    assert torch.allclose(outputs[0], expected, atol=1e-6, rtol=0)
    assert expected.std() > 1e-3  # it has learned something


def test_rates_by_layer_are_those_of_timm() -> None:
    backbone = build_timm_model("vit_tiny_patch16_224", image_size=32, patch_size=16)
    module = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=4)
    expected = {
        name: group["lr_scale"]
        for group in param_groups_layer_decay(module, weight_decay=0.05, layer_decay=0.75)
        for name, one in module.named_parameters()
        # timm counts the last norm to the last block, BEiT and MAE to the head.
        if any(one is parameter for parameter in group["params"]) and not name.startswith(("norm.", "head."))
    }
    scales = {id(one): group["lr_scale"] for group in _group_by_depth(backbone, 0.75) for one in group["params"]}
    found = {name: scales[id(one)] for name, one in backbone.body.named_parameters()}
    assert (found.pop("norm.weight"), found.pop("norm.bias")) == (1, 1)
    assert found == pytest.approx(expected)


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    recipe = Recipe(10, 64, 1e-3, 0.05, 0.75, 2, 0.1)
    assert [rate_factor(epoch, recipe) for epoch in (0, 1, 2, 6, 10)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert rate_factor(0, replace(recipe, warmup_epochs=0)) == 1


def test_a_few_epochs_beat_a_linear_classifier_of_the_same_backbone() -> None:
    torch.manual_seed(0)
    backbone = ConvNet(1, width=8, depth=4)
    sets = [SampleDataset(torch.utils.data.Subset(Digits(split), range(400))) for split in ("train", "test")]
    run = make_run(backbone, *sets)

    def embed(samples: SampleDataset) -> Embeddings:
        images = torch.stack([torch.as_tensor(samples[row].image) for row in range(400)]).float() / 255
        targets = torch.tensor([samples[row].target for row in range(400)])
        with torch.no_grad():
            return Embeddings(backbone.eval()(images), targets, torch.arange(400), [str(row) for row in range(400)])

    reference, test = embed(sets[0]), embed(sets[1])
    with run.started():
        tuned = FineTune(epochs=15, batch_size=32, lr=2e-2).evaluate_backbone(reference, test, run)
    linear = Linear().evaluate(reference, test, run)
    assert tuned["top1"] > linear["top1"] + 0.02


def test_classes_keep_their_numbers() -> None:
    pictures = [torch.full((1, 8, 8), level, dtype=torch.uint8) for level in (20, 230)] * 8
    samples = SampleDataset([(image, 9 if number % 2 else 3) for number, image in enumerate(pictures)])
    torch.manual_seed(0)
    run = make_run(ConvNet(1, width=4, depth=2), samples, samples)
    embeddings = replace(make_embeddings(16), targets=torch.tensor([3, 9] * 8))
    with run.started():
        metrics = FineTune(epochs=8, batch_size=8, lr=0.3, warmup_epochs=1).evaluate_backbone(
            embeddings, embeddings, run
        )
    assert metrics["top1"] == 1.0


def test_a_single_class_is_refused() -> None:
    run, reference, test = make_pictures_run()
    with pytest.raises(ValueError, match="a single class"):
        FineTune().evaluate_backbone(replace(reference, targets=torch.zeros(40, dtype=torch.int64)), test, run)


def test_a_training_that_diverges_is_refused() -> None:
    run, reference, test = make_pictures_run()
    with run.started(), pytest.raises(ValueError, match=r"the loss is not finite in epoch \d; lower lr, 1e\+38"):
        FineTune(epochs=3, lr=1e38, warmup_epochs=0).evaluate_backbone(reference, test, run)


def test_a_warm_up_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup_epochs is 2, but must be less than epochs, 2"):
        FineTune(epochs=2)


def test_mixed_precision_trains() -> None:
    run, reference, test = make_pictures_run(precision="bf16-mixed")
    with run.started():
        metrics = FineTune(epochs=3, batch_size=16).evaluate_backbone(reference, test, run)
    assert math.isfinite(metrics["top1"])
