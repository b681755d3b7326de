"""SimMIM's loss against the published formula."""

from __future__ import annotations

import pytest
import torch

from sslreg_losses import SimMIMLoss
from sslreg_models.patchify import patchify


def test_equals_the_published_formula() -> None:
    """The published code masks pixels, sums over channels and divides by the number of channels at the end."""
    generator = torch.Generator().manual_seed(0)
    reconstruction, images = torch.rand(2, 4, 3, 6, 8, generator=generator, dtype=torch.float64)
    masked = torch.rand(4, 3, 4, generator=generator) < 0.6
    reconstruction.requires_grad_()
    pixels = masked.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None]
    expected = ((images - reconstruction).abs() * pixels).sum() / (pixels.sum() + 1e-5) / 3
    value = SimMIMLoss()(patchify(reconstruction, 2), patchify(images, 2), masked.flatten(1))
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-9)
    ours, theirs = (torch.autograd.grad(loss, reconstruction)[0] for loss in (value, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


def test_shapes_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        SimMIMLoss()(torch.rand(2, 4, 3), torch.rand(2, 4, 2), torch.ones(2, 4, dtype=torch.bool))
