"""Scientific images train, are previewed and are embedded by name, from a spec of a dozen lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import sslreg
from sslreg.assembly import build_image_loader
from sslreg.export.data_selection import select_data
from sslreg.export.embedding_writer import write_embeddings
from sslreg.report import preview
from sslreg.spec import parse_spec

tifffile = pytest.importorskip("tifffile")
pydicom = pytest.importorskip("pydicom")

SPEC = """
version: 1
name: scientific
data: {train: {use: image_folder, root: images, labels: none}, channels: 3, batch_size: 4}
views:
  - {repeat: 2, augment: [{use: random_resized_crop, size: 8}, {use: normalize, mean: [0.5], std: [0.5]}]}
model: {use: simclr, backbone: {use: convnet, width: 4, depth: 1}, projection: [8, 8]}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1}
trainer: {max_epochs: 1, accelerator: cpu}
"""

NOISE = np.random.default_rng(0).integers(0, 256, (4, 16, 20, 3), dtype=np.uint8)


def write_tiff(path: Path, number: int, bands: int) -> np.ndarray:
    """Write a tiled file in either byte order and planar layout, and return the levels in [0, 1]."""
    levels = np.random.default_rng(number).integers(0, 65536, (bands, 16, 20), dtype=np.uint16)
    options = {"photometric": "minisblack", "compression": "deflate", "tile": (16, 16), "byteorder": "<>"[number % 2]}
    if number < 2:
        tifffile.imwrite(path, levels.transpose(1, 2, 0), planarconfig="contig", **options)
        return tifffile.imread(path).transpose(2, 0, 1) / np.float32(65535)
    tifffile.imwrite(path, levels, planarconfig="separate", **options)
    return tifffile.imread(path) / np.float32(65535)


def write_dicom(path: Path, number: int, photometric: str) -> np.ndarray:
    """Write a file of 8 bits, and return what pydicom makes of it, as levels in [0, 1]."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number + 1}"
    is_color = photometric in ("RGB", "YBR_FULL")
    levels = NOISE[number] if is_color else NOISE[number][..., 0]
    stored = "MONOCHROME2" if photometric == "PALETTE COLOR" else photometric
    data.set_pixel_data(levels, stored, 8, generate_instance_uid=False)
    if photometric == "PALETTE COLOR":
        data.PhotometricInterpretation = photometric
        for channel, name in enumerate(("Red", "Green", "Blue")):
            setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
            data[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
            table = np.random.default_rng(channel).integers(0, 65536, 256, dtype=np.uint16)
            setattr(data, f"{name}PaletteColorLookupTableData", table.tobytes())
    data.save_as(path, enforce_file_format=True)
    data = pydicom.dcmread(path)
    pixels = pydicom.pixels.pixel_array(data)  # YBR becomes RGB
    if photometric == "PALETTE COLOR":
        return pydicom.pixels.apply_color_lut(pixels, data).transpose(2, 0, 1) / np.float32(65535)
    if is_color:
        return pixels.transpose(2, 0, 1) / np.float32(255)
    gray = pixels / np.float32(255)
    return np.stack([(np.float32(255) - pixels) / np.float32(255) if photometric == "MONOCHROME1" else gray] * 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "kind", "extension"),
    [(write_tiff, bands, "tif") for bands in (4, 13)]
    + [(write_dicom, kind, "dcm") for kind in ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "PALETTE COLOR")],
)
def test_images_train_and_are_previewed_and_embedded(
    write: Callable[..., np.ndarray], kind: object, extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    names = [f"{number}.{extension}" for number in range(4)]
    expected = {name: write(Path("images", name), number, kind) for number, name in enumerate(names)}
    spec = parse_spec(SPEC, "scientific.yaml", [f"data.channels={len(expected[names[0]])}"])
    load = build_image_loader(spec)
    for name, levels in expected.items():
        assert np.array_equal(sslreg.to_float(load(f"images/{name}")).numpy(), levels)
    assert preview(spec, samples=2).picture().width > 0
    run = sslreg.train(spec, tmp_path / "run")
    write_embeddings(run, select_data(run, "train"), tmp_path / "embeddings.npz", device=torch.device("cpu"))
    with np.load(tmp_path / "embeddings.npz") as embeddings:
        assert embeddings["names"].tolist() == names
