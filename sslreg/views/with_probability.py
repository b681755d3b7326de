"""The probability with which an operation acts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Images, Keys, Params
from sslreg.views.image_batches import apply_where

MASK = "applied"


class WithProbability(Augmentation):
    """Applies another augmentation to each sample with probability p.

    A spec's ``p:`` becomes this. The other draws what it would draw without it, so changing p changes which samples are
    augmented and not how. The mask is among the params as ``applied``, bool (N,).
    """

    def __init__(self, augmentation: Augmentation, p: float) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p is a probability, in [0, 1], not {p}")
        self.augmentation, self.p = augmentation, p
        self.ragged, self.geometry = augmentation.ragged, augmentation.geometry
        self.host_only = augmentation.host_only
        self.host_params = True
        # Photometry would return float32 for some of the samples, and leave the levels of the others.
        self.eight_bits = augmentation.eight_bits and augmentation.geometry

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        return {MASK: keys.child(MASK).bernoulli(self.p), **self.augmentation.draw(keys, shapes)}

    def apply(self, images: Images, params: Params) -> Images:
        return apply_where(params[MASK], self.augmentation, images, _without_mask(params))

    def output_shapes(self, shapes: Tensor, params: Params) -> Tensor:
        changed = self.augmentation.output_shapes(shapes, _without_mask(params))
        return changed.where(params[MASK].unsqueeze(1), shapes)

    def for_embedding(self) -> Sequence[Augmentation]:
        return self.augmentation.for_embedding() if self.p == 1.0 else ()


def _without_mask(params: Params) -> Params:
    return {name: values for name, values in params.items() if name != MASK}
