"""Draw the pictures of the documentation: ``python docs/pictures.py``.

They show views of the shipped specs on the sample photographs of scikit-learn, and the results of
`benchmarks/invariance.py`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot as plt
from PIL import Image
from sklearn.datasets import load_sample_images

import sslreg
from sslreg.report import preview

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
RECIPES = ("folder-simclr", "satellite-simclr", "medical-simclr", "texture-simclr", "product-simclr")

#: Views per photograph. Training makes two; more of them show the range of the augmentations.
VIEWS = 5

#: The rows of the invariance picture: the data, a figure, and its label.
ROWS = (
    ("photographs", "invariance_grayscale", "photographs turned gray"),
    ("photographs", "invariance_color_jitter_hue", "photographs of another hue"),
    ("digits", "invariance_affine_rotation", "digits rotated"),
)


def draw_views() -> None:
    """Draw a picture of the views of each recipe."""
    with tempfile.TemporaryDirectory() as root:
        for name, photograph in zip(("china", "flower"), load_sample_images().images, strict=True):
            Image.fromarray(photograph).save(Path(root) / f"{name}.png")
        for recipe in RECIPES:
            spec = sslreg.load_spec(recipe, [f"data.train.root={root}", f"views.0.repeat={VIEWS}"])
            preview(spec, samples=2).picture().save(IMAGES / f"{recipe}.webp", quality=85, method=6)


def draw_invariance() -> None:
    """Draw how far features move in networks trained with an augmentation, without it, and not at all."""
    measured = json.loads((DOCS.parent / "benchmarks" / "results" / "invariance.json").read_text(encoding="utf-8"))
    plt.rcParams.update({"font.size": 11, "svg.hashsalt": "sslreg", "svg.fonttype": "path"})
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for row, (data, name, _) in enumerate(ROWS):
        for kind, text in measured[data][name].items():
            network = kind.partition(" ")[0]
            if network not in STYLES:
                continue
            offset, color, label = STYLES[network]
            value, interval = map(float, text.split(" ± "))
            legend = label if row == 0 else None
            axes.errorbar(value, row + offset, xerr=interval, fmt="o", color=color, capsize=3, label=legend)
    axes.set_yticks(range(len(ROWS)), [label for _, _, label in ROWS])
    axes.set_xlim(0, 1.25)
    axes.set_xlabel("how far the features move (0: not at all, 1: as far as to another image)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.25)
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.4, 1.25))
    figure.savefig(IMAGES / "invariance.svg", metadata={"Date": None}, facecolor="white")


#: For each kind of network: its offset from the row, its color and its label.
STYLES = {
    "with": (0.18, "#1f5fa8", "trained with that augmentation"),
    "without": (0.0, "#c2541b", "trained without it"),
    "untrained": (-0.18, "#8a8f98", "untrained"),
}


if __name__ == "__main__":
    draw_views()
    draw_invariance()
