"""Fused operations give what they give one after the other, with kernels and without."""

from typing import Any

import pytest
import torch
from torch import Tensor

import sslreg
from sslreg import Operation, ViewPlan, WithProbability
from sslreg.contracts import SampleKeys
from sslreg.registry import installed
from sslreg.views import to_batch
from sslreg_augmentations import _kernel_dispatch

JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}


def operation(name: str, p: float = 1.0, **parameters: Any) -> Operation:
    one: sslreg.Augmentation = installed().get("augmentation", name).load()(**parameters)
    return Operation(name, WithProbability(one, p) if p < 1.0 else one)


SIMCLR = [
    operation("random_resized_crop", size=24),
    operation("horizontal_flip", 0.5),
    operation("vertical_flip", 0.5),
    operation("color_jitter", 0.8, **JITTER),
    operation("grayscale", 0.3),
    operation("gaussian_blur", 0.5, sigma=(0.1, 2.0)),
    operation("solarize", 0.3),
    operation("normalize", stats="imagenet"),
]
#: Contrast after blur, blur first, everything twice, nothing after normalize.
ODD = [
    operation("gaussian_blur", 0.5),
    operation("color_jitter", 0.8, contrast=0.5),
    operation("gaussian_blur", sigma=3.0),
    operation("color_jitter", **JITTER),
    operation("normalize", mean=0.5, std=0.25),
    operation("gaussian_blur"),
]


class Plain(sslreg.Augmentation):
    """An operation of a third party, that knows nothing of fusion."""

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        assert images.dtype == torch.float32
        return images * 0.9


def photos(channels: int = 3, dtype: torch.dtype = torch.uint8) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = [(40, 32), (21, 60), (40, 32), (24, 24), (90, 50), (40, 32)] * 2
    levels = [torch.randint(0, 256, (channels, *size), dtype=torch.uint8, generator=generator) for size in sizes]
    return levels if dtype == torch.uint8 else [image / 255 for image in levels]


def run(operations: list[Operation], images: list[Tensor]) -> Tensor:
    plan = ViewPlan(operations)
    keys = SampleKeys.of_samples(0, [0] * len(images), list(range(len(images))))
    return to_batch(plan.run(list(images), plan.draw(keys, 0, images), range(len(plan.steps))))


def unfused(operations: list[Operation], images: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """One operation after the other, in torch."""
    with monkeypatch.context() as patch:
        patch.setattr(_kernel_dispatch, "can_compile", lambda: False)
        patch.setattr("sslreg.views.fusion._fuse_pair", lambda first, second: None)
        return run(operations, images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_simclr_fused_is_simclr_one_by_one(channels: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = SIMCLR if channels == 3 else [*SIMCLR[:-1], operation("normalize", mean=0.5, std=0.25)]
    images = photos(channels, dtype)
    fused, plain = run(operations, images), unfused(operations, images, monkeypatch)
    difference = (fused - plain).abs().flatten(1).amax(dim=1)
    if dtype == torch.float32:
        assert difference.max() < 1e-3  # hue's tolerance; the other operations' is 1e-4
        assert difference.median() < 1e-4
    else:
        # A crop may round to the neighboring level where it lies midway; hue and solarize can make much of that.
        assert ((fused - plain).abs() > 0.05).float().mean() < 1e-2


@pytest.mark.parametrize("operations", [ODD, ODD[1:2], ODD[3:4], ODD[2:5]])
def test_any_order_of_operations_fuses_rightly(operations: list[Operation], monkeypatch: pytest.MonkeyPatch) -> None:
    images = photos()[:1] * 8
    fused, plain = run(operations, images), unfused(operations, images, monkeypatch)
    assert torch.allclose(fused, plain, atol=2e-3)
    assert (fused - plain).abs().median() < 1e-5


def test_channels_other_than_three_go_through_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = [
        operation("random_resized_crop", size=20),
        operation("color_jitter", brightness=0.5, contrast=0.5),
        operation("gaussian_blur"),
        operation("normalize", mean=tuple(range(13)), std=tuple(range(1, 14))),
    ]
    images = photos(13, torch.float32)
    assert torch.allclose(run(operations, images), unfused(operations, images, monkeypatch), atol=1e-4)


def test_the_embedding_view_is_a_resize_and_a_crop_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ViewPlan(SIMCLR).for_embedding()
    assert [len(stage.steps) for stage in plan.stages(range(len(plan.steps)))] == [2, 1, 1]
    for dtype in (torch.uint8, torch.float32):
        fused = run(list(plan.operations), photos(dtype=dtype))
        plain = unfused(list(plan.operations), photos(dtype=dtype), monkeypatch)
        assert (fused - plain).abs().max() < (1.01 / 255 / 0.224 if dtype == torch.uint8 else 1e-4)


def test_fused_crops_round_once_to_the_nearest_level(monkeypatch: pytest.MonkeyPatch) -> None:
    fused, plain = run(SIMCLR[:3], photos()), unfused(SIMCLR[:3], photos(), monkeypatch)
    assert (fused - plain).abs().max() < 1.01 / 255
    # Sizes whose ratio is simple put some results midway between two levels.
    assert ((fused - plain).abs() > 0.5 / 255).float().mean() < 0.02


def test_simclr_is_two_passes_over_an_image(backend: str) -> None:
    plan = ViewPlan(SIMCLR)
    stages = [[plan.steps[step].label() for step in stage.steps] for stage in plan.stages(range(len(plan.steps)))]
    crop, rounding, photometry = stages[0], stages[1], stages[2:]
    assert crop == ["random_resized_crop", "horizontal_flip (p 0.5)", "vertical_flip (p 0.5)"]
    assert rounding == ["round to 8 bits"]
    assert len(photometry) == (1 if backend == "compiled" else 5)


def test_an_operation_that_knows_nothing_of_fusion_runs_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = [*SIMCLR[:4], Operation("plain", Plain()), *SIMCLR[4:]]
    images = photos(dtype=torch.float32)
    assert torch.allclose(run(operations, images), unfused(operations, images, monkeypatch), atol=1e-3)
    without = run([Operation("plain", Plain()), *SIMCLR[3:4]], photos()[:1])
    assert torch.isfinite(without).all()


def test_a_narrow_blur_before_a_shift_of_hue_stays_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Around a colored pixel, it makes denormal levels of black."""
    image = torch.zeros(3, 16, 16)
    image[:, 8, 8] = torch.tensor([0.9, 0.5, 0.1])
    narrow = [operation("gaussian_blur", sigma=sigma) for sigma in torch.linspace(0.03, 0.09, 13).tolist()]
    for blur in narrow:
        operations = [blur, operation("color_jitter", hue=(0.1, 0.1))]
        result = run(operations, [image])
        assert result.isfinite().all()
        torch.testing.assert_close(result, unfused(operations, [image], monkeypatch), atol=1e-4, rtol=0)
