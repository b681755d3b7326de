"""Pictures of patch features: their principal components as colors, and the attention of the class token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from sslreg.assembly import blame_components, build_embed_collate, make_views
from sslreg.contracts import PatchBackbone
from sslreg.report.denormalization import to_pil_image
from sslreg.report.embedded_images import Picture
from sslreg.report.embedding_views import draw_embedding_views
from sslreg.runs import Run
from sslreg.runs.run_evaluation import select_device

#: The shares of patches below and above the range of colors. A few extreme patches do not take the contrast of others.
_LOW, _HIGH = 0.02, 0.98


@dataclass(frozen=True)
class PatchPicture:
    """Pictures of the patches of an image. Those of features and attention have a pixel for each patch.

    Attributes:
        picture: The image.
        view: Its embedding view, which the backbone divides into patches.
        trained: The components of the features of the trained backbone.
        initial: The same of the backbone before training.
        initial_subject: ``starting`` if that had starting weights, otherwise ``untrained``.
        attention: The attention of the class token of the trained backbone; None if the backbone does not tell it.
    """

    picture: Picture
    view: Image.Image
    trained: Image.Image
    initial: Image.Image
    initial_subject: str
    attention: Image.Image | None


def draw_patches(run: Run, split: str, pictures: Sequence[Picture]) -> list[PatchPicture] | None:
    """Draw the patch features of images; return None if the backbone has no patches.

    Args:
        run: The run.
        split: The data set that the images belong to.
        pictures: Pictures of the images.

    Raises:
        SslregError: An image cannot be read, or the code of the model raises something else.
    """
    backbone = run.backbone()
    initial_subject, model = run.initial_model()
    initial = model.eval().backbone
    if not isinstance(backbone, PatchBackbone) or not isinstance(initial, PatchBackbone):
        return None
    data = run.split(split)
    samples = [data[picture.index] for picture in pictures]
    (views,) = make_views(build_embed_collate(run.spec), samples)
    with blame_components(run.spec), torch.inference_mode():
        images = views.to(select_device())
        colors = [color_components(module.to(images.device).patches(images)) for module in (backbone, initial)]
        attention = _attention(backbone, images)
    columns = zip(
        pictures,
        draw_embedding_views(run.spec, [sample.image for sample in samples]),
        *([to_pil_image(color) for color in part] for part in colors),
        [initial_subject] * len(views),
        [None] * len(views) if attention is None else [to_pil_image(levels) for levels in attention],
        strict=True,
    )
    return [PatchPicture(*column) for column in columns]


def color_components(patches: Tensor) -> Tensor:
    """Return the first three principal components of patches (N, rows, columns, D) as colors (N, 3, rows, columns).

    The components are those of all patches together, as in DINOv2 (arXiv 2304.07193, figure 1), but without its
    removal of the background. Each component is scaled to [0, 1] between quantiles. The largest weight of a component
    is positive, so that equal features always get equal colors. Without variance, a color is 0.5.
    """
    rows = patches.double().cpu().flatten(0, 2)
    centered = rows - rows.mean(0)
    axes = torch.linalg.svd(centered, full_matrices=False)[2][:3]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    components = torch.nn.functional.pad(centered @ (axes * largest.sign()).T, (0, 3 - len(axes)))
    low, high = torch.quantile(components, torch.tensor([_LOW, _HIGH], dtype=components.dtype), dim=0)
    spread = high - low
    # Rounding errors are no variance.
    is_flat = spread <= 1e-6 * rows.abs().amax().clamp(min=1e-12)
    levels = torch.where(is_flat, 0.5, (components - low) / spread.where(~is_flat, 1.0))
    return levels.clamp(0, 1).T.reshape(3, *patches.shape[:3]).transpose(0, 1)


def _attention(backbone: PatchBackbone, images: Tensor) -> Tensor | None:
    """Return the mean attention of the heads (N, 1, rows, columns), each image scaled to [0, 1]; None without one."""
    try:
        attention = backbone.class_attention(images).mean(1, keepdim=True).float().cpu()
    except ValueError:
        return None
    return attention / attention.amax((2, 3), keepdim=True).clamp(min=1e-12)
