"""The default readers."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.reader("jpeg", "sslreg_readers.jpeg:Jpeg", summary="JPEG files, by libjpeg-turbo where it is installed")
    registry.reader(
        "pillow", "sslreg_readers.pillow:Pillow", summary="PNG, WebP, GIF, BMP and all else that Pillow reads"
    )
    registry.reader("tiff", "sslreg_readers.tiff:Tiff", summary="TIFF files of any number of bands and any depth")
