"""Properties of every registered augmentation; a new one is included once it is registered."""

import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.images import load_image
from sslreg.registry import ComponentInfo, installed
from sslreg.views import Operation, ViewPlan, WithProbability, adapt

#: Values for parameters that have no default, by their names.
REQUIRED: dict[str, Any] = {"size": 12, "degrees": 30.0, "stats": "half"}

#: Parameters with which an augmentation does more than by default.
STRONGER: dict[str, dict[str, Any]] = {
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "affine": {"translate": (0.1, 0.2), "scale": (0.8, 1.2), "shear": 10.0, "interpolation": "bilinear"},
    "elastic": {"alpha": 20.0, "sigma": 2.0},
    "normalize": {"stats": "half"},
}

ALL = installed().of_kind("augmentation")


def build(info: ComponentInfo) -> sslreg.Augmentation:
    target = info.load()
    given = STRONGER.get(info.name, {})
    for name, parameter in inspect.signature(target).parameters.items():
        if name == "augment":
            given["augment"] = [build(installed().get("augmentation", one)) for one in ("rotate90", "gaussian_noise")]
        elif parameter.default is parameter.empty and name not in given:
            given[name] = REQUIRED[name]
    return adapt(target(**given))


@pytest.fixture(params=ALL, ids=lambda info: info.name)
def augmentation(request: pytest.FixtureRequest) -> sslreg.Augmentation:
    return build(request.param)


def run(augmentation: sslreg.Augmentation, images: list[Tensor], first: int = 0) -> list[Tensor]:
    keys = SampleKeys.of_samples(0, [0] * len(images), list(range(first, first + len(images))))
    plan = ViewPlan([Operation("one", augmentation)])
    return list(plan.run(list(images), plan.draw(keys, 0, images), range(len(plan.steps))))


def of_sizes(*sizes: tuple[int, int], channels: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (channels, *size), dtype=torch.uint8, generator=generator) for size in sizes]


SQUARES = of_sizes(*[(20, 20)] * 9)
MIXED = of_sizes((20, 20), (31, 17), (20, 20), (14, 50), (31, 17))


def test_every_augmentation_says_what_it_does() -> None:
    assert [info.name for info in ALL if not info.summary] == []


@pytest.mark.parametrize("images", [SQUARES, MIXED], ids=["one size", "several sizes"])
def test_a_sample_is_augmented_alike_whatever_is_in_its_batch(
    augmentation: sslreg.Augmentation, images: list[Tensor]
) -> None:
    whole = run(augmentation, images)
    parts = [*run(augmentation, images[:1]), *run(augmentation, images[1:3], 1), *run(augmentation, images[3:], 3)]
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)


def test_images_of_one_size_and_of_several_give_what_was_announced(augmentation: sslreg.Augmentation) -> None:
    for images in (SQUARES, MIXED):
        # The plan compares shapes and types with what `output_shapes` says.
        results = run(augmentation, images)
        assert len(results) == len(images)
        assert all(torch.isfinite(result.float()).all() for result in results)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_number_of_channels_works_or_is_refused_with_a_reason(
    augmentation: sslreg.Augmentation, channels: int
) -> None:
    images = of_sizes((20, 20), (20, 20), channels=channels)
    try:
        results = run(augmentation, images)
    except sslreg.UserError as error:
        assert channels == 5
        assert "channels" in str(error)  # noqa: PT017
    else:
        assert {len(result) for result in results} == {channels}


def test_one_pixel_works_or_is_refused_with_a_reason(augmentation: sslreg.Augmentation) -> None:
    try:
        run(augmentation, of_sizes((1, 1), (1, 3)))
    except sslreg.UserError as error:
        assert "smaller than the crop" in str(error)  # noqa: PT017


def test_draws_have_one_row_per_sample(augmentation: sslreg.Augmentation) -> None:
    keys = SampleKeys.of_samples(0, [0] * 7, list(range(7)))
    for values in augmentation.draw(keys, torch.tensor([[3, 20, 20]]).expand(7, 3)).values():
        assert len(values) == 7


def test_it_leaves_its_input_and_itself_unchanged(augmentation: sslreg.Augmentation) -> None:
    before, state = [image.clone() for image in SQUARES], pickle.dumps(augmentation)
    floats = [image / 255 for image in SQUARES]
    kept = [image.clone() for image in floats]
    run(augmentation, SQUARES)
    run(augmentation, floats)
    assert all(map(torch.equal, SQUARES, before))
    assert all(map(torch.equal, floats, kept))
    assert pickle.dumps(augmentation) == state


def test_pickled_it_does_the_same(augmentation: sslreg.Augmentation) -> None:
    again = pickle.loads(pickle.dumps(augmentation))
    assert all(map(torch.equal, run(augmentation, SQUARES), run(again, SQUARES)))


def test_levels_stay_in_range(augmentation: sslreg.Augmentation) -> None:
    if type(augmentation).__name__ == "Normalize":
        pytest.skip("leaving the range is its purpose")
    for result in run(augmentation, SQUARES):
        low, high = (float(bound) for bound in torch.aminmax(result.float()))
        assert low >= 0
        assert high <= (255 if result.dtype == torch.uint8 else 1)


def test_its_embedding_is_deterministic(augmentation: sslreg.Augmentation) -> None:
    plan = ViewPlan([Operation("one", augmentation)]).for_embedding()
    keys = SampleKeys.of_samples(0, [0], [0])
    assert all(not drawn.params or list(drawn.params) == ["uint8"] for drawn in plan.draw(keys, 0, SQUARES[:1]))


def test_it_takes_a_probability(augmentation: sslreg.Augmentation) -> None:
    sometimes = run(WithProbability(augmentation, 0.5), SQUARES)
    always, never = run(augmentation, SQUARES), [load_image(image) for image in SQUARES]
    for result, acted, left in zip(sometimes, always, never, strict=True):
        assert alike(result, acted) or alike(result, left if result.dtype == torch.uint8 else left / 255)


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether two images are equal, but for the rounding of one way to compute them or another."""
    tolerance = 1.0 if one.dtype == torch.uint8 else 1e-4
    return one.shape == other.shape and float((one.float() - other.float()).abs().max()) <= tolerance
