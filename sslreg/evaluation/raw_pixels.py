"""Evaluates raw pixels, a baseline with which a trained model is compared."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor

from sslreg.assembly import NamedEvaluator, build_raw_pixels_collate
from sslreg.contracts import Backbone, PatchBackbone
from sslreg.evaluation.evaluate import Evaluation

#: The largest width of pixels as features. Evaluators need time and memory in proportion to the width, and 224 x 224
#: pixels in color have 150,528. With digits on smooth colored backgrounds (4000 images of 32 x 32 pixels to learn from,
#: 1000 to test), projecting 3072 columns to this width changed `linear` from .883 to .870 and `knn` from .745 to .733,
#: with intervals of .02 and .03, in a quarter of the time.
WIDEST = 1024


def evaluate_raw_pixels(
    evaluation: Evaluation, evaluators: Iterable[NamedEvaluator], backbone: Backbone | None = None
) -> dict[str, float]:
    """Return the metrics of pixels as features, centered by their means over the reference set.

    More than `WIDEST` pixels are projected to that width by `project_randomly`.

    Args:
        evaluation: the evaluation.
        evaluators: the evaluators.
        backbone: the backbone whose patch size evaluators of patches use.
    """
    evaluators = list(evaluators)
    patch_function = partial(_cut_patches, backbone.patch_size) if isinstance(backbone, PatchBackbone) else None
    collate = build_raw_pixels_collate(evaluation.spec)
    features = evaluation.extract_features(collate, evaluators, project_pixels, patch_function, center=True)
    return evaluation.run_evaluators(features, evaluators)


def project_pixels(images: Tensor) -> Tensor:
    """Return the pixels of images (N, C, H, W) as features (N, D), projected to `WIDEST` if there are more."""
    return project_randomly(images.flatten(1), WIDEST)


def _cut_patches(patch_size: int, images: Tensor) -> Tensor:
    """Return the pixels of the patches of images (N, C, H, W) as features (N, rows, columns, D)."""
    patches = images.unfold(2, patch_size, patch_size).unfold(3, patch_size, patch_size)
    rows, columns = patches.shape[2:4]
    pixels = patches.permute(0, 2, 3, 1, 4, 5).reshape(len(images) * rows * columns, -1)
    return project_randomly(pixels, WIDEST).view(len(images), rows, columns, -1)


def project_randomly(features: Tensor, width: int) -> Tensor:
    """Project features (N, D) to (N, width), which keeps inner products on average; narrower ones stay as they are.

    Each column of the result is the sum of about D / width columns with random signs (arXiv 0902.2206, section 2). The
    groups have equal sizes, so that the projection is a sum over a dimension instead of a matrix product.
    """
    columns = features.shape[1]
    if columns <= width:
        return features
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(columns, generator=generator).to(features.device)
    signs = (2 * torch.randint(2, (columns,), generator=generator) - 1).to(features.device, torch.float32)
    shuffled = features.index_select(1, order) * signs
    return torch.nn.functional.pad(shuffled, (0, -columns % width)).view(len(features), -1, width).sum(dim=1)
