"""Tries the views of a spec on a stand-in image."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from sslreg.assembly.builder import Builder
from sslreg.contracts import Augmentation, SampleKeys
from sslreg.errors import Diagnostic, SslregError, UserError, describe_error
from sslreg.spec import ComponentSpec, Spec
from sslreg.views import Draw, Operation, ViewPlan, to_batch

T = TypeVar("T")
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


@dataclass(frozen=True)
class _Failure:
    error: Exception


def _catch(attempt: Callable[[int], T], count: int) -> T | _Failure:
    try:
        return attempt(count)
    except Exception as error:  # noqa: BLE001 - an operation may raise anything
        return _Failure(error)


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

        def draw(count: int) -> list[Draw]:
            return ViewPlan(self._operations[:count]).draw(self._keys, 0, [image])

        draws = self._try(draw, len(self._operations))
        if isinstance(draws, SslregError):
            if not hasattr(self, "error"):
                self.error = draws
            return None
        if not draws:
            return self._spec.data.channels, *size
        channels, height, width = draws[-1].shapes[0].tolist()
        return channels, height, width

    def run(self, size: tuple[int, int]) -> None:
        """Apply the operations, as far as images do not become too large.

        Raises:
            SpecError: an operation cannot be applied, at its location in the spec.
        """
        image = self._image(size)

        def run(count: int) -> None:
            plan = ViewPlan(self._operations[:count])
            to_batch(plan.run([image], plan.draw(self._keys, 0, [image]), range(len(plan.steps))))

        error = self._try(run, self._count_moderate(image))
        if error is not None:
            raise error

    def _count_moderate(self, image: torch.Tensor) -> int:
        """Return the number of operations before the first one whose result is too large."""
        plan = ViewPlan(self._operations)
        draws = plan.draw(self._keys, 0, [image])
        sizes = [draw.shapes.prod(dim=1).max().item() for draw in draws]
        of_operations = [size for step, size in zip(plan.steps, sizes, strict=True) if isinstance(step, Operation)]
        return next((n for n, size in enumerate(of_operations) if size > _MAX_VALUES), len(of_operations))

    def _try(self, attempt: Callable[[int], T], count: int) -> T | SslregError:
        """Return the result of an attempt at the first `count` operations, or the error of the operation that fails."""
        error = _catch(attempt, count)
        if not isinstance(error, _Failure):
            return error
        # The attempts at fewer operations tell which one it is: all fail from that one on.
        first = bisect_left(range(count), True, key=lambda fewer: isinstance(_catch(attempt, fewer), _Failure))
        earliest = _catch(attempt, first)
        return self._locate(first - 1, earliest.error if isinstance(earliest, _Failure) else error.error)

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
