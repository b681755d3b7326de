import pickle
import random

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.views import Operation, ViewPlan, adapt, to_batch


def darken(image: Tensor) -> Tensor:
    return image * 0.5


def noisy(image: Tensor) -> Tensor:
    return image * torch.rand(()) * np.random.rand() * random.random()


def keys(*indices: int) -> SampleKeys:
    return SampleKeys.of_samples(0, [0] * len(indices), indices)


def run(augmentation: sslreg.Augmentation, images: list[Tensor], *indices: int) -> Tensor:
    plan = ViewPlan([Operation("adapted", augmentation)])
    return to_batch(plan.run(list(images), plan.draw(keys(*indices), 0, images), range(len(plan.steps))))


IMAGES = list(torch.rand(4, 3, 12, 10, generator=torch.Generator().manual_seed(0)))


def test_a_function_sees_one_image_at_a_time() -> None:
    assert torch.equal(run(adapt(darken), IMAGES, 0, 1, 2, 3), torch.stack(IMAGES) * 0.5)


def test_an_augmentation_is_left_as_it_is() -> None:
    augmentation = sslreg.Augmentation()
    assert adapt(augmentation) is augmentation


def test_randomness_comes_from_the_samples_key_and_the_generators_are_restored() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    together = run(adapt(noisy), IMAGES, 0, 1, 2, 3)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert torch.equal(together[2:], run(adapt(noisy), IMAGES[2:], 2, 3))
    assert len({float(image.max() / source.max()) for image, source in zip(together, IMAGES, strict=True)}) == 4


@pytest.mark.parametrize(
    "transform",
    [
        v2.RandomPosterize(bits=2),
        v2.RandomEqualize(),
        v2.RandomPerspective(),
        v2.RandomErasing(),
        v2.AutoAugment(),
        v2.AugMix(),
        v2.Compose([v2.Pad(3), v2.RandomCrop(8)]),
        v2.RandomCrop(8),
        v2.RandomRotation(30, expand=True),
        v2.Normalize([0.5], [0.5]),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_a_torchvision_transform_works_unchanged(transform: v2.Transform) -> None:
    plan = ViewPlan([Operation("tv", pickle.loads(pickle.dumps(adapt(transform))))])
    drawn = plan.draw(keys(5), 0, IMAGES[:1])
    assert plan.run(IMAGES[:1], drawn, range(1))[0].shape == tuple(drawn[0].shapes[0])


def test_a_torchvision_transforms_own_probability_gives_way_to_the_specs() -> None:
    posterized = run(adapt(v2.RandomPosterize(bits=1, p=0.0)), IMAGES, 0, 1, 2, 3)
    assert set(posterized.unique().tolist()) == {0.0, 0.5}


def test_a_function_that_changes_the_size_is_told_how_to_announce_it() -> None:
    with pytest.raises(sslreg.UserError, match="output_shapes"):
        run(adapt(lambda image: image[:, :5]), IMAGES, 0, 1, 2, 3)


def test_a_result_that_is_no_image_is_refused() -> None:
    with pytest.raises(sslreg.UserError, match="returned a float"):
        run(adapt(lambda image: 1.0), IMAGES, 0, 1, 2, 3)
    with pytest.raises(sslreg.UserError, match="float64"):
        run(adapt(lambda image: image.double()), IMAGES, 0, 1, 2, 3)


@pytest.mark.parametrize("thing", [3, "name", dict])
def test_what_cannot_act_on_an_image_is_refused(thing: object) -> None:
    with pytest.raises(ValueError, match="neither"):
        adapt(thing)
