from collections.abc import Callable

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from sslreg.contracts import SampleKeys
from sslreg_augmentations.rotate90 import Rotate90


def test_it_turns_counterclockwise_as_numpy_does(images: Tensor) -> None:
    turns = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    for image, turn, result in zip(images, turns, Rotate90().apply(images, {"turns": turns}), strict=True):
        assert np.array_equal(result, np.rot90(image.numpy(), int(turn), (1, 2)))


def test_each_turn_is_as_likely(keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor]) -> None:
    turns, counts = np.unique(Rotate90().draw(keys(4_000), shapes(4_000))["turns"], return_counts=True)
    assert turns.tolist() == [0, 1, 2, 3]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_quarter_turn_exchanges_height_and_width() -> None:
    shapes = torch.tensor([[3, 4, 5]] * 2)
    assert Rotate90().output_shapes(shapes, {"turns": torch.tensor([1, 2])}).tolist() == [[3, 5, 4], [3, 4, 5]]
