"""Images in a folder, next to their masks."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sslreg import UserError
from sslreg.contracts import load_segmentation_mask
from sslreg_datasets.segmentation_folder import SegmentationFolder

MASK = np.array([[0, 1, 2], [2, 255, 0]], dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images, one of them in a subfolder, whose masks have a palette and gray levels."""
    for name in ("a.jpg", "city/b.png"):
        image, mask = tmp_path / "images" / name, (tmp_path / "masks" / name).with_suffix(".png")
        image.parent.mkdir(parents=True, exist_ok=True)
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(image)
        save_mask(mask, "P" if name == "a.jpg" else "L")
    return tmp_path


def save_mask(path: Path, mode: str, values: np.ndarray = MASK) -> None:
    image = Image.fromarray(values)
    if mode == "P":
        image.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0] + 253 * [0, 0, 200])
    image.save(path)


def mask_of(folder: SegmentationFolder, index: int = 0) -> list[list[int]]:
    values: list[list[int]] = load_segmentation_mask(folder[index][1]).tolist()
    return values


def test_images_have_masks_of_the_same_path(root: Path) -> None:
    folder = SegmentationFolder(str(root), classes=["road", "sky", "car"])
    assert [folder.name(index) for index in range(len(folder))] == ["a.jpg", "city/b.png"]
    assert folder[1][0] == str(root / "images" / "city/b.png")
    assert mask_of(folder, 0) == mask_of(folder, 1) == MASK.tolist()
    assert mask_of(pickle.loads(pickle.dumps(folder))) == MASK.tolist()


def test_folders_may_have_other_names(root: Path) -> None:
    (root / "images").rename(root / "photos")
    (root / "masks").rename(root / "labels")
    assert mask_of(SegmentationFolder(str(root), images="photos", masks="labels")) == MASK.tolist()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_gray_levels_of_a_few_bits_are_class_numbers(root: Path, bits: int) -> None:
    values = np.array([[0, 1, 1], [1, 0, 2**bits - 1]], dtype=np.uint8)
    write_gray_png(root / "masks/a.png", values, bits)
    assert mask_of(SegmentationFolder(str(root))) == values.tolist()


def write_gray_png(path: Path, values: np.ndarray, bits: int) -> None:
    """Write a PNG file of gray levels of a few bits, which Pillow does not."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape
    packed = np.packbits(
        np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(height, width * bits), axis=1
    )
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_class_numbers_of_16_bits_are_kept(root: Path) -> None:
    values = np.array([[0, 254, 255], [256, 300, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(root / "masks/a.png")
    assert mask_of(SegmentationFolder(str(root))) == values.tolist()


def test_a_value_may_be_ignored_in_addition(root: Path) -> None:
    folder = SegmentationFolder(str(root), ignore=2, classes=["road", "sky"])
    assert mask_of(folder) == [[0, 1, 255], [255, 255, 0]]


def test_a_missing_mask_is_named(root: Path) -> None:
    (root / "masks/city/b.png").unlink()
    message = r"1 of 2 images .* have no mask; the mask of 'city/b.png' would be '.*masks/city/b.png'"
    with pytest.raises(ValueError, match=message):
        SegmentationFolder(str(root))


@pytest.mark.parametrize("name", ["images", "masks"])
def test_a_missing_folder_is_named(root: Path, name: str) -> None:
    (root / name).rename(root / "elsewhere")
    with pytest.raises(ValueError, match=f"no folder '.*{name}'"):
        SegmentationFolder(str(root))


def test_a_mask_with_colors_is_refused(root: Path) -> None:
    Image.new("RGB", (3, 2)).save(root / "masks/a.png")
    with pytest.raises(UserError, match=r"the mask .*a.png has colors \(RGB\)"):
        mask_of(SegmentationFolder(str(root)))


def test_a_class_number_beyond_the_classes_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"the mask .*a.png has the class number 2, and there are 2 classes"):
        mask_of(SegmentationFolder(str(root), classes=["road", "sky"]))


def test_a_broken_mask_is_named(root: Path) -> None:
    (root / "masks/a.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"the mask .*a.png cannot be read"):
        mask_of(SegmentationFolder(str(root)))
