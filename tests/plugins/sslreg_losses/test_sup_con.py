"""SupCon against its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sslreg_losses import NTXentLoss, SupConLoss


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("targets", [[0] * 8, [0, 1, 2, 3, 4, 5, 6, 7], [7, -3, 7, 7, 0, -3, 9, 100000]])
def test_equals_its_definition(make_views: Any, gradients: Any, reference: Any, targets: list[int], count: int) -> None:
    views, labels = make_views(8, 5, count), torch.tensor(targets)
    value, expected = SupConLoss(0.2)(*views, targets=labels), reference(views, 0.2, targets=labels)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views))


def test_is_nt_xent_where_every_sample_is_its_own_class(make_views: Any) -> None:
    views = make_views(8, 5, 3)
    torch.testing.assert_close(SupConLoss(0.2)(*views, targets=torch.arange(8)), NTXentLoss(0.2)(*views))


@pytest.mark.parametrize(("targets", "named"), [(None, "shape None"), (torch.zeros(3), r"shape \(3,\)")])
def test_refuses_targets_that_do_not_match(make_views: Any, targets: Any, named: str) -> None:
    with pytest.raises(ValueError, match=f"each of the 8 samples, but the targets have {named}"):
        SupConLoss()(*make_views(8, 5), targets=targets)
