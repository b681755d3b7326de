"""The checksum of tensors."""

from __future__ import annotations

import zlib

import pytest
import torch
from torch import Tensor

from sslreg.evaluation.checksum import checksum_tensor, checksum_weights

LEVELS = torch.arange(12, dtype=torch.float32).reshape(3, 4)


@pytest.mark.parametrize(
    "tensor",
    [LEVELS, LEVELS.T, LEVELS[:, ::2], LEVELS.clone().requires_grad_(), LEVELS.bool(), torch.tensor(7), LEVELS[:0]],
    ids=["plain", "transposed", "strided", "with a gradient", "bool", "scalar", "empty"],
)
def test_it_is_the_crc_of_the_values_in_their_order(tensor: Tensor) -> None:
    assert checksum_tensor(tensor) == zlib.crc32(tensor.detach().contiguous().numpy().tobytes())


def test_a_checksum_is_continued() -> None:
    assert checksum_tensor(LEVELS[1:], checksum_tensor(LEVELS[:1])) == checksum_tensor(LEVELS)


def test_the_sign_of_zero_and_types_without_numpys_count() -> None:
    assert checksum_tensor(torch.tensor([0.0])) != checksum_tensor(torch.tensor([-0.0]))
    assert checksum_tensor(LEVELS.bfloat16()) == checksum_tensor(LEVELS.bfloat16().view(torch.int16))


def test_the_weights_are_told_by_names_and_values() -> None:
    first, second = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    second.load_state_dict(first.state_dict())
    assert checksum_weights(first) == checksum_weights(second)
    assert checksum_weights(torch.nn.Sequential(first)) != checksum_weights(first)
    with torch.no_grad():
        second.bias[0] += 1
    assert checksum_weights(first) != checksum_weights(second)
