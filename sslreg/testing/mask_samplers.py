"""The checks of mask samplers; see `sslreg.MaskSampler`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from sslreg.contracts import Masks, SampleKeys
from sslreg.testing.case import Case
from sslreg.testing.checks import check

#: The rows and columns of patches: those of a ViT-B/16, then small ones and others that are not square.
GRIDS = ((14, 14), (8, 8), (6, 12), (12, 6), (4, 4), (3, 5), (1, 7), (2, 1), (1, 1))

#: The number of images. Some samplers leave a part of them unmasked.
IMAGES = 32


def make_keys(images: Sequence[int] = range(IMAGES)) -> SampleKeys:
    return SampleKeys.of_samples(0, [0] * len(images), images)


def sample_grids(case: Case) -> Iterator[tuple[tuple[int, int], Masks]]:
    """Yield the grids that the sampler masks, and masks of 32 images."""
    sampler = case.build()
    for grid in GRIDS:
        try:
            masks = sampler.sample(make_keys(), grid)
        except ValueError:
            continue
        yield grid, masks


@check("mask_sampler")
def returns_masks_of_patches(case: Case) -> None:
    for (rows, columns), masks in sample_grids(case):
        for name, mask in (("context", masks.context), ("targets", masks.targets)):
            assert mask.dtype == torch.bool, f"{name} has to be bool, not {mask.dtype}"
            assert mask.device.type == "cpu", f"{name} has to be on the CPU; the model moves it"
        assert tuple(masks.context.shape) == (IMAGES, rows * columns), "context has to be (N, L)"
        assert masks.targets.ndim == 3, "targets has to be (N, M, L); a single set is mask[:, None]"
        assert (len(masks.targets), masks.targets.shape[2]) == (IMAGES, rows * columns), "targets has to be (N, M, L)"
        assert masks.targets.shape[1] > 0, "there has to be a set of targets"


@check("mask_sampler")
def masks_a_grid_or_refuses_it(case: Case) -> None:
    """A ValueError refuses a grid; other exceptions fail the check."""
    assert list(sample_grids(case)), f"it refuses each of the grids {', '.join(map(str, GRIDS))}"


@check("mask_sampler")
def draws_from_the_keys_alone(case: Case) -> None:
    first, second = case.build(), case.build()
    for grid, masks in sample_grids(case):
        for sampler in (first, first, second):
            again = sampler.sample(make_keys(), grid)
            assert torch.equal(again.context, masks.context), "the same keys have to give the same masks"
            assert torch.equal(again.targets, masks.targets), "the same keys have to give the same masks"


@check("mask_sampler")
def does_not_depend_on_the_batch(case: Case) -> None:
    sampler = case.build()
    for grid, masks in sample_grids(case):
        for images in (range(1), (5,), (9, 40, 3)):
            others = sampler.sample(make_keys(images), grid)
            for row, image in enumerate(images):
                if image < IMAGES:
                    same = torch.equal(others.context[row], masks.context[image])
                    same &= torch.equal(others.targets[row], masks.targets[image])
                    assert same, "the mask of an image has to depend on its key alone, not on the rest of the batch"


@check("mask_sampler")
def leaves_context_and_targets(case: Case) -> None:
    for _, masks in sample_grids(case):
        assert masks.context.any(dim=1).all(), "each image needs a context patch"
        masked = ~masks.context.all(dim=1)
        assert masks.targets[masked].any(dim=2).all(), "no set of targets of a masked image may be empty"
        assert masked.any(), f"none of {IMAGES} images is masked"


@check("mask_sampler")
def keeps_context_and_targets_apart(case: Case) -> None:
    for _, masks in sample_grids(case):
        assert not (masks.context[:, None] & masks.targets).any(), "a context patch must not be a target"
