"""The contract of an evaluator: embeddings, or features of patches, to metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Params
from sslreg.contracts.component import Component
from sslreg.errors import UserError
from sslreg.registry import ComponentInfo


@dataclass(frozen=True)
class Embeddings:
    """Embedded samples.

    Attributes:
        features: float32 (N, D), finite; (N, rows, columns, D) if patches were embedded.
        targets: int64 (N,), class numbers from 0, or bool (N, C), which of C labels each sample has; None without
            labels.
        indices: int64 (N,), the samples' indices in their data set.
        names: N names of the samples, for a person to read.

    Raises:
        UserError: a feature is not finite, or a class number is negative. The message names the sample.
    """

    features: Tensor
    targets: Tensor | None
    indices: Tensor
    names: list[str] = field(repr=False)

    def __post_init__(self) -> None:
        _require_finite(self.features.flatten(1), self.names, "embedding")
        if self.targets is not None and (row := _first(self.targets < 0)) is not None:
            raise UserError(
                f"the class of {self.names[row]} is {int(self.targets[row])}, but classes are numbers from 0",
                hint="a data set returns the target None for a sample without a label",
                code="bad-class",
            )

    def __len__(self) -> int:
        return len(self.features)

    def target(self, row: int) -> int | Tensor | None:
        """Return the target of a sample: its class number, or its labels (C,), bool; None without labels."""
        if self.targets is None:
            return None
        return int(self.targets[row]) if self.targets.ndim == 1 else self.targets[row]


@dataclass(frozen=True)
class LabeledPatches:
    """Patches of the reference set, from which an evaluator learns.

    The label of a patch is the class of most of its pixels, and of equals the lowest. Pixels with the value 255 do not
    count, and patches without other pixels are left out. Of a large reference set, these are random patches of each
    image.

    Attributes:
        features: float32 (P, D), finite.
        labels: int64 (P,), class numbers from 0.
        indices: int64 (P,), the index of each patch's image in its data set.
    """

    features: Tensor
    labels: Tensor
    indices: Tensor

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class SegmentedImages:
    """Images of the test set as features of their patches, with the masks to predict.

    Attributes:
        features: float32 (N, rows, columns, D), finite.
        masks: uint8 or int64 (N, H, W), class numbers of the pixels of the embedding view; 255 is ignored. Each patch
            is a square of H / rows pixels.
        indices: int64 (N,), the images' indices in their data set.
        names: N names of the images, for a person to read.

    Raises:
        UserError: a feature is not finite. The message names the image.
    """

    features: Tensor
    masks: Tensor
    indices: Tensor
    names: list[str] = field(repr=False)

    def __post_init__(self) -> None:
        _require_finite(self.features.flatten(1), self.names, "patch features")

    def __len__(self) -> int:
        return len(self.features)


def _require_finite(features: Tensor, names: Sequence[str], noun: str) -> None:
    """Raise a UserError that names the first sample whose features (N, D) are not finite."""
    # A length also overflows if the features are finite but cannot be normalized.
    lengths = torch.linalg.vector_norm(features, dim=1, dtype=torch.promote_types(features.dtype, torch.float32))
    if (row := _first(~lengths.isfinite())) is not None:
        raise UserError(
            f"the {noun} of {names[row]} {'is' if noun == 'embedding' else 'are'} not finite",
            hint="look for values in the image that are not finite, and for weights that overflow",
            code="not-finite",
        )


def _first(selected: Tensor) -> int | None:
    """Return the first selected row (N,), or None."""
    return int(selected.nonzero()[0]) if selected.any() else None


class EvaluatedRun(Protocol):
    """The run that an evaluator evaluates: what it may use in addition to the embeddings."""

    @property
    def device(self) -> torch.device:
        """The device on which to compute large products."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """C, H, W of the images that `embed` augments."""
        ...

    def augmentations(self) -> Sequence[ComponentInfo]:
        """Return the installed augmentations that are registered with an invariance."""
        ...

    def embed(self, rows: Sequence[int], augmentation: Augmentation | None = None) -> tuple[Tensor, Params]:
        """Return the features (n, D) of some test samples after an augmentation, and its params.

        The augmentation is applied after the leading geometry of the embedding view, which brings images to their size.
        Its draws for a sample depend only on the run's seed and on the sample: they are the same for the trained
        backbone, the untrained one and the raw pixels.

        Args:
            rows: the rows of the samples in the test embeddings.
            augmentation: applied to them; none if None.

        Raises:
            UserError: the augmentation cannot be applied to these images, or changes their shape.
        """
        ...


class Evaluator(Component):
    """Base class of evaluators.

    Its metrics are written as ``<name>_<metric>``, where the name is that of the component or the ``as:`` of the spec.
    Larger is better, unless the name of the metric says otherwise.
    """

    #: Reference and test need targets; a run without them is refused before it starts.
    needs_targets: ClassVar[bool] = True

    #: Targets may also be bool (N, C), for samples with several labels. A run on such data refuses other evaluators.
    takes_label_sets: ClassVar[bool] = False

    def evaluate(self, reference: Embeddings, test: Embeddings, run: EvaluatedRun) -> dict[str, float]:
        """Return the value of each metric by its name.

        Args:
            reference: the embeddings to learn from.
            test: the embeddings to evaluate.
            run: the evaluated run.

        Raises:
            ValueError: the embeddings cannot be evaluated.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement evaluate(reference, test, run)")


class PatchEvaluator(Evaluator):
    """Base class of evaluators of the features of patches, which segmentation masks label.

    A run with one of them is refused before it starts unless its backbone is a `PatchBackbone`, and the targets of its
    reference and test set are masks.
    """

    def evaluate(self, reference: Embeddings, test: Embeddings, run: EvaluatedRun) -> dict[str, float]:
        raise TypeError(f"{type(self).__name__} evaluates patches; call evaluate_patches")

    def evaluate_patches(
        self, reference: LabeledPatches, test: Iterable[SegmentedImages], run: EvaluatedRun
    ) -> dict[str, float]:
        """Return the value of each metric by its name.

        Args:
            reference: the patches to learn from.
            test: the test images in batches, to iterate over once. They are embedded during the iteration, so that only
                one batch is in memory.
            run: the evaluated run.

        Raises:
            ValueError: the patches cannot be evaluated.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement evaluate_patches(reference, test, run)")
