"""Handwritten digits, without a download."""

from __future__ import annotations

from typing import Literal

import numpy as np

import sslreg


class Digits(sslreg.Dataset):
    """The 1,797 digits of scikit-learn: one channel, 8x8 pixels, ten classes.

    Images are uint8 arrays (1, 8, 8), with the original levels 0 to 16 scaled to 0 to 255.

    Args:
        split: ``test`` is the last quarter of numpy's ``default_rng(0).permutation(1797)``, rounded down to 449
            samples; ``train`` is the 1,348 before it, ``all`` is everything in that order.
    """

    targets: np.ndarray

    def __init__(self, split: Literal["train", "test", "all"] = "train") -> None:
        # Imported here, so that `sslreg check` does not load scikit-learn.
        from sklearn.datasets import load_digits

        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.target))
        first_of_test = len(order) - len(order) // 4
        chosen = {"train": order[:first_of_test], "test": order[first_of_test:], "all": order}[split]
        self.images = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)[:, None]
        self.targets = digits.target[chosen].astype(np.int64)
        self.classes = [str(digit) for digit in digits.target_names]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.targets[index])
