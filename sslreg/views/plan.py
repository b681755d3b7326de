"""The plan of one view: its operations in order, what they draw, and where each of them runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Images, Params
from sslreg.contracts.augmentation_protocols import DecodingRequest, SupportsPartialDecoding, takes_uint8
from sslreg.contracts.sample_keys import SampleKeys
from sslreg.errors import SslregError, UserError, describe_error, type_name
from sslreg.views.fusion import Stage, fuse
from sslreg.views.image_stacking import (
    Shaped,
    are_uint8,
    dtypes_of,
    round_to_uint8,
    shapes_of,
    stack_images,
    to_float,
)
from sslreg.views.masked_apply import apply
from sslreg.views.shared_memory import share_results
from sslreg.views.steps import Draw, Operation, Rounding, Step

Place = Literal["auto", "host", "device"]

#: Exceptions that are no fault of an augmentation.
MACHINE_FAILURES = (torch.OutOfMemoryError, MemoryError, OSError)


@dataclass(frozen=True)
class ViewPlan:
    """The plan of one view.

    The leading geometry operations work in floating point and end in one rounding to uint8, for images that came in
    uint8. The operations after them work on float32 in [0, 1].

    Attributes:
        operations: in the order in which they are applied.
        group: the number of the spec's `views` entry.
        place: where the view is made if there is a device: ``host``, in the data loader's process; ``device``, there
            from the first operation on that needs images of one size; ``auto``, geometry on the host and the rest on
            the device.
        role: the view's role in the model; see `Model.roles`.
    """

    operations: Sequence[Operation]
    group: int = 0
    place: Place = "auto"
    role: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))

    @cached_property
    def leading(self) -> int:
        """The number of geometry operations at the start."""
        return next((n for n, operation in enumerate(self.operations) if not operation.geometry), len(self.operations))

    def geometry_only(self) -> ViewPlan:
        """Return the plan of the leading geometry, which brings an image to its size."""
        return replace(self, operations=self.operations[: self.leading])

    def for_embedding(self) -> ViewPlan:
        """Return the deterministic plan with which images are embedded, by each operation's `for_embedding`."""
        return ViewPlan(
            [
                Operation(operation.name, augmentation, operation.origin)
                for operation in self.operations
                for augmentation in operation.augmentation.for_embedding()
            ]
        )

    @cached_property
    def steps(self) -> Sequence[Step]:
        """The operations, with the rounding after the leading geometry."""
        if not self.leading:
            return self.operations
        return (*self.operations[: self.leading], Rounding(), *self.operations[self.leading :])

    @cached_property
    def names(self) -> Sequence[tuple[str, int]]:
        """The name of each operation, and its occurrence (0 for the first of a name)."""
        seen: Counter[str] = Counter()
        names = []
        for operation in self.operations:
            names.append((operation.name, seen[operation.name]))
            seen[operation.name] += 1
        return names

    def steps_on_host(self, device: torch.device | None) -> int:
        """Return how many steps run on the host if the others run on a device; all of them without one."""
        if device is None or self.place == "host":
            return len(self.steps)
        if self.place == "device":
            stages = self.stages(range(self.leading))
            first = max((one.steps.stop for one in stages if one.augmentation and one.augmentation.ragged), default=0)
        else:
            first = self.leading + 1 if self.leading else 0
        return max([first, *(n + 1 for n, step in enumerate(self.steps) if step.host_only)])

    def draw(self, keys: SampleKeys, view: int, images: Tensor | Sequence[Shaped]) -> list[Draw]:
        """Draw each of the steps for N images, decoded or not.

        Args:
            keys: the keys of the samples.
            view: the number of the view, which keys the draws.
            images: N images in full size, of which only shapes and types are read.

        Raises:
            UserError: an operation cannot be applied to images of these sizes.
        """
        return self.draw_views(keys, [view], images)[0]

    def draw_views(self, keys: SampleKeys, views: Sequence[int], images: Tensor | Sequence[Shaped]) -> list[list[Draw]]:
        """Return what `draw` returns for each of several views, in less time than one call per view."""
        shapes = shapes_of(images).repeat(len(views), 1)
        operation_keys = iter(keys.for_operations(views, self.names))
        draws: list[Draw] = []
        for step in self.steps:
            if isinstance(step, Rounding):
                draws.append(Draw({"uint8": are_uint8(images).repeat(len(views))}, shapes))
                continue
            try:
                params = step.augmentation.draw(next(operation_keys), shapes)
                _require_rows(params, len(shapes))
                shapes = step.augmentation.output_shapes(shapes, params)
                _require_shapes(shapes, len(images) * len(views))
            except ValueError as error:
                raise UserError(f"view {views[0]}, {step}: {error}", code="augmentation") from error
            except (SslregError, *MACHINE_FAILURES):
                raise
            except Exception as error:
                raise UserError(f"{step}: {describe_error(error)}", code="augmentation") from error
            draws.append(Draw(params, shapes))
        count = len(images)
        return [[draw.select(slice(v * count, (v + 1) * count)) for draw in draws] for v in range(len(views))]

    def params(self, draws: Sequence[Draw]) -> dict[str, Params]:
        """Return the params of each operation by its name; the second of a name is ``name[1]``."""
        of_operations = [draw for step, draw in zip(self.steps, draws, strict=True) if isinstance(step, Operation)]
        return {
            f"{name}[{occurrence}]" if occurrence else name: draw.params
            for (name, occurrence), draw in zip(self.names, of_operations, strict=True)
        }

    def decoding_request(self, draws: Sequence[Draw], sizes: Tensor) -> DecodingRequest | None:
        """Return what the view needs of undecoded images of sizes (N, 2); None if it needs all pixels."""
        if not self.leading:
            return None
        first = self.operations[0].augmentation
        return first.decoding_request(draws[0].params, sizes) if isinstance(first, SupportsPartialDecoding) else None

    def stages(self, steps: range) -> list[Stage]:
        """Return the stages in which some of the steps run."""
        return fuse(self.steps, steps)

    def run(self, images: Images, draws: Sequence[Draw], steps: range) -> Images:
        """Run some of the steps on images that the steps before have run on.

        Args:
            images: the images.
            draws: of all steps of the plan.
            steps: the numbers of the steps to run.

        Raises:
            UserError: an operation returns images of another type or shape than it announced.
        """
        stages = self.stages(steps)
        last = max((n for n, stage in enumerate(stages) if stage.augmentation), default=None)
        for number, stage in enumerate(stages):
            if stage.augmentation is None:
                if dtypes_of(images) != {torch.uint8}:
                    images = round_to_uint8(to_float(images), draws[stage.steps.start].params["uint8"])
                continue
            if not (takes_uint8(stage.augmentation) and self._may_return_uint8(stage)):
                images = to_float(images)
            params = stage.params(draws)
            try:
                with share_results(number == last):
                    images = apply(stage.augmentation, images, params)
            except (SslregError, *MACHINE_FAILURES):
                raise
            except Exception as error:
                raise self._explain(stage, error, params) from error
            self._check(stage, images, draws[stage.steps[-1]].shapes)
        return stack_images(images)

    def _may_return_uint8(self, stage: Stage) -> bool:
        """Return whether a stage may round its result: geometry only if it is all of the leading geometry."""
        assert stage.augmentation is not None
        return not stage.augmentation.geometry or stage.steps == range(self.leading)

    def _explain(self, stage: Stage, error: Exception, params: Params) -> UserError:
        """Return the error for an augmentation whose `apply` raises."""
        reason, hint = describe_error(error), None
        if isinstance(error, ValueError):
            reason = str(error)
        elif isinstance(error, KeyError) and error.args and error.args[0] not in params:
            hint = f"draw(keys, shapes) returns what apply reads, as {{{error.args[0]!r}: a tensor (N, …)}}"
        return UserError(f"{self._name(stage)}: {reason}", hint=hint, code="augmentation")

    def _check(self, stage: Stage, images: Images, announced: Tensor) -> None:
        """Compare a stage's images with the types and shapes (N, 3) that it announced."""
        augmentation = stage.augmentation
        assert augmentation is not None
        if not _are_images(images):
            raise UserError(
                f"{self._name(stage)}: apply returned a {type_name(images)}, not images as a tensor (N, C, H, W)",
                code="augmentation",
            )
        if len(images) != len(announced):
            raise UserError(
                f"{self._name(stage)}: apply returned {len(images)} images for {len(announced)}", code="augmentation"
            )
        allowed = (
            {torch.float32, torch.uint8} if takes_uint8(augmentation) and augmentation.geometry else {torch.float32}
        )
        if wrong := dtypes_of(images) - allowed:
            raise UserError(
                f"{self._name(stage)} returned {', '.join(map(str, wrong))}, not torch.float32", code="augmentation"
            )
        shapes = shapes_of(images)
        if not torch.equal(shapes, announced):
            row = int((shapes != announced).any(dim=1).nonzero()[0])
            raise UserError(
                f"{self._name(stage)} returned an image (C, H, W) of {shapes[row].tolist()}, and its output_shapes "
                f"said {announced[row].tolist()}",
                hint="override output_shapes in an augmentation that changes shapes",
                code="augmentation",
            )

    def _name(self, stage: Stage) -> str:
        return " + ".join(str(self.steps[step]) for step in stage.steps)


def _are_images(images: object) -> bool:
    if isinstance(images, Tensor):
        return images.ndim == 4
    return isinstance(images, list) and all(isinstance(image, Tensor) and image.ndim == 3 for image in images)


def _require_rows(params: object, count: int) -> None:
    """Raise a ValueError unless `params` is what `draw` has to return for `count` images."""
    if not isinstance(params, dict):
        raise ValueError(f"draw returned a {type_name(params)}, not a dict of tensors")
    for name, values in params.items():
        if not isinstance(values, Tensor) or not values.ndim or len(values) != count:
            shape = f"a tensor {tuple(values.shape)}" if isinstance(values, Tensor) else f"a {type_name(values)}"
            raise ValueError(f"draw returned {shape} as {name!r}, not a tensor with a row for each of {count} images")


def _require_shapes(shapes: object, count: int) -> None:
    """Raise a ValueError unless `shapes` is what `output_shapes` has to return for `count` images."""
    if not isinstance(shapes, Tensor) or shapes.shape != (count, 3):
        given = f"a tensor {tuple(shapes.shape)}" if isinstance(shapes, Tensor) else f"a {type_name(shapes)}"
        raise ValueError(f"output_shapes returned {given}, not a tensor ({count}, 3)")


def to_batch(images: Images) -> Tensor:
    """Return a view's images as float32 (N, C, H, W). UserError: they differ in size."""
    images = stack_images(to_float(images))
    if isinstance(images, Tensor):
        return images
    sizes = sorted({" × ".join(map(str, image.shape)) for image in images})
    raise UserError(
        f"a view's images have to agree in size, and they are {', '.join(sizes[:4])}{' …' * (len(sizes) > 4)}",
        hint="add a random_resized_crop, or a resize and a center_crop; give data.channels if channels differ",
        code="augmentation",
    )
