"""What an evaluator is: embeddings to figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor


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
    """What an evaluator may ask of the run that it evaluates."""

    @property
    def device(self) -> torch.device:
        """Where heavy products should be computed."""
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
