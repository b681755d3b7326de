"""The default data sets."""

import sslreg
from sslreg_datasets.torchvision_names import CLASSES

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
    registry.dataset(
        "table",
        "sslreg_datasets.table:Table",
        summary="the images that a table lists (CSV, JSON lines or Parquet), with labels and groups",
    )
    registry.dataset("list", "sslreg_datasets.list:List", summary="the images whose paths a text file lists")
    registry.dataset(
        "array",
        "sslreg_datasets.array:Array",
        summary="the images in one array on disk: HDF5, Zarr or NumPy",
    )
    registry.dataset(
        "huggingface",
        "sslreg_datasets.huggingface:HuggingFace",
        summary="the images in a data set of Hugging Face's datasets: a local folder, or a name on the hub",
    )
    registry.dataset(
        "segmentation_folder",
        "sslreg_datasets.segmentation_folder:SegmentationFolder",
        summary="the images in a folder, next to segmentation masks as PNG files",
    )
    registry.dataset(
        "webdataset",
        "sslreg_datasets.webdataset:WebDataset",
        summary="the images in WebDataset's shards, tar files on disks or in object stores",
    )
    for name, shows in CLASSES.items():
        registry.dataset(
            name.lower(),
            f"sslreg_datasets.torchvision_datasets:{name.lower()}",
            summary=f"{shows} (torchvision's {name})",
        )
