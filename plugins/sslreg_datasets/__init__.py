"""The default data sets."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.dataset(
        "digits", "sslreg_datasets.digits:Digits", summary="1,797 handwritten digits, 8x8, that come with scikit-learn"
    )
    registry.dataset(
        "image_folder",
        "sslreg_datasets.image_folder:ImageFolder",
        summary="the images in a folder and its subfolders, with or without labels",
    )
