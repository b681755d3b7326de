"""From bytes to pixels: the choice of a reader, channels, depth, whole images and reduced parts of them."""

from sslreg.images.channels import LUMA
from sslreg.images.open_image import EncodedImage, TransparentImage, load_image, open_image, read_pixels
from sslreg.images.pil_image import pixels_from_pil
from sslreg.images.readers import NamedReader, Readers, image_extensions, installed_readers

__all__ = [
    "LUMA",
    "EncodedImage",
    "NamedReader",
    "Readers",
    "TransparentImage",
    "image_extensions",
    "installed_readers",
    "load_image",
    "open_image",
    "pixels_from_pil",
    "read_pixels",
]
