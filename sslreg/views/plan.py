"""How one view is made: its operations in order, what they draw, and where each of them runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Images, Params
from sslreg.errors import UserError
from sslreg.images import EncodedImage
from sslreg.views.fusion import Stage, fused
from sslreg.views.image_batches import apply, as_float, eight_bits_of, gathered, shapes_of
from sslreg.views.randomness import SampleKeys
from sslreg.views.shared_memory import share_results

Place = Literal["auto", "host", "device"]


@dataclass(frozen=True)
class Operation:
    """An augmentation under the name that a spec calls it; the name keys its randomness.

    origin: what errors call it, with the package that it is from; its name if nothing else is said.
    """

    name: str
    augmentation: Augmentation
    origin: str = ""

    def __str__(self) -> str:
        return self.origin or self.name


class RoundToUint8(Augmentation):
    """Rounds the images that came in 8 bits to 8 bits again: the end of a view's leading geometry."""

    ragged = True
    host_params = True

    def apply(self, images: Images, params: Params) -> Images:
        eight_bits = params["eight_bits"].tolist()
        if isinstance(images, Tensor) and all(eight_bits):
            return _to_levels(images)
        return [_to_levels(image) if eight else image for image, eight in zip(images, eight_bits, strict=True)]


def _to_levels(pixels: Tensor) -> Tensor:
    return (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class Drawn:
    """What a step drew: `params`, one row per sample, and the shapes (N, 3) that it will return; on the CPU."""

    params: Params
    shapes: Tensor

    def rows(self, rows: slice) -> Drawn:
        """The same of some of the samples."""
        return Drawn({name: values[rows] for name, values in self.params.items()}, self.shapes[rows])


@dataclass(frozen=True)
class ViewPlan:
    """The making of one view.

    operations: in the order in which they act. group: the number of the spec's `views` entry. place: where it runs when
    there is a device: ``host``, all of it in the data loader's process; ``device``, there from the first operation
    on that needs images of one size; ``auto``, geometry on the host and the rest on the device.

    The leading geometry operations work in floating point and end in one rounding to 8 bits, for images that came
    in 8 bits. What follows works on float32 in [0, 1].
    """

    operations: Sequence[Operation]
    group: int = 0
    place: Place = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))

    @cached_property
    def leading(self) -> int:
        """How many operations at the start are geometry."""
        return next(
            (n for n, operation in enumerate(self.operations) if not operation.augmentation.geometry),
            len(self.operations),
        )

    def geometry_only(self) -> ViewPlan:
        """The leading geometry alone: what brings an image to its size."""
        return ViewPlan(self.operations[: self.leading], self.group, self.place)

    def for_embedding(self) -> ViewPlan:
        """The deterministic view with which images are embedded, after each operation's `for_embedding`."""
        return ViewPlan(
            [
                Operation(operation.name, augmentation, operation.origin)
                for operation in self.operations
                for augmentation in operation.augmentation.for_embedding()
            ]
        )

    @cached_property
    def steps(self) -> Sequence[Operation]:
        """The operations with the rounding in its place."""
        if not self.leading:
            return self.operations
        levels = Operation("to_levels", RoundToUint8())
        return (*self.operations[: self.leading], levels, *self.operations[self.leading :])

    @cached_property
    def names(self) -> Sequence[tuple[str, int]]:
        """Each step's name, and how many of that name are before it."""
        seen: Counter[str] = Counter()
        names = []
        for step in self.steps:
            names.append((step.name, seen[step.name]))
            seen[step.name] += 1
        return names

    def steps_on_host(self, device: torch.device | None) -> int:
        """How many of the steps run on the host when the rest runs on a device; all of them without one."""
        if device is None or self.place == "host":
            return len(self.steps)
        flags = [step.augmentation for step in self.steps]
        if self.place == "device":
            stages = self.stages(range(self.leading))
            first = max((stage.steps.stop for stage in stages if stage.augmentation.ragged), default=0)
        else:
            first = self.leading + 1 if self.leading else 0
        return max([first, *(n + 1 for n, step in enumerate(flags) if step.host_only)])

    def draw(self, keys: SampleKeys, view: int, images: Tensor | Sequence[Tensor | EncodedImage]) -> list[Drawn]:
        """What each of the steps draws for N images, decoded or not. view: the view's number, which keys the draws.

        UserError: an operation cannot act on images of these sizes.
        """
        return self.draw_views(keys, [view], images)[0]

    def draw_views(
        self, keys: SampleKeys, views: Sequence[int], images: Tensor | Sequence[Tensor | EncodedImage]
    ) -> list[list[Drawn]]:
        """What `draw` gives for each of several views, in less time than one after the other."""
        shapes = shapes_of(images).repeat(len(views), 1)
        drawn: list[Drawn] = []
        for step, own_keys in zip(self.steps, keys.operations(views, self.names), strict=True):
            if isinstance(step.augmentation, RoundToUint8):
                drawn.append(Drawn({"eight_bits": eight_bits_of(images).repeat(len(views))}, shapes))
                continue
            try:
                params = step.augmentation.draw(own_keys, shapes)
                shapes = step.augmentation.output_shapes(shapes, params)
            except ValueError as error:
                raise UserError(f"view {views[0]}, {step}: {error}", code="augmentation") from error
            drawn.append(Drawn(params, shapes))
        count = len(images)
        return [[one.rows(slice(v * count, (v + 1) * count)) for one in drawn] for v in range(len(views))]

    def stages(self, steps: range) -> list[Stage]:
        """Some of the steps as they run: those that fuse in one stage."""
        return fused([step.augmentation for step in self.steps], steps)

    def run(self, images: Images, drawn: Sequence[Drawn], steps: range) -> Images:
        """Apply some of the steps to images that have gone through those before.

        UserError: an operation's result is not of the type or the sizes that it announced.
        """
        stages = self.stages(steps)
        final = next((stage for stage in reversed(stages) if not isinstance(stage.augmentation, RoundToUint8)), None)
        for stage in stages:
            augmentation, last = stage.augmentation, stage.steps[-1]
            if isinstance(augmentation, RoundToUint8) and _dtypes(images) == {torch.uint8}:
                continue
            if not (augmentation.eight_bits and self._is_whole_geometry(stage)):
                images = as_float(images)
            with share_results(stage is final):
                images = apply(augmentation, images, stage.params([drawn[step].params for step in stage.steps]))
            if not isinstance(augmentation, RoundToUint8):
                _check(
                    " + ".join(str(self.steps[step]) for step in stage.steps), augmentation, images, drawn[last].shapes
                )
        return gathered(images)

    def _is_whole_geometry(self, stage: Stage) -> bool:
        """Whether its result is the one to round. Photometric stages round nothing, and may take levels anywhere."""
        return not stage.augmentation.geometry or stage.steps == range(self.leading)

    def finished(self, images: Images) -> Tensor:
        """The view, float32 (N, C, H, W). UserError: the images differ in size."""
        images = gathered(as_float(images))
        if isinstance(images, Tensor):
            return images
        sizes = sorted({" × ".join(map(str, image.shape)) for image in images})
        raise UserError(
            f"a view's images have to agree in size, and they are {', '.join(sizes[:4])}{' …' * (len(sizes) > 4)}",
            hint="add a random_resized_crop, or a resize and a center_crop; give data.channels if channels differ",
            code="augmentation",
        )


def _dtypes(images: Images) -> set[torch.dtype]:
    return {images.dtype} if isinstance(images, Tensor) else {image.dtype for image in images}


def _check(name: str, augmentation: Augmentation, images: Images, announced: Tensor) -> None:
    allowed = {torch.float32, torch.uint8} if augmentation.eight_bits and augmentation.geometry else {torch.float32}
    if strange := _dtypes(images) - allowed:
        raise UserError(f"{name} returned {', '.join(map(str, strange))}, not torch.float32", code="augmentation")
    found = shapes_of(images)
    if not torch.equal(found, announced):
        row = int((found != announced).any(dim=1).nonzero()[0])
        raise UserError(
            f"{name} returned an image (C, H, W) of {found[row].tolist()}, and its output_shapes said "
            f"{announced[row].tolist()}",
            hint="an augmentation that changes shapes says so in output_shapes",
            code="augmentation",
        )
