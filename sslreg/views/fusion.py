"""Adjacent operations of a plan that one augmentation does in a single pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sslreg.contracts.augmentation import Augmentation, Params
from sslreg.contracts.augmentation_protocols import supports_fusion
from sslreg.views.steps import Draw, Rounding, Step
from sslreg.views.with_probability import WithProbability


@dataclass(frozen=True)
class Stage:
    """Adjacent steps of a plan that run in one pass.

    Attributes:
        steps: their numbers in the plan.
        augmentation: does their work; None for the rounding.
    """

    steps: range
    augmentation: Augmentation | None

    def params(self, draws: Sequence[Draw]) -> Params:
        """Return the params of the stage's augmentation. draws: of all steps of the plan."""
        if len(self.steps) == 1:
            return draws[self.steps[0]].apply_params
        return {
            f"{k}.{name}": values
            for k, step in enumerate(self.steps)
            for name, values in draws[step].apply_params.items()
        }


def fuse(steps: Sequence[Step], numbers: range) -> list[Stage]:
    """Group the steps of these numbers into stages, each as long as its operations fuse with their successors."""
    stages: list[Stage] = []
    for number in numbers:
        step = steps[number]
        if isinstance(step, Rounding):
            stages.append(Stage(range(number, number + 1), None))
        elif stages and (together := _fuse_pair(stages[-1].augmentation, step.augmentation)):
            stages[-1] = Stage(range(stages[-1].steps.start, number + 1), together)
        else:
            stages.append(Stage(range(number, number + 1), step.augmentation))
    return stages


def _fuse_pair(first: Augmentation | None, second: Augmentation) -> Augmentation | None:
    # With or without a probability: the mask is among the params of the stage.
    inner = first.augmentation if isinstance(first, WithProbability) else first
    following = second.augmentation if isinstance(second, WithProbability) else second
    return inner.fuse_with(following) if supports_fusion(inner) else None
