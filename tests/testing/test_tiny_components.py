"""The batches that models are checked with."""

import pytest
import torch

import sslreg
from sslreg.testing.tiny_components import make_batch_for


@pytest.mark.parametrize(
    ("attributes", "additional", "roles"),
    [
        ({}, 0, ("", "")),
        ({"views": (0, None)}, 0, ("",)),
        ({"views": (1, 2)}, 2, ("", "")),
        ({"roles": {"global": (2, 2), "local": (0, None)}}, 0, ("global", "global")),
        ({"roles": {"global": (2, 2), "local": (0, None)}}, 1, ("global", "global", "local")),
    ],
)
def test_a_batch_has_as_many_views_of_each_role_as_the_model_takes(attributes, additional, roles) -> None:
    batch = make_batch_for(type("Method", (sslreg.Model,), attributes)(), additional)

    assert batch.roles == roles
    assert [view.shape[-1] for view in batch.views] == [8 if role == "local" else 16 for role in roles]
    assert torch.equal(batch.keys("mask").seeds(), batch.keys("mask").seeds())
