"""Every registered default component keeps its contract."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from sslreg.registry import installed
from sslreg.testing import conformance

#: A backbone of patches for images of 16x16 pixels.
VIT = {"use": "vit", "patch_size": 4, "width": 16, "depth": 2, "heads": 2}

#: Required parameters that cannot be guessed from their types, and smaller values for slow defaults.
PARAMETERS: dict[str, dict[str, Any]] = {
    "augmentation/normalize": {"stats": "imagenet"},
    "backbone/timm": {"name": "test_vit"},
    "dataset/image_folder": {"root": "images"},
    "dataset/array": {"file": "stack.npy"},
    "dataset/huggingface": {"path": "saved"},
    "dataset/list": {"file": "images/list.txt"},
    "dataset/segmentation_folder": {"root": "scenes", "classes": ["sky", "sea"]},
    "dataset/table": {"file": "images/table.csv", "label": "kind", "group": "day"},
    "dataset/webdataset": {"shards": "images.tar"},
    **{f"model/{name}": {"projection": [32, 16]} for name in ("barlow_twins", "lejepa", "moco", "simclr", "vicreg")},
    **{
        f"model/{name}": {"projection": [32, 16], "prediction": [32]}
        for name in ("byol", "moco_v3", "nnclr", "simsiam")
    },
    "model/dino": {"projection": [32, 16], "out_dim": 24},
    "model/ijepa": {"backbone": VIT, "predictor_depth": 2, "predictor_width": 16, "predictor_heads": 2},
    "model/mae": {"backbone": VIT, "decoder_depth": 2, "decoder_width": 16, "decoder_heads": 2},
    "model/simmim": {"backbone": VIT, "masks": {"use": "random", "ratio": 0.6}},
    **{f"model/{name}": {"backbone": VIT, "projection": [32, 16], "out_dim": 24} for name in ("dinov2", "ibot")},
    "model/swav": {"projection": [32, 16], "prototypes": 24},
}


def images() -> dict[str, list[bytes]]:
    """Encoded images for readers: a photograph and noise in common formats."""
    photo = Image.fromarray(load_sample_images().images[0])
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 31, 3), dtype=np.uint8))
    jpegs = [(photo, {}), (photo.convert("L"), {}), (noise.convert("CMYK"), {}), (photo, {"progressive": True})]
    others = [(noise, name) for name in ("PNG", "WEBP", "BMP", "PPM", "JPEG2000")]
    others += [(noise.convert("RGBA"), "PNG")]
    tiffs = [encoded(noise, "TIFF"), encoded(noise.convert("L").convert("I;16"), "TIFF")]
    if find_spec("tifffile"):
        tiffs.append(encode_bands())
    return {
        "reader/jpeg": [encoded(image, "JPEG", **options) for image, options in jpegs],
        "reader/pillow": [encoded(image, name) for image, name in others],
        "reader/tiff": tiffs,
        "reader/numpy": encode_arrays(),
        "reader/dicom": encode_dicom(),
    }


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def encode_arrays() -> list[bytes]:
    """Return an array as .npy and .npz."""
    plain, packed = io.BytesIO(), io.BytesIO()
    levels = np.random.default_rng(0).integers(0, 65536, (40, 31), dtype=np.uint16)
    np.save(plain, levels)
    np.savez_compressed(packed, levels)
    return [plain.getvalue(), packed.getvalue()]


def encode_dicom() -> list[bytes]:
    """Return a DICOM file of 12 bits; none if pydicom is not installed."""
    if not find_spec("pydicom"):
        return []
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    data, file = Dataset(), io.BytesIO()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    levels = np.random.default_rng(0).integers(0, 4096, (40, 31), dtype=np.uint16)
    data.set_pixel_data(levels, "MONOCHROME2", 12, generate_instance_uid=False)
    data.save_as(file, enforce_file_format=True)
    return [file.getvalue()]


def encode_bands() -> bytes:
    """Return a TIFF file of 13 bands of 16 bits."""
    import tifffile

    file, levels = io.BytesIO(), np.random.default_rng(0).integers(0, 65536, (40, 31, 13), dtype=np.uint16)
    tifffile.imwrite(file, levels, photometric="minisblack", planarconfig="contig", compression="deflate")
    return file.getvalue()


def left_out() -> dict[str, str]:
    """Components that need a download or an extra, and all but the first backbone of a family that one class builds."""
    extras = {
        "timm": "backbone/timm",
        "datasets": "dataset/huggingface",
        "webdataset": "dataset/webdataset",
        "pydicom": "reader/dicom",
        "tensorboard": "logger/tensorboard",
    }
    reasons = {name: f"{extra} is not installed" for extra, name in extras.items() if not find_spec(extra)}
    reasons |= {f"logger/{name}": "a run of it is tested with the plugin" for name in ("mlflow", "wandb")}
    families: set[str] = set()
    for info in installed():
        family, _, library = info.summary.partition(", torchvision's ")
        if info.kind == "dataset" and info.target.startswith("sslreg_datasets.torchvision_datasets:"):
            reasons[f"dataset/{info.name}"] = "it has to be downloaded"
        elif info.kind == "backbone" and library and family in families:
            reasons[f"backbone/{info.name}"] = f"another {family} is tested"
        families.add(family)
    return reasons


@pytest.fixture(autouse=True, scope="module")
def folder_of_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The working directory has a folder of images, of two classes."""
    root: Path = tmp_path_factory.mktemp("work")
    for number, name in enumerate(["cats/a.png", "cats/b.png", "dogs/c.png"]):
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 9), (40 * number, 90, 120)).save(root / "images" / name)
    for folder, mode, color in (("images", "RGB", (40, 90, 120)), ("masks", "L", 1)):
        (root / "scenes" / folder).mkdir(parents=True)
        Image.new(mode, (12, 9), color).save(root / "scenes" / folder / "a.png")
    np.save(root / "stack.npy", np.zeros((3, 3, 5, 6), dtype=np.uint8))
    if find_spec("datasets"):
        save_for_hugging_face(root / "saved")
    (root / "images" / "list.txt").write_text("cats/a.png\ndogs/c.png\n")
    (root / "images" / "table.csv").write_text("path,kind,day\ncats/a.png,cat,1\ndogs/c.png,dog,2\n")
    with tarfile.open(root / "images.tar", "w") as tar:
        tar.add(root / "images", "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        yield


def save_for_hugging_face(folder: Path) -> None:
    from datasets import Dataset

    photo = {"bytes": encoded(Image.new("RGB", (12, 9)), "PNG"), "path": None}
    Dataset.from_dict({"image": [photo, photo]}).save_to_disk(folder)


test_defaults = conformance.of("sslreg", parameters=PARAMETERS, leave_out=left_out(), largest=2e6, images=images())
