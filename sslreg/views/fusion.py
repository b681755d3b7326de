"""Adjacent operations that one augmentation does together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sslreg.contracts.augmentation import Augmentation, Params
from sslreg.views.with_probability import WithProbability


@dataclass(frozen=True)
class Stage:
    """Some steps of a plan, and the augmentation that does them: itself if it is one, else what they fused into."""

    steps: range
    augmentation: Augmentation

    def params(self, drawn: Sequence[Params]) -> Params:
        """What the stage's augmentation takes, from what each of its steps drew."""
        if len(drawn) == 1:
            return drawn[0]
        return {f"{k}.{name}": values for k, params in enumerate(drawn) for name, values in params.items()}


def fused(augmentations: Sequence[Augmentation], steps: range) -> list[Stage]:
    """The stages of some of a plan's steps, each as long as its operations absorb their successors."""
    stages: list[Stage] = []
    for step in steps:
        following = augmentations[step]
        if stages and (together := _inner(stages[-1].augmentation).absorb(_inner(following))):
            stages[-1] = Stage(range(stages[-1].steps.start, step + 1), together)
        else:
            stages.append(Stage(range(step, step + 1), following))
    return stages


def _inner(augmentation: Augmentation) -> Augmentation:
    """What acts, with or without a probability: a mask is among the params of a stage."""
    return augmentation.augmentation if isinstance(augmentation, WithProbability) else augmentation
