"""The contract of an evaluator: embeddings, features of patches, or a backbone to train, to metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Params
from sslreg.contracts.backbone import Backbone
from sslreg.contracts.batch import Batch
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


class EpochBatches(Protocol):
    """The batches of an epoch, to iterate over once."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class BackboneRun(Protocol):
    """The run that a `BackboneEvaluator` evaluates: a backbone to train, and images with targets.

    Everything that it returns depends on the seed of the run, but not on the evaluated weights, so that all subjects
    are trained alike.
    """

    @property
    def device(self) -> torch.device:
        """The device on which to train."""
        ...

    @property
    def autocast_dtype(self) -> torch.dtype | None:
        """The type of the run's mixed precision, for ``torch.autocast``; None without."""
        ...

    def backbone(self) -> Backbone:
        """Return a new copy of the evaluated backbone on the device, in train mode, all of whose parameters train.

        A change to the copy does not affect the run.
        """
        ...

    def reference_epochs(
        self, epochs: range, batch_size: int, view: Sequence[Augmentation] | None = None
    ) -> Iterator[tuple[int, EpochBatches]]:
        """Yield the number of each epoch, and its batches of the shuffled reference set on the device.

        A batch has one view. Its images and their order depend on the seed, the number of the epoch and the sample. An
        incomplete last batch is dropped.

        Args:
            epochs: the numbers of the epochs.
            batch_size: the number of images in a batch; the whole reference set if that has fewer.
            view: the augmentations that make the view. By default, the operations of the training's main view that
                move pixels, such as crops and flips, and then those of the embedding view that change values, such as
                normalization.
        """
        ...

    def predict(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return outputs (N, D) of a function for the embedding view of the test images, as float32 on the CPU.

        Args:
            function: computes outputs (n, D) of images (n, C, H, W) on the device; called without gradients.
        """
        ...

    def report(self, done: int, total: int) -> None:
        """Show how much of the evaluation is done."""
        ...

    def save_state(self, state: dict[str, Any]) -> None:
        """Keep a state from which an interrupted evaluation of this subject can resume.

        Args:
            state: tensors, numbers, strings, and lists and dicts of them.
        """
        ...

    def load_state(self) -> dict[str, Any] | None:
        """Return the last state that `save_state` kept, on the CPU; None if the evaluation starts anew."""
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


class BackboneEvaluator(Evaluator):
    """Base class of evaluators that train a copy of the backbone.

    Raw pixels have no backbone and get no metrics. Generators of random numbers start from the seed of the run and are
    restored after the evaluation.
    """

    def evaluate(self, reference: Embeddings, test: Embeddings, run: EvaluatedRun) -> dict[str, float]:
        raise TypeError(f"{type(self).__name__} evaluates backbones; call evaluate_backbone")

    def evaluate_backbone(self, reference: Embeddings, test: Embeddings, run: BackboneRun) -> dict[str, float]:
        """Return the value of each metric by its name.

        Args:
            reference: the embeddings of the readable images to learn from, with their targets.
            test: the embeddings of the readable images to evaluate, in the order of `BackboneRun.predict`.
            run: the evaluated run.

        Raises:
            ValueError: the backbone cannot be evaluated.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement evaluate_backbone(reference, test, run)")
