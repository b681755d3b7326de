"""The default readers."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.reader("jpeg", "sslreg_readers.jpeg:Jpeg", summary="JPEG files, by libjpeg-turbo where it is installed")
    registry.reader("pillow", "sslreg_readers.pillow:Pillow", summary="PNG, TIFF, WebP and all else that Pillow reads")
