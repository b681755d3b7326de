"""The live invariance profile: how far an augmentation of one image moves its features."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import sslreg
from sslreg_browser.query_images import QueryImage, QueryImages

log = logging.getLogger("sslreg.browser")

Shape = tuple[int, int, int]

#: The number of draws of an augmentation that are shown, and the number of bars of a histogram.
DRAWS, BARS = 4, 40

#: What an augmentation of any package may raise.
_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class ProfileAspect:
    """An aspect of images that an installed augmentation changes.

    Attributes:
        info: The augmentation.
        name: The name of the aspect, ``""`` if the augmentation has one only.
        has_strength: Whether its effect can be scaled. Otherwise the augmentation has its defaults.
    """

    info: sslreg.ComponentInfo
    name: str
    has_strength: bool

    @property
    def title(self) -> str:
        return ": ".join(filter(None, (self.info.name, self.name))).replace("_", " ")

    def build(self, strength: float, shape: Shape) -> sslreg.Augmentation:
        """Return the augmentation at a strength in (0, 1], for images of the shape C, H, W.

        Raises:
            SslregError: The augmentation cannot be built.
        """
        arguments: Mapping[str, Any] = {}
        if self.has_strength:
            arguments = self.info.load().at_strength({self.name: strength}, shape)
        name = f"{self.info.distribution}:{self.info.name}"
        augmentation: sslreg.Augmentation = sslreg.build("augmentation", name, **arguments)
        return augmentation


@dataclass(frozen=True)
class SubjectDistances:
    """How far the features of a subject move, and how far apart different images are.

    A distance is the cosine distance, from 0 to 2.

    Attributes:
        subject: The subject.
        moved: The distance of each draw from the image.
        mean: The mean distance of the image to the other images, the unit of the invariance profile.
        closer: For each draw, the number of other images that are closer to the image.
        others: The number of other images.
        high: The upper end of the histogram, which starts at 0.
        bars: The numbers of other images by their distance, in equal intervals.
    """

    subject: str
    moved: list[float]
    mean: float
    closer: list[int]
    others: int
    high: float
    bars: list[int]


def list_aspects(shape: Shape) -> list[ProfileAspect]:
    """Return the aspects of all installed augmentations that are registered with an invariance.

    As in the invariance profile, an augmentation that has neither strengths nor defaults is left out.

    Args:
        shape: C, H, W of the images.
    """
    aspects = []
    for info in sslreg.installed().of_kind("augmentation"):
        if info.invariances:
            try:
                aspects += _list_aspects(info, shape)
            except (*_FAILURES, sslreg.SslregError, ImportError) as error:
                log.warning("the invariance profile leaves out %s: %s", info, error)
    return sorted(aspects, key=lambda aspect: (aspect.info.invariances, aspect.title))


def _list_aspects(info: sslreg.ComponentInfo, shape: Shape) -> list[ProfileAspect]:
    target = info.load()
    has_strength = isinstance(target, sslreg.SupportsStrength)
    if not has_strength and _has_required_parameters(target):
        return []
    names = target.aspects(shape) if isinstance(target, sslreg.SupportsAspects) else [""]
    return [ProfileAspect(info, name, has_strength) for name in names]


def _has_required_parameters(target: Any) -> bool:
    parameters = inspect.signature(target).parameters.values()
    return any(
        each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in parameters
    )


def augment_image(images: QueryImages, image: QueryImage, aspect: ProfileAspect, strength: float) -> Tensor:
    """Return draws of an augmentation of an image (N, C, H, W). The draws of an image do not depend on the strength.

    Args:
        images: The images to which it belongs.
        image: The image.
        aspect: What the augmentation changes.
        strength: From 0, which changes nothing, to 1.

    Raises:
        UserError: The image cannot be read, or the augmentation cannot be applied to it.
    """
    prepared = images.prepare(image)
    if strength == 0:
        return prepared.expand(DRAWS, *prepared.shape)
    channels, height, width = prepared.shape
    try:
        augmentation = aspect.build(strength, (channels, height, width))
        augmented = images.encoder.augment(prepared, augmentation, image.number, DRAWS)
    except _FAILURES as error:
        raise sslreg.UserError(f"{aspect.title} fails: {error}", hint="choose another", code="augmentation") from error
    if augmented.shape[1:] != prepared.shape:
        raise sslreg.UserError(f"{aspect.title} changes the size of the image", code="augmentation")
    return augmented


def measure_distances(images: QueryImages, image: QueryImage, augmented: Tensor) -> list[SubjectDistances]:
    """Return how far the features of an image move by each subject.

    Args:
        images: The images to which it belongs.
        image: The image.
        augmented: The image after an augmentation (N, C, H, W).

    Raises:
        SslregError: The features cannot be computed.
    """
    features = images.index.center(images.encoder.encode(augmented))
    return [
        _compare(subject, (1.0 - own @ image.features[subject]).clamp(min=0.0), images.distances(image, subject))
        for subject, own in features.items()
    ]


def _compare(subject: str, moved: Tensor, others: Tensor) -> SubjectDistances:
    """Compare distances (N,) with the sorted distances (M,) to other images."""
    high = max(float(torch.cat((moved, others)).max()), 1e-6)
    bars = torch.histc(others.clamp(min=0.0), BARS, 0.0, high)
    return SubjectDistances(
        subject=subject,
        moved=moved.tolist(),
        mean=float(others.mean()) if len(others) else 0.0,
        closer=torch.searchsorted(others, moved).tolist(),
        others=len(others),
        high=high,
        bars=[int(bar) for bar in bars.tolist()],
    )
