"""From bytes to pixels: readers, channels, depth, whole images and reduced parts of them."""

from sslreg.images.decode import Encoded, load_image, open_image

__all__ = ["Encoded", "load_image", "open_image"]
