"""Checks of augmentations; see `sslreg.Augmentation`."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import torch
from torch import Tensor

from sslreg.contracts import Augmentation, SampleKeys, SupportsAspects, SupportsStrength
from sslreg.errors import UserError
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import make_pictures
from sslreg.views import Operation, ViewPlan, WithProbability, apply

ONE_SIZE = make_pictures(7)
SEVERAL_SIZES = [image for size in ((20, 20), (31, 17), (14, 50), (31, 17)) for image in make_pictures(1, *size)]


def make_views(augmentation: Augmentation, images: Sequence[Tensor], first: int = 0, seed: int = 0) -> list[Tensor]:
    """Make a view of samples numbered from `first`. The plan compares the result with `output_shapes`."""
    keys = SampleKeys.of_samples(seed, [0] * len(images), list(range(first, first + len(images))))
    plan = ViewPlan([Operation("under_test", augmentation)])
    return list(plan.run(list(images), plan.draw(keys, 0, images), range(len(plan.steps))))


def are_equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(map(torch.equal, some, others))


@check("augmentation")
def draws_one_row_per_sample(case: Case) -> None:
    keys = SampleKeys.of_samples(0, [0] * 5, list(range(5)))
    params = case.build().draw(keys, torch.tensor([[3, 20, 20]]).expand(5, 3))
    assert {name: len(rows) for name, rows in params.items()} == dict.fromkeys(params, 5)


@check("augmentation")
def is_deterministic(case: Case) -> None:
    first, second = (make_views(case.build(), ONE_SIZE) for _ in range(2))
    assert are_equal(first, second), "draw randomness only from keys"


@check("augmentation")
def does_not_depend_on_the_batch(case: Case) -> None:
    augmentation = case.build()
    for images in (ONE_SIZE, SEVERAL_SIZES):
        parts = [view for n, image in enumerate(images) for view in make_views(augmentation, [image], n)]
        for alone, among_others in zip(parts, make_views(augmentation, images), strict=True):
            torch.testing.assert_close(alone, among_others, atol=1 if alone.dtype == torch.uint8 else 1e-5, rtol=0)


@check("augmentation")
def announces_its_shapes_and_gives_finite_pixels(case: Case) -> None:
    for images in (ONE_SIZE, SEVERAL_SIZES):
        assert all(view.float().isfinite().all() for view in make_views(case.build(), images))


@check("augmentation")
def takes_gray_images_or_says_why_not(case: Case) -> None:
    try:
        views = make_views(case.build(), make_pictures(2, channels=1))
    except UserError:
        return
    assert {view.shape[0] for view in views} == {1}


@check("augmentation")
def leaves_its_input_and_itself_alone(case: Case) -> None:
    augmentation = case.build()
    itself = pickle.dumps(augmentation)
    for images in (ONE_SIZE, [image / 255 for image in ONE_SIZE]):
        before = [image.clone() for image in images]
        make_views(augmentation, images)
        assert are_equal(images, before), "apply changes its input images"
    assert pickle.dumps(augmentation) == itself, "an augmentation changes itself; it may hold its parameters only"


@check("augmentation")
def pickles(case: Case) -> None:
    augmentation = case.build()
    assert are_equal(make_views(pickle.loads(pickle.dumps(augmentation)), ONE_SIZE), make_views(augmentation, ONE_SIZE))


@check("augmentation")
def takes_a_probability(case: Case) -> None:
    views = make_views(WithProbability(case.build(), 0.5), ONE_SIZE)
    assert len(views) == len(ONE_SIZE)


@check("augmentation")
def is_embedded_without_randomness(case: Case) -> None:
    plan = ViewPlan([Operation("under_test", case.build())]).for_embedding()
    views = [
        list(plan.run(list(ONE_SIZE), plan.draw(keys, 0, ONE_SIZE), range(len(plan.steps))))
        for keys in (SampleKeys.of_samples(seed, [0] * len(ONE_SIZE), list(range(len(ONE_SIZE)))) for seed in (0, 1))
    ]
    assert are_equal(*views)


@check("augmentation")
def runs_on_the_accelerator(case: Case) -> None:
    augmentation = case.build()
    if augmentation.host_only or augmentation.ragged:
        case.skip("it runs on the host")
    if not torch.cuda.is_available():
        case.skip("there is no accelerator here")
    images = torch.stack(ONE_SIZE) / 255
    keys = SampleKeys.of_samples(0, [0] * len(images), list(range(len(images))))
    params = augmentation.draw(keys, torch.tensor(images.shape[1:]).expand(len(images), 3))
    on_device = apply(augmentation, images.cuda(), params)
    assert isinstance(on_device, Tensor)
    assert on_device.is_cuda
    torch.testing.assert_close(on_device.cpu(), augmentation.apply(images, params), atol=2 / 255, rtol=0)


@check("augmentation")
def keeps_shapes_at_every_strength(case: Case) -> None:
    target, shape = case.info.load(), (3, 20, 20)
    if not isinstance(target, SupportsStrength):
        case.skip("it has no strength")
    for aspect in target.aspects(shape) if isinstance(target, SupportsAspects) else [""]:
        changes = []
        for strength in (0.05, 1.0):
            arguments = target.at_strength({aspect: strength}, shape)
            views = make_views(case.of(case.info.name, "augmentation", arguments).build(), ONE_SIZE)
            assert {view.shape for view in views} == {ONE_SIZE[0].shape}
            changes.append(_measure_change(views))
        assert changes[0] < changes[1], f"{aspect or case.info.name} changes images less at a higher strength"


@check("augmentation")
def has_no_effect_without_aspects(case: Case) -> None:
    target, shape = case.info.load(), (3, 20, 20)
    if not isinstance(target, SupportsStrength) or not isinstance(target, SupportsAspects):
        case.skip("it has no several aspects with strengths")
    views = make_views(case.of(case.info.name, "augmentation", target.at_strength({}, shape)).build(), ONE_SIZE)
    assert _measure_change(views) < 1e-3, "at_strength without aspects returns arguments that change images"


def _measure_change(views: list[Tensor]) -> float:
    """Return the mean distance of views from their pictures, in levels of [0, 1]."""
    floats = [view / 255 if view.dtype == torch.uint8 else view for view in views]
    distances = [(view - image / 255).abs().mean() for view, image in zip(floats, ONE_SIZE, strict=True)]
    return float(torch.stack(distances).mean())
