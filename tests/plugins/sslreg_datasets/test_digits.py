import numpy as np
from sklearn.datasets import load_digits

from sslreg_datasets.digits import Digits


def test_test_split_is_the_last_quarter_of_the_permutation() -> None:
    order = np.random.default_rng(0).permutation(1797)
    test = Digits(split="test")
    assert len(test) == 1797 // 4 == 449
    assert test.targets.tolist() == load_digits().target[order[-449:]].tolist()


def test_train_and_test_together_are_all() -> None:
    train, test, everything = Digits(), Digits(split="test"), Digits(split="all")
    assert len(train) + len(test) == len(everything) == 1797
    assert np.array_equal(np.concatenate([train.images, test.images]), everything.images)


def test_images_are_the_originals_spread_over_a_byte() -> None:
    digits = Digits(split="all")
    image, target = digits[5]
    original = load_digits()
    at = np.random.default_rng(0).permutation(1797)[5]
    assert image.shape == (1, 8, 8)
    assert image.dtype == np.uint8
    assert np.abs(image[0] / 255 - original.images[at] / 16).max() <= 0.5 / 255
    assert target == original.target[at]


def test_classes_are_the_ten_digits() -> None:
    assert Digits().classes == list("0123456789")
