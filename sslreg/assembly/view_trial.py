"""Tries the views of a spec on a stand-in image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from sslreg.assembly.builder import Builder
from sslreg.contracts import Augmentation, SampleKeys
from sslreg.errors import Diagnostic, SslregError, UserError, describe_error
from sslreg.spec import ComponentSpec, Spec
from sslreg.views import Operation, ViewPlan, to_batch

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ViewShape:
    """The shape of a view of a stand-in image.

    Attributes:
        shape: the shape (C, H, W).
        is_fixed: whether the view of any image has this shape.
        smallest: the smallest number of values of a view of the stand-in images.
    """

    shape: Shape
    is_fixed: bool
    smallest: int


#: The heights and widths of stand-in images. The sizes of the data are unknown: a view has to work for one of them.
_SIZES = ((256, 256), (320, 288), (28, 28), (1200, 1600))

#: The largest number of values of an image to which operations are applied, for the sake of time and memory.
_MAX_VALUES = 2**22


def find_view_shapes(spec: Spec, sizes: Sequence[tuple[int, int]] = _SIZES) -> list[ViewShape]:
    """Return the shape of each kind of view, without the data and without making views.

    Args:
        spec: the spec.
        sizes: the heights and widths of images; the first one from which views can be made decides.

    Raises:
        SpecError: an operation cannot be built, or cannot be applied to any of the images, at its location in the spec.
    """
    # Building components draws from the generator, and must not change later draws.
    with torch.random.fork_rng(devices=[]):
        return [_build_trial(Builder(spec), entry.augment).find_shape(sizes) for entry in spec.views]


def try_operations(builder: Builder, components: Sequence[ComponentSpec], *, embedding: bool = False) -> ViewShape:
    """Make one view of a stand-in image.

    Args:
        builder: builds the operations.
        components: the operations of the view in the spec.
        embedding: whether to make the embedding view that is derived from them.

    Returns:
        The shape of the view.

    Raises:
        SpecError: an operation cannot be built or applied, at its location in the spec.
    """
    trial = _build_trial(builder, components, embedding=embedding)
    shape = trial.find_shape(_SIZES)
    trial.run(next(size for size in _SIZES if trial.draw_shape(size) is not None))
    return shape


def find_constant_augmentations(spec: Spec) -> Iterator[Diagnostic]:
    """Warn of augmentations that should teach an invariance, but change every view in the same way."""
    first, *others = [{each.use: each for each in entry.augment if _is_constant(each)} for entry in spec.views]
    for use, component in first.items():
        if component.info.invariances and all(use in other for other in others):
            yield spec.warning(
                component.path,
                "constant",
                f"{use!r} changes every view in the same way, so the model does not learn to overlook it",
                "give it a probability, such as p: 0.5, or remove it",
            )


def _is_constant(component: ComponentSpec) -> bool:
    """Return whether an augmentation changes all images and draws no random numbers."""
    target = component.info.load()
    draws = not (isinstance(target, type) and issubclass(target, Augmentation) and target.draw is Augmentation.draw)
    return component.keys["p"] == 1 and not draws


def _build_trial(builder: Builder, components: Sequence[ComponentSpec], *, embedding: bool = False) -> _ViewTrial:
    operations = [
        Operation(component.info.name, builder.build(component), str(component.info)) for component in components
    ]
    # Each operation of a view that is embedded comes from one of the spec.
    sources = list(components)
    if embedding:
        replaced = [ViewPlan([operation]).for_embedding().operations for operation in operations]
        sources = [source for source, parts in zip(components, replaced, strict=True) for _ in parts]
        operations = [part for parts in replaced for part in parts]
    return _ViewTrial(builder.spec, operations, sources)


class _ViewTrial:
    """A view of one stand-in image, made step by step.

    Attributes:
        error: the first reason why no view could be drawn.
    """

    error: SslregError

    def __init__(self, spec: Spec, operations: Sequence[Operation], components: Sequence[ComponentSpec]) -> None:
        self._spec = spec
        self._operations = operations
        self._components = components
        self._keys = SampleKeys.of_samples(spec.seed, [0], [0])

    def find_shape(self, sizes: Sequence[tuple[int, int]]) -> ViewShape:
        """Return the shape of the view of the first image that the operations can be applied to.

        Raises:
            SpecError: there is no such image.
        """
        shapes = [shape for size in sizes if (shape := self.draw_shape(size)) is not None]
        if not shapes:
            raise self.error
        is_fixed = len(shapes) > 1 and len(set(shapes)) == 1
        return ViewShape(shapes[0], is_fixed, min(math.prod(shape) for shape in shapes))

    def draw_shape(self, size: tuple[int, int]) -> Shape | None:
        """Return the announced shape of the view of an image; None after an error, the first of which is kept."""
        image = self._image(size)
        for count in range(len(self._operations) + 1):
            try:
                draws = ViewPlan(self._operations[:count]).draw(self._keys, 0, [image])
            except Exception as error:  # noqa: BLE001 - an operation may raise anything
                if not hasattr(self, "error"):
                    self.error = self._locate(count - 1, error)
                return None
        if not draws:
            return self._spec.data.channels, *size
        channels, height, width = draws[-1].shapes[0].tolist()
        return channels, height, width

    def run(self, size: tuple[int, int]) -> None:
        """Apply the operations, as far as images do not become too large."""
        image = self._image(size)
        for count in range(1, len(self._operations) + 1):
            plan = ViewPlan(self._operations[:count])
            draws = plan.draw(self._keys, 0, [image])
            if max(draw.shapes.prod(dim=1).max().item() for draw in draws) > _MAX_VALUES:
                return
            try:
                to_batch(plan.run([image], draws, range(len(plan.steps))))
            except Exception as error:
                raise self._locate(count - 1, error) from error

    def _image(self, size: tuple[int, int]) -> torch.Tensor:
        return torch.full((self._spec.data.channels, *size), 128, dtype=torch.uint8)

    def _locate(self, operation: int, error: Exception) -> SslregError:
        """Return the error of an operation with its location in the spec."""
        component = self._components[operation]
        if not isinstance(error, UserError):
            return self._spec.error(component.path, "augmentation", f"{component.info}: {describe_error(error)}")
        if isinstance(error.__cause__, ValueError):
            return self._spec.error(component.path, "augmentation", f"{component.info}: {error.__cause__}")
        told = error.__cause__ if isinstance(error.__cause__, UserError) else error
        first = told.diagnostics[0]
        return self._spec.error(component.path, "augmentation", first.message, first.hint)
