"""Reference losses: the definitions in float64, with every logit in one matrix."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

Reference = Callable[..., Tensor]


def _reference(
    views: list[Tensor],
    temperature: float,
    *,
    loss: str = "nt_xent",
    symmetric: bool = True,
    batch: bool = True,
    bank: Tensor | None = None,
    targets: Tensor | None = None,
) -> Tensor:
    """The loss by definition; differentiable. targets: the samples' classes, in place of their numbers."""
    count, samples = len(views), len(views[0])
    z = normalize(torch.cat(views).double(), dim=1)
    sample = torch.arange(samples).repeat(count)
    label = sample if targets is None else targets.repeat(count)
    itself = torch.eye(len(z), dtype=torch.bool)
    positive = (label[:, None] == label) & ~itself
    candidate = ~itself if batch else (sample[:, None] == sample) & ~itself
    logits = z @ z.T / temperature
    if not symmetric:
        candidate = candidate & (torch.arange(len(z)) >= samples)
        logits, candidate, positive = logits[:samples], candidate[:samples], positive[:samples]
    mean_positive = torch.where(positive, logits, 0.0).sum(1) / positive.sum(1)
    if loss == "dcl":
        candidate = candidate & ~positive
    logits = logits.masked_fill(~candidate, -torch.inf)
    if bank is not None:
        past = z[: len(logits)] @ bank.double().T / temperature
        logits = torch.cat([logits, past], dim=1)
    return (logits.logsumexp(1) - mean_positive).mean()


def _views(n: int, d: int, count: int = 2, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sample = torch.randn(n, d, generator=generator, dtype=torch.float64)
    noisy = [sample + torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(count)]
    return [view.to(dtype).requires_grad_() for view in noisy]


@pytest.fixture
def reference() -> Reference:
    return _reference


@pytest.fixture
def make_views() -> Callable[..., list[Tensor]]:
    """N samples of D values in correlated views that require gradients."""
    return _views


@pytest.fixture
def gradients() -> Callable[[Tensor, list[Tensor]], Tensor]:
    """The gradients of a loss by its views, stacked."""
    return lambda loss, views: torch.stack(torch.autograd.grad(loss, views))
