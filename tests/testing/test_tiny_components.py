"""The batches that models are checked with."""

import pytest
import torch

import sslreg
from sslreg.testing.example_arguments import FACTS
from sslreg.testing.tiny_components import TinyBackbone, make_batch, make_batch_for, reverse_roles


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


def test_batches_are_those_of_the_facts() -> None:
    (view,) = make_batch("").views

    assert view.shape == (FACTS["batch_size"], FACTS["in_channels"], FACTS["image_size"], FACTS["image_size"])
    assert TinyBackbone().num_features == FACTS["num_features"] == FACTS["embedding_dim"]
    assert FACTS["batch_size"] * FACTS["steps_per_epoch"] == FACTS["num_samples"]


def test_views_of_a_sample_resemble_each_other() -> None:
    first, second = (view.mean(dim=(2, 3)) for view in make_batch("", "").views)

    assert (first - second).abs().mean() < 0.2 * first.std()


def test_reversed_roles_keep_the_order_of_the_views_of_a_role() -> None:
    batch = make_batch("global", "global", "local")
    changed = reverse_roles(batch)

    assert (changed.roles, changed.groups) == (("local", "global", "global"), (0, 1, 1))
    for role in ("global", "local"):
        assert all(map(torch.equal, changed.views_of(role), batch.views_of(role)))
