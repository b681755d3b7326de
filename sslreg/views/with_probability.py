"""The probability with which an operation is applied to a sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Images, Keys, Params
from sslreg.contracts.augmentation_protocols import DecodingRequest, SupportsPartialDecoding, takes_uint8
from sslreg.views.masked_apply import apply_where

MASK = "applied"


class WithProbability(Augmentation):
    """Applies an augmentation to each sample with probability p.

    A spec's ``p:`` becomes this. The augmentation draws what it would draw without it, so p changes which samples are
    augmented and not how. The mask is among the params as ``applied``, bool (N,).
    """

    params_on_host = True

    def __init__(self, augmentation: Augmentation, p: float) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p is a probability, in [0, 1], not {p}")
        self.augmentation, self.p = augmentation, p
        self.ragged, self.geometry = augmentation.ragged, augmentation.geometry
        self.host_only = augmentation.host_only
        # A photometric operation would return float32 for some samples and leave uint8 for the others.
        self.takes_uint8 = takes_uint8(augmentation) and augmentation.geometry

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        return {MASK: keys.child(MASK).bernoulli(self.p), **self.augmentation.draw(keys, shapes)}

    def apply(self, images: Images, params: Params) -> Images:
        return apply_where(params[MASK], self.augmentation, images, _without_mask(params))

    def output_shapes(self, shapes: Tensor, params: Params) -> Tensor:
        changed = self.augmentation.output_shapes(shapes, _without_mask(params))
        return changed.where(params[MASK].unsqueeze(1), shapes)

    def for_embedding(self) -> Sequence[Augmentation]:
        return self.augmentation.for_embedding() if self.p == 1.0 else ()

    def decoding_request(self, params: Params, sizes: Tensor) -> DecodingRequest | None:
        """Return the augmentation's request for the images that it is applied to, and one for all pixels of others."""
        if not isinstance(self.augmentation, SupportsPartialDecoding):
            return None
        request = self.augmentation.decoding_request(_without_mask(params), sizes)
        if request is None:
            return None
        mask = params[MASK].unsqueeze(1)

        def rescale(reductions: Tensor, origins: Tensor) -> Params:
            return {MASK: params[MASK], **request.rescale(reductions, origins)}

        whole = torch.cat((torch.zeros_like(sizes), sizes), dim=1)
        return DecodingRequest(request.min_sizes.where(mask, sizes), request.boxes.where(mask, whole), rescale)


def _without_mask(params: Params) -> Params:
    return {name: values for name, values in params.items() if name != MASK}
