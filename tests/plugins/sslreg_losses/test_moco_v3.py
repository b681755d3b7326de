"""MoCo v3's loss against the pseudocode of the paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from sslreg_losses import MoCoV3Loss


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_equals_the_pseudocode_of_the_paper(make_views: Any, gradients: Any, temperature: float) -> None:
    query, key = make_views(9, 5)
    logits = normalize(query, dim=1) @ normalize(key.detach(), dim=1).T / temperature
    expected = cross_entropy(logits, torch.arange(9)) * 2 * temperature
    value = MoCoV3Loss(temperature)(query, key)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, [query]), gradients(expected, [query]))


def test_keys_get_no_gradient(make_views: Any) -> None:
    query, key = make_views(9, 5)
    MoCoV3Loss()(query, key).backward()
    assert query.grad is not None
    assert key.grad is None
