"""Segmentation by a linear classifier of patches."""

from __future__ import annotations

import pytest
import torch

from sslreg import LabeledPatches
from sslreg.testing.tiny_components import make_labeled_patches, make_segmented_images
from sslreg_evaluators.dense_linear import DenseLinear, _hold_out_images


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_patches_get_their_class(cpu, solver: str) -> None:
    found = DenseLinear(solver, epochs=10).evaluate_patches(make_labeled_patches(), make_segmented_images(), cpu)
    assert found["pixel_accuracy"] > 0.7


def test_whole_images_are_held_out() -> None:
    indices = torch.arange(100).repeat_interleave(8)
    labels = torch.arange(800) % 4
    held_out = _hold_out_images(labels, indices)
    by_image = held_out.view(100, 8)
    assert torch.equal(by_image.all(dim=1), by_image.any(dim=1))
    assert by_image[:, 0].sum() == 20


def test_patches_are_held_out_if_the_other_images_lack_a_class() -> None:
    held_out = _hold_out_images(torch.arange(10).repeat_interleave(10), torch.arange(10).repeat_interleave(10))
    assert held_out.view(10, 10).sum(dim=1).tolist() == [2] * 10


def test_a_single_class_is_refused(cpu) -> None:
    patches = LabeledPatches(torch.eye(4), torch.ones(4, dtype=torch.int64), torch.arange(4))
    with pytest.raises(ValueError, match="a single class"):
        DenseLinear().evaluate_patches(patches, [], cpu)
