"""DICOM files give the numbers that pydicom's functions give."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch

import sslreg
from sslreg.images.convert import convert_pixels
from sslreg_readers.dicom import Dicom

pydicom = pytest.importorskip("pydicom")
from pydicom import pixels as processing  # noqa: E402
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import (  # noqa: E402
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

LEVELS = np.random.default_rng(0).integers(0, 4096, (3, 12, 16), dtype=np.uint16)
COLOR = (LEVELS >> 4).astype(np.uint8).transpose(1, 2, 0)
CT = (LEVELS[0].astype(np.int16) - 1024).astype(np.int16)


def make(levels: np.ndarray, photometric: str = "MONOCHROME2", bits: int = 12, **attributes: Any) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.set_pixel_data(levels, photometric, bits, generate_instance_uid=False)
    for name, value in attributes.items():
        setattr(data, name, value)
    return data


def encode(data: Dataset) -> bytes:
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def read(data: Dataset, **parameters: Any) -> sslreg.Pixels:
    return Dicom(**parameters).read(sslreg.Source(encode(data)))


def normalized(pixels: sslreg.Pixels, **options: Any) -> np.ndarray:
    return sslreg.to_float(convert_pixels(pixels, None, **options)).numpy()


def test_gray_is_scaled_by_the_stored_bits() -> None:
    for bits in (10, 12, 16):
        levels = LEVELS[0] >> max(12 - bits, 0)
        pixels = read(make(levels, bits=bits))
        assert np.array_equal(pixels.levels, levels[None])
        assert np.allclose(normalized(pixels)[0], levels / (2**bits - 1), rtol=0, atol=1e-6)


def test_monochrome1_is_inverted() -> None:
    pixels = read(make(LEVELS[0], "MONOCHROME1"))
    assert np.array_equal(pixels.levels[0], LEVELS[0])
    assert np.allclose(normalized(pixels)[0], 1 - LEVELS[0] / 4095, rtol=0, atol=1e-6)
    stated = normalized(pixels, range=(0.0, 1000.0))[0]
    assert np.allclose(stated, 1 - (LEVELS[0] / 1000).clip(0, 1), rtol=0, atol=1e-6)


def test_levels_are_rescaled_to_hounsfield_units() -> None:
    data = make(CT, bits=13, RescaleSlope="2", RescaleIntercept="-100")
    pixels = read(data)
    assert np.array_equal(pixels.levels[0], processing.apply_modality_lut(CT, data).astype(np.float32))
    assert pixels.range == (-8292.0, 8090.0)
    expected = ((2.0 * CT - 100 + 1000) / 2000).clip(0, 1)
    assert np.allclose(normalized(pixels, range=(-1000.0, 1000.0))[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_window_of_the_file_is_applied_as_by_pydicom(function: str) -> None:
    data = make(
        CT,
        bits=13,
        RescaleSlope="1",
        RescaleIntercept="5",
        WindowCenter="40",
        WindowWidth="400",
        VOILUTFunction=function,
    )
    pixels = read(data, window="file")
    expected = processing.apply_voi_lut(processing.apply_modality_lut(CT, data), data)
    assert np.array_equal(pixels.levels[0], expected.astype(np.float32))
    assert pixels.range == (-4091.0, 4100.0)
    assert normalized(pixels).min() == 0 or function == "SIGMOID"


def test_a_window_may_be_stated() -> None:
    pixels = read(
        make(CT, bits=13, RescaleSlope="1", RescaleIntercept="0", WindowCenter="0", WindowWidth="9"), window=(40, 400)
    )
    expected = ((CT - 39.5) / 399 + 0.5).clip(0, 1)
    assert np.allclose(normalized(pixels)[0], expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="the width of a window is at least 1"):
        Dicom(window=(40, 0))


def test_a_file_without_a_window_is_refused_if_its_window_is_asked_for() -> None:
    with pytest.raises(sslreg.UserError, match="it has no window"):
        read(make(LEVELS[0]), window="file")


def look_up_table(entries: np.ndarray, bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), 0, bits]
    item.LUTData = entries.tolist()
    item["LUTData"].VR = "US"
    item["LUTDescriptor"].VR = "US"
    return item


def test_a_voi_lut_of_the_file_is_applied_as_by_pydicom() -> None:
    table = look_up_table(np.linspace(0, 255, 4096).astype(np.uint16)[::-1], 8)
    data = make(LEVELS[0], VOILUTSequence=[table])
    pixels = read(data, window="file")
    assert np.array_equal(pixels.levels[0], processing.apply_voi(LEVELS[0], data))
    assert pixels.range == (0.0, 255.0)


def test_a_modality_lut_is_applied_as_by_pydicom() -> None:
    table = look_up_table((np.arange(4096) * 16).astype(np.uint16), 16)
    table.ModalityLUTType = "US"
    data = make(LEVELS[0], ModalityLUTSequence=[table])
    pixels = read(data)
    assert np.array_equal(pixels.levels[0], processing.apply_modality_lut(LEVELS[0], data))
    assert pixels.range == (0.0, 65535.0)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_rgb_is_read(syntax: str) -> None:
    data = make(COLOR, "RGB", 8)
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(read(data).levels, COLOR.transpose(2, 0, 1))
    assert np.array_equal(sslreg.load_image(encode(data)), COLOR.transpose(2, 0, 1))


def test_ybr_becomes_rgb_as_by_pydicom() -> None:
    expected = processing.convert_color_space(COLOR, "YBR_FULL", "RGB")
    assert np.array_equal(read(make(COLOR, "YBR_FULL", 8)).levels, expected.transpose(2, 0, 1))


def test_subsampled_ybr_in_jpeg_becomes_rgb() -> None:
    from PIL import Image

    smooth, file = np.full((16, 16, 3), (200, 100, 50), np.uint8), io.BytesIO()
    Image.fromarray(smooth).save(file, "JPEG", quality=95)
    data = make(smooth, "RGB", 8)
    data.PixelData = pydicom.encaps.encapsulate([file.getvalue()])
    data["PixelData"].VR = "OB"
    data.file_meta.TransferSyntaxUID, data.PhotometricInterpretation = JPEGBaseline8Bit, "YBR_FULL_422"
    assert np.abs(read(data).levels.astype(int) - smooth.transpose(2, 0, 1)).max() <= 3


def test_a_palette_is_looked_up_as_by_pydicom() -> None:
    data = make(COLOR[..., 0], "MONOCHROME2", 8)
    data.PhotometricInterpretation = "PALETTE COLOR"
    for number, name in enumerate(("Red", "Green", "Blue")):
        table = np.random.default_rng(number).integers(0, 65536, 256, dtype=np.uint16)
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{name}PaletteColorLookupTableData", table.tobytes())
        data[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
    expected = processing.apply_color_lut(COLOR[..., 0], data)
    pixels = read(data)
    assert pixels.levels.dtype == np.uint16
    assert np.array_equal(pixels.levels, expected.transpose(2, 0, 1))


def test_compressed_gray_is_decoded() -> None:
    levels = np.kron(LEVELS[0], np.ones((4, 4), np.uint16))
    data = make(levels)
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    assert np.array_equal(read(data).levels[0], levels)


def test_frames_are_refused_unless_the_spec_chooses() -> None:
    data = make(LEVELS)
    with pytest.raises(sslreg.UserError, match="it has 3 frames, and a sample is one image") as caught:
        sslreg.load_image(encode(data))
    assert "{use: dicom, frames: 0}] to read only the first, or frames: channels" in str(caught.value)
    assert np.array_equal(read(data, frames="channels").levels, LEVELS)
    assert np.array_equal(read(data, frames=2).levels[0], LEVELS[2])


def test_frames_of_enhanced_images_have_their_own_transformation() -> None:
    def group(slope: float) -> Dataset:
        item, transformation = Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = str(slope), "0"
        item.PixelValueTransformationSequence = [transformation]
        return item

    data = make(LEVELS, PerFrameFunctionalGroupsSequence=[group(slope) for slope in (1, 2, 3)])
    pixels = read(data, frames="channels")
    assert np.array_equal(pixels.levels, LEVELS * np.float32([[[1]], [[2]], [[3]]]))
    assert pixels.range == (0.0, 3 * 4095.0)


def test_a_file_without_preamble_is_recognized_by_its_extension() -> None:
    data = encode(make(LEVELS[0]))
    assert Dicom().matches("scan.DCM", data[132:])
    assert not Dicom().matches("scan.png", data[132:])


def test_what_is_no_image_is_refused() -> None:
    report = make(LEVELS[0])
    for name in ("Rows", "PixelData"):
        delattr(report, name)
    with pytest.raises(sslreg.UserError, match="it has no image"):
        read(report)


def test_the_size_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "pixel_array", lambda *args, **options: pytest.fail("it is decoded"))
    with pytest.raises(sslreg.UserError, match="it has 12 × 16 pixels, and at most 191 are allowed"):
        Dicom().read(sslreg.Source(encode(make(LEVELS[0])), max_pixels=191))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(make(LEVELS[0]))
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(sslreg.UserError, match="it is a DICOM file, which needs pydicom") as caught:
        sslreg.load_image(data)
    assert "pip install 'sslreg[formats]'" in str(caught.value)


def test_levels_are_float32_in_zero_to_one() -> None:
    image = sslreg.load_image(encode(make(LEVELS[0])), 3)
    assert image.shape == (3, 12, 16)
    assert image.dtype == torch.float32
