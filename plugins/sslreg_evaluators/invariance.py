"""The invariance profile: how far each augmentation moves an embedding."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._confidence_intervals import Floats, standard_error, t_quantile
from sslreg_evaluators._readback import read_back

log = logging.getLogger("sslreg.evaluators")

#: The strengths of the profile.
STRENGTHS = (0.25, 0.5, 0.75, 1.0)

#: The strength at which parameters are read back. At full strength, half a turn either way gives the same image.
READBACK = 0.5

#: In geometric means, smaller moves count as this one.
FLOOR = 1e-3


@dataclass(frozen=True)
class AspectResult:
    """How one aspect of an augmentation moves embeddings.

    Attributes:
        distances: By strength, how far each image moved (N,); under None for an augmentation without strengths.
        readback: The metrics of the readout.
    """

    distances: Mapping[float | None, Floats]
    readback: Mapping[str, float]


class Invariance(sslreg.Evaluator):
    """The invariance profile: how far every augmentation moves an image's embedding as its strength grows.

    A move is the cosine distance between the embeddings of an image and of the augmented image, divided by the mean
    cosine distance of two different images: 0 if the features do not notice, 1 if it might as well be another image.

    The profile covers every installed augmentation that is registered with an invariance, at 25, 50, 75 and 100 % of
    the strength that it defines (``at_strength``), or else with its default parameters. An augmentation that cannot act
    on the images, has required parameters or fails is left out.

    Metrics, for an augmentation and aspect ``OP`` (``affine_rotation``):

    * ``OP``: the mean over the strengths, and ``OP_s25`` … ``OP_s100``;
    * ``OP_readback``, equivariance at half the strength: the share R² of the variance of the drawn parameters that
      ridge regression predicts from the two embeddings;
    * ``affine``: an augmentation's mean over its aspects, if it has several;
    * ``shape``, ``texture`` and ``color``: the geometric means over the aspects of the augmentations that induce these
      invariances, so that no augmentation dominates because it moves embeddings far. Moves below 0.001 count as 0.001.

    Intervals are Student's t over images, including the spread of the distance between different images (delta
    method), and a bootstrap for the readback.

    After Goodfellow et al., Measuring Invariances in Deep Networks, NIPS 2009; Purushwalkam and Gupta, arXiv
    2007.13916; Xiao et al., arXiv 2008.05659.

    Args:
        samples: The number of test images, drawn by numpy's ``default_rng(0)``.

    Raises:
        ValueError: There are fewer than two test images.
    """

    needs_targets = False

    def __init__(self, samples: Annotated[int, Field(ge=2)] = 256) -> None:
        self.samples = samples

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        if len(test) < 2:
            raise ValueError("an invariance profile needs at least two test images, to compare different ones")
        rows = np.sort(np.random.default_rng(0).permutation(len(test))[: self.samples]).tolist()
        before, _ = run.embed(rows)
        scale = _DistanceScale(before)
        metrics: dict[str, float] = {}
        groups: dict[str, list[Floats]] = {"shape": [], "texture": [], "color": []}
        for info in run.augmentations():
            aspects = {name: _measure(info, name, before, rows, run) for name in _list_aspects(info, run.image_shape)}
            results = {name: result for name, result in aspects.items() if result is not None}
            means = {name: np.mean(list(result.distances.values()), axis=0) for name, result in results.items()}
            for name, result in results.items():
                metrics |= _aspect_metrics("_".join(filter(None, (info.name, name))), result, means[name], scale)
            if not results:
                continue
            overall = np.mean(list(means.values()), axis=0)
            if "" not in results:
                metrics |= scale.metric(info.name, overall)
            for group in info.invariances:
                groups[group] += means.values()
        for group, distances in groups.items():
            if distances:
                metrics |= scale.geometric_mean(group, distances)
        return metrics


def _aspect_metrics(name: str, result: AspectResult, mean: Floats, scale: _DistanceScale) -> dict[str, float]:
    metrics = scale.metric(name, mean)
    for strength, distances in result.distances.items():
        if strength is not None:
            metrics |= scale.metric(f"{name}_s{strength:.0%}".removesuffix("%"), distances)
    return metrics | {f"{name}_{metric}": value for metric, value in result.readback.items()}


class _DistanceScale:
    """The mean cosine distance between different images, as the unit of moves.

    Args:
        features: The embeddings (N, D) of the images.
    """

    def __init__(self, features: Tensor) -> None:
        unit = normalize(features.double(), dim=1)
        total = unit.sum(dim=0)
        #: For each image (N,), the mean distance from all others.
        self.others = (1.0 - (unit @ total - unit.square().sum(dim=1)) / (len(unit) - 1)).numpy()
        self.mean = float(self.others.mean())

    def metric(self, name: str, distances: Floats) -> dict[str, float]:
        """Return the mean of distances (N,) on this scale, with its interval; 0 if all images are the same."""
        if self.mean < 1e-9:
            return {name: 0.0, f"{name}_ci": 0.0}
        return _with_interval(name, *self._ratio(distances))

    def geometric_mean(self, name: str, rows: Sequence[Floats]) -> dict[str, float]:
        """Return the geometric mean of the means of rows of distances (N,) on this scale, with its interval."""
        if self.mean < 1e-9:
            return {name: 0.0, f"{name}_ci": 0.0}
        ratios, influences = zip(*map(self._ratio, rows), strict=True)
        floored = np.maximum(ratios, FLOOR)
        mean = float(np.exp(np.log(floored).mean()))
        # A ratio below the floor counts as constant.
        relative = [influence / ratio * (ratio > FLOOR) for influence, ratio in zip(influences, floored, strict=True)]
        return _with_interval(name, mean, mean * np.mean(relative, axis=0))

    def _ratio(self, distances: Floats) -> tuple[float, Floats]:
        """Return the mean of distances (N,) on this scale, and the influence (N,) of each image on it."""
        ratio = float(distances.mean()) / self.mean
        # Linearized. An image is in two of the pairs that `mean` averages, hence the factor.
        return ratio, (distances - 2.0 * ratio * (self.others - self.mean)) / self.mean


def _with_interval(name: str, value: float, influence: Floats) -> dict[str, float]:
    return {name: value, f"{name}_ci": t_quantile(len(influence)) * standard_error(influence)}


def _list_aspects(info: sslreg.ComponentInfo, shape: tuple[int, int, int]) -> list[str]:
    """Return the names of the aspects of images that an augmentation changes; none if it cannot be measured."""
    try:
        target = info.load()
        if not isinstance(target, sslreg.SupportsStrength) and any(
            each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
            for each in inspect.signature(target).parameters.values()
        ):
            log.info("the invariance profile leaves out %s: it has neither strengths nor defaults", info)
            return []
        return list(target.aspects(shape)) if isinstance(target, sslreg.SupportsAspects) else [""]
    except Exception as error:  # noqa: BLE001 - an augmentation of any package may raise anything
        log.warning("the invariance profile leaves out %s: %s", info, error)
        return []


def _measure(
    info: sslreg.ComponentInfo, aspect: str, before: Tensor, rows: list[int], run: sslreg.EvaluatedRun
) -> AspectResult | None:
    """Measure one aspect of an augmentation; warn and return None if it cannot act on the images."""
    distances: dict[float | None, Floats] = {}
    readback: dict[str, float] = {}
    try:
        target = info.load()
        for strength in STRENGTHS if isinstance(target, sslreg.SupportsStrength) else (None,):
            arguments = {} if strength is None else target.at_strength({aspect: strength}, run.image_shape)
            augmentation = sslreg.build("augmentation", f"{info.distribution}:{info.name}", **arguments)
            after, params = run.embed(rows, augmentation)
            distances[strength] = _cosine_distances(before, after)
            if strength in (None, READBACK):
                readback = read_back(before, after, params)
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("the invariance profile leaves out %s: %s", info, error)
        return None
    return AspectResult(distances, readback)


def _cosine_distances(before: Tensor, after: Tensor) -> Floats:
    """Return the cosine distance (N,) of each row (N, D) of one from that of the other."""
    distances: Floats = (
        1.0 - (normalize(before.double(), dim=1) * normalize(after.double(), dim=1)).sum(dim=1)
    ).numpy()
    return distances
