"""What features overlook: how far each augmentation moves an embedding."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._confidence_intervals import Floats, standard_error, student
from sslreg_evaluators._linear_readout import readback

log = logging.getLogger("sslreg.evaluators")

#: The strengths that are measured.
STRENGTHS = (0.25, 0.5, 0.75, 1.0)

#: The strength at which parameters are read back: an angle of half a turn either way is one and the same image.
READBACK = 0.5


@dataclass(frozen=True)
class Measured:
    """One aspect of an augmentation: by strength, or under None where it has none, how far each image moved (N,).

    read: what could be read back.
    """

    moves: Mapping[float | None, Floats]
    read: Mapping[str, float]


class Invariance(sslreg.Evaluator):
    """The invariance profile: how far every augmentation moves the embedding of an image as its strength grows.

    A move is the cosine distance of an image's embedding and that of the augmented image, by the mean cosine distance
    of two different images: 0, the features do not notice, to 1, it might as well be another image. It is measured on
    `samples` of the test images, drawn by numpy's ``default_rng(0)``, for every installed augmentation that is
    registered with an invariance, at 25, 50, 75 and 100 % of the strength that it defines (``at_strength``), or as its
    constructor makes it by default. What cannot act on the images, has to be told how to, or fails is left out.

    Figures: ``OP`` (augmentation and aspect, ``affine_rotation``), the mean over the strengths, and ``OP_s25`` …
    ``OP_s100``; the augmentation's mean over its aspects, where it has several (``affine``); ``shape``, ``texture`` and
    ``color``, the means over the augmentations that induce them. ``OP_readback`` is equivariance, at half the strength:
    the share R² of the drawn parameters' variance that ridge regression reads off the two embeddings. All have
    intervals: Student's t over images, with the spread of the distance between different images in it (delta method);
    a bootstrap for the readback.

    After Goodfellow et al., Measuring Invariances in Deep Networks, NIPS 2009; Purushwalkam and Gupta, arXiv
    2007.13916; Xiao et al., arXiv 2008.05659. ValueError: there are fewer than two test images.
    """

    needs_targets = False

    def __init__(self, samples: Annotated[int, Field(ge=2)] = 256) -> None:
        self.samples = samples

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        if len(test) < 2:
            raise ValueError("a profile takes two test images at least, to compare with a different one")
        rows = np.sort(np.random.default_rng(0).permutation(len(test))[: self.samples]).tolist()
        before, _ = run.embed(rows)
        scale = _Scale(before)
        figures: dict[str, float] = {}
        groups: dict[str, list[Floats]] = {"shape": [], "texture": [], "color": []}
        for info in run.augmentations():
            aspects = {name: _measured(info, name, before, rows, run) for name in _aspects(info, run.image_shape)}
            measured = {name: found for name, found in aspects.items() if found is not None}
            means = {name: np.mean(list(found.moves.values()), axis=0) for name, found in measured.items()}
            for name, found in measured.items():
                figures |= _named("_".join(filter(None, (info.name, name))), found, means[name], scale)
            if not measured:
                continue
            overall = np.mean(list(means.values()), axis=0)
            if "" not in measured:
                figures |= scale.figure(info.name, overall)
            for group in info.invariances:
                groups[group].append(overall)
        for group, moves in groups.items():
            if moves:
                figures |= scale.figure(group, np.mean(moves, axis=0))
        return figures


def _named(name: str, found: Measured, mean: Floats, scale: _Scale) -> dict[str, float]:
    """The figures of one aspect."""
    figures = scale.figure(name, mean)
    for strength, moves in found.moves.items():
        if strength is not None:
            figures |= scale.figure(f"{name}_s{strength:.0%}".removesuffix("%"), moves)
    return figures | {f"{name}_{metric}": value for metric, value in found.read.items()}


class _Scale:
    """The cosine distance between different images (N, D), by which moves are measured."""

    def __init__(self, features: Tensor) -> None:
        unit = normalize(features.double(), dim=1)
        total = unit.sum(dim=0)
        # Of each image, the mean over all others.
        self.others = (1.0 - (unit @ total - unit.square().sum(dim=1)) / (len(unit) - 1)).numpy()
        self.mean = float(self.others.mean())

    def figure(self, name: str, moves: Floats) -> dict[str, float]:
        """The mean of moves (N,) on this scale, with its interval. Where all images are the same nothing moves: 0."""
        if self.mean < 1e-9:
            return {name: 0.0, f"{name}_ci": 0.0}
        ratio = float(moves.mean()) / self.mean
        # Linearized. An image is in two of the pairs that `mean` averages, hence the factor.
        influence = (moves - 2.0 * ratio * (self.others - self.mean)) / self.mean
        return {name: ratio, f"{name}_ci": student(len(moves)) * standard_error(influence)}


def _aspects(info: sslreg.ComponentInfo, shape: tuple[int, int, int]) -> list[str]:
    """The names of what an augmentation changes of such images; none if it cannot be measured."""
    try:
        scaled = _at_strength(info, 1.0, shape)
        if scaled is None and any(
            each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
            for each in inspect.signature(info.load()).parameters.values()
        ):
            log.info("the invariance profile leaves out %s: it has no scale and no defaults", info)
            return []
    except (sslreg.UserError, ValueError, TypeError) as error:
        log.warning("the invariance profile leaves out %s: %s", info, error)
        return []
    return [""] if scaled is None else list(scaled)


def _at_strength(
    info: sslreg.ComponentInfo, strength: float, shape: tuple[int, int, int]
) -> Mapping[str, sslreg.Augmentation] | None:
    """What the augmentation's own scale gives; None, where it has none."""
    scale = getattr(info.load(), "at_strength", None)
    return None if scale is None else scale(strength, shape)


def _measured(
    info: sslreg.ComponentInfo, aspect: str, before: Tensor, rows: list[int], run: sslreg.EvaluatedRun
) -> Measured | None:
    """How far one aspect of an augmentation moves embeddings; None, with a warning, if it cannot act on the images."""
    moves: dict[float | None, Floats] = {}
    read: dict[str, float] = {}
    try:
        for strength in STRENGTHS:
            scaled = _at_strength(info, strength, run.image_shape)
            own = sslreg.build("augmentation", f"{info.distribution}:{info.name}") if scaled is None else scaled[aspect]
            after, params = run.embed(rows, own)
            moves[strength if scaled is not None else None] = _distances(before, after)
            if scaled is None or strength == READBACK:
                read = readback(before, after, params)
            if scaled is None:
                break
    except (sslreg.UserError, ValueError, RuntimeError) as error:
        log.warning("the invariance profile leaves out %s: %s", info, error)
        return None
    return Measured(moves, read)


def _distances(before: Tensor, after: Tensor) -> Floats:
    """The cosine distances (N,) of rows."""
    distances: Floats = (
        1.0 - (normalize(before.double(), dim=1) * normalize(after.double(), dim=1)).sum(dim=1)
    ).numpy()
    return distances
