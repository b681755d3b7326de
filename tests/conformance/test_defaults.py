"""Every registered default component keeps its contract."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sslreg.registry import installed
from sslreg.testing import conformance

#: What cannot be guessed from the types.
PARAMETERS: dict[str, dict[str, Any]] = {
    "augmentation/normalize": {"stats": "imagenet"},
    "backbone/timm": {"name": "resnet10t"},
    "dataset/image_folder": {"root": "images"},
    "dataset/webdataset": {"shards": "images.tar"},
}


def left_out() -> dict[str, str]:
    """What needs a download or an extra, and of backbones that one class makes all but the first of a family."""
    extras = {"timm": "backbone/timm", "webdataset": "dataset/webdataset", "tensorboard": "logger/tensorboard"}
    reasons = {name: f"{extra} is not installed" for extra, name in extras.items() if not find_spec(extra)}
    reasons |= {f"logger/{name}": "a run of it is tested with the plugin" for name in ("mlflow", "wandb")}
    families: set[str] = set()
    for info in installed():
        family, _, library = info.summary.partition(", torchvision's ")
        if info.kind == "dataset" and info.target.startswith("sslreg_datasets.torchvision_datasets:"):
            reasons[f"dataset/{info.name}"] = "it has to be downloaded"
        elif info.kind == "backbone" and library and family in families:
            reasons[f"backbone/{info.name}"] = f"another {family} stands for it"
        families.add(family)
    return reasons


@pytest.fixture(autouse=True, scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The working directory has a folder of images, of two classes."""
    root: Path = tmp_path_factory.mktemp("work")
    for number, name in enumerate(["cats/a.png", "cats/b.png", "dogs/c.png"]):
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 9), (40 * number, 90, 120)).save(root / "images" / name)
    with tarfile.open(root / "images.tar", "w") as tar:
        tar.add(root / "images", "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        yield


test_defaults = conformance.of("sslreg", parameters=PARAMETERS, leave_out=left_out(), largest=2e6)
