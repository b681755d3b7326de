"""SwAV's loss against lightly's, and its codes against their definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightly.loss import SwaVLoss as LightlyLoss

from sslreg_losses import SwAVLoss


@pytest.mark.parametrize("queue_rows", [0, 5])
@pytest.mark.parametrize("local_views", [0, 3])
def test_equals_lightly(make_views: Any, gradients: Any, local_views: int, queue_rows: int) -> None:
    views = make_views(9, 6, 2 + local_views)
    scores = [view.detach().sin().requires_grad_() for view in views]
    queues = [queue.cos() for queue in make_views(queue_rows, 6, seed=1)] if queue_rows else []
    loss, theirs = SwAVLoss(0.2, 0.1, 4), LightlyLoss(0.2, 4, 0.1)
    value, expected = loss(scores[:2], scores[2:], queues), theirs(scores[:2], scores[2:], queues or None)[0]
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients(value, scores), gradients(expected, scores), rtol=1e-12, atol=1e-12)


def test_codes_spread_samples_evenly_over_prototypes(make_views: Any) -> None:
    (view,) = make_views(12, 4, 1)
    codes = SwAVLoss(epsilon=0.5, sinkhorn_iterations=50).assign(view.detach().sin(), view[:0])
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(12, dtype=torch.float64))
    torch.testing.assert_close(codes.sum(dim=0), torch.full((4,), 3.0, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_small_epsilon_does_not_overflow(make_views: Any, dtype: torch.dtype) -> None:
    views = [view.sin() for view in make_views(9, 6)]
    exact = SwAVLoss(epsilon=0.005)([view.to(dtype).double() for view in views])
    value = SwAVLoss(epsilon=0.005)([view.to(dtype) for view in views])
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-4)


def test_the_queue_gets_no_gradient(make_views: Any) -> None:
    views, queues = make_views(9, 6), make_views(5, 6, seed=1)
    SwAVLoss()(views, (), queues).backward()
    assert all(view.grad is not None for view in views)
    assert all(queue.grad is None for queue in queues)
