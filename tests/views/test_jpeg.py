import io

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg.views import load_image
from sslreg.views.jpeg import decode_plain_jpeg

pytest.importorskip("simplejpeg")

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)).resize((140, 90))


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{"quality": 92}, {"subsampling": 2}, {"subsampling": 0}, {"progressive": True}])
def test_the_pixels_are_pillows(mode: str, options: dict[str, object]) -> None:
    data = encoded(PHOTO.convert(mode), **options)
    pixels = decode_plain_jpeg(data)
    assert pixels is not None
    expected = np.atleast_3d(np.array(Image.open(io.BytesIO(data)))).transpose(2, 0, 1)
    assert np.array_equal(pixels, expected)
    assert np.array_equal(load_image(data), expected)


def test_what_needs_pillow_is_left_to_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(PHOTO, exif=exif)
    assert decode_plain_jpeg(turned) is None
    assert load_image(turned).shape == (3, 140, 90)
    assert decode_plain_jpeg(encoded(PHOTO.convert("CMYK"))) is None
    assert load_image(encoded(PHOTO.convert("CMYK")), 3).shape == (3, 90, 140)


def test_a_truncated_file_is_an_error_and_no_gray_picture() -> None:
    data = encoded(PHOTO)
    with pytest.raises(sslreg.UserError, match="truncated"):
        load_image(data[: len(data) // 2])
