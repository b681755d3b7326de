"""The default readers."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.reader(
        "dicom", "sslreg_readers.dicom:Dicom", summary="DICOM files, gray or color, with a window or without"
    )
    registry.reader("jpeg", "sslreg_readers.jpeg:Jpeg", summary="JPEG files, by libjpeg-turbo where it is installed")
    registry.reader("numpy", "sslreg_readers.numpy:Numpy", summary="arrays in .npy and .npz files")
    registry.reader(
        "pillow", "sslreg_readers.pillow:Pillow", summary="PNG, WebP, GIF, BMP and all else that Pillow reads"
    )
    registry.reader("tiff", "sslreg_readers.tiff:Tiff", summary="TIFF files of any number of bands and any depth")
