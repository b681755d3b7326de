"""Draws the recipes' pictures from scikit-learn's sample photographs: ``python docs/pictures.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

import sslreg
from sslreg.report import preview

IMAGES = Path(__file__).with_name("images")
RECIPES = ("folder-simclr", "satellite-simclr", "medical-simclr", "texture-simclr", "product-simclr")

#: Views of each photograph, where a training makes two: more of them show what may happen.
VIEWS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        for name, photograph in zip(("china", "flower"), load_sample_images().images, strict=True):
            Image.fromarray(photograph).save(Path(root) / f"{name}.png")
        for recipe in RECIPES:
            spec = sslreg.load_spec(recipe, [f"data.train.root={root}", f"views.0.repeat={VIEWS}"])
            preview(spec, samples=2).picture().save(IMAGES / f"{recipe}.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
