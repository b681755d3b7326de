"""DCL against lightly's, and in all its variants against its definition."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from sslreg_losses import DCLLoss
from sslreg_memory_banks import FIFOMemoryBank


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_equals_lightly(make_views: Any, gradients: Any, temperature: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.loss import DCLLoss as LightlyLoss
    views = make_views(40, 16, dtype=torch.float32)
    value, expected = DCLLoss(temperature)(*views), LightlyLoss(temperature)(*views)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("negatives", ["batch", "bank", "both"])
@pytest.mark.parametrize("count", [2, 4])
def test_every_variant_equals_its_definition(
    make_views: Any, gradients: Any, reference: Any, count: int, negatives: Any, symmetric: bool
) -> None:
    views = make_views(7, 5, count)
    bank = None if negatives == "batch" else FIFOMemoryBank(11, 5, fill="random", dtype="float64")
    value = DCLLoss(0.3, bank, negatives=negatives, symmetric=symmetric)(*views)
    rows = None if bank is None else bank.negatives()
    expected = reference(views, 0.3, loss="dcl", symmetric=symmetric, batch=negatives != "bank", bank=rows)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views))


@pytest.mark.parametrize("loss", [DCLLoss(0.5), DCLLoss(0.5, FIFOMemoryBank(4, 3))])
def test_without_negatives_only_the_pull_to_the_positive_remains(make_views: Any, gradients: Any, loss: Any) -> None:
    views = make_views(1, 3)
    pull = -(normalize(views[0]) * normalize(views[1])).sum() / 0.5
    value = loss(*views)
    torch.testing.assert_close(value, pull)
    torch.testing.assert_close(gradients(value, views)[0], gradients(pull, views)[0])
