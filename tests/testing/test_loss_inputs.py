"""The selection of samples from the inputs of a loss."""

from __future__ import annotations

import torch

from sslreg.testing.loss_inputs import LossInputs
from sslreg.testing.tiny_components import SAMPLES


def test_rows_of_masked_patches_follow_their_samples() -> None:
    masks = torch.arange(SAMPLES)[:, None] % 4 > torch.arange(3)
    masks = torch.stack([masks, masks.flip(0)])
    values = torch.arange(masks.numel()).reshape(masks.shape).double()
    samples = torch.tensor([5, 0, 2])
    rows, selected = LossInputs((values[masks], masks)).select(samples).arguments
    assert torch.equal(selected, masks[:, samples])
    assert torch.equal(rows, values[:, samples][masks[:, samples]])
