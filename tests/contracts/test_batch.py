from dataclasses import replace

import numpy as np
import pytest
import torch

import sslreg
from sslreg import UserError
from sslreg.contracts import as_sample, is_label_set


def make_batch(**fields) -> sslreg.Batch:
    views = [torch.full((2, 3, size, size), float(size)) for size in (4, 8, 4)]
    return sslreg.Batch(views, None, torch.arange(2), **fields)


def test_views_are_found_by_their_role() -> None:
    batch = make_batch(roles=("local", "global", "local"))

    for same in (batch, batch.to("cpu"), replace(batch, targets=torch.zeros(2))):
        assert [view.shape[-1] for view in same.views_of("local")] == [4, 4]
        assert [view.shape[-1] for view in same.views_of("global")] == [8]
        assert same.views_of("other") == []


def test_a_batch_without_roles_says_how_to_give_them() -> None:
    with pytest.raises(ValueError, match=r"3 views and 0 roles; .* Batch\(…, roles=\(…\)\)"):
        make_batch().views_of("global")


def test_keys_of_a_batch_made_by_hand_are_drawn_from_torchs_generator_once() -> None:
    torch.manual_seed(0)
    batch = make_batch()
    mask = batch.keys("mask").uniform()

    assert torch.equal(batch.keys("mask").uniform(), mask)
    assert torch.equal(batch.to("cpu").keys("mask").uniform(), mask)
    assert not torch.equal(batch.keys("other").uniform(), mask)
    assert not torch.equal(make_batch().keys("mask").uniform(), mask)
    torch.manual_seed(0)
    assert torch.equal(make_batch().keys("mask").uniform(), mask)


def test_a_vector_of_zeros_and_ones_is_a_target_of_several_labels() -> None:
    for vector in (np.array([0, 1, 1]), torch.tensor([False, True, True]), np.array([0.0, 1.0, 1.0])):
        target = as_sample((torch.zeros(1, 2, 2), vector)).target
        assert is_label_set(target)
        assert target.tolist() == [False, True, True]
    with pytest.raises(UserError, match="has values other than 0 and 1"):
        as_sample((torch.zeros(1, 2, 2), np.array([0, 2])))
