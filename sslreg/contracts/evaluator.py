"""What an evaluator is: embeddings to figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Params
from sslreg.registry import ComponentInfo


@dataclass(frozen=True)
class Embeddings:
    """Embedded samples.

    features: (N, D) float32; targets: (N,) int64, None without labels; indices: (N,) int64, the samples' numbers in
    their data set; names: what a person calls them, N of them.
    """

    features: Tensor
    targets: Tensor | None
    indices: Tensor
    names: list[str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.features)


class EvaluatedRun(Protocol):
    """What an evaluator may ask of the run that it evaluates, beyond the embeddings that it is handed."""

    @property
    def device(self) -> torch.device:
        """Where heavy products should be computed."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """C, H, W of the images that `embed` puts an augmentation upon."""
        ...

    def augmentations(self) -> Sequence[ComponentInfo]:
        """The installed augmentations that are registered with an invariance."""
        ...

    def embed(self, rows: Sequence[int], augmentation: Augmentation | None = None) -> tuple[Tensor, Params]:
        """Features (n, D) of some of the test samples, seen through an augmentation, and what that drew.

        rows: which, by their rows in the test embeddings. The augmentation acts between the embedding view's leading
        geometry, which brings images to their size, and its rest. What it draws for a sample depends on the run's seed
        and on the sample alone: it is the same for the trained backbone, the untrained one and the raw pixels.
        UserError: it cannot act on these images, or changes their shape.
        """
        ...


class Evaluator:
    """Base class of evaluators.

    The figures it returns are written as ``<name>_<metric>``, name being the component's or the spec's ``as:``. Larger
    is better unless the metric's name says otherwise.
    """

    #: Whether reference and test need targets; a run without them is refused before it starts.
    needs_targets: ClassVar[bool] = True

    def evaluate(self, reference: Embeddings, test: Embeddings, run: EvaluatedRun) -> dict[str, float]:
        """Figures by metric. reference: what is known; test: what is judged. ValueError: it cannot be judged."""
        raise NotImplementedError(f"{type(self).__name__} does not implement evaluate(reference, test, run)")
