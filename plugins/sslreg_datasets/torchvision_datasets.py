"""torchvision's classification data sets: one class for each, with torchvision's name in lower case."""

from __future__ import annotations

import inspect
import os
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision import datasets

import sslreg
from sslreg_datasets.torchvision_names import NAMES

#: The parameters that a spec does not have: views transform images, readers decode them, and targets are class numbers.
_EXCLUDED = {
    "self",
    "transform",
    "target_transform",
    "transforms",
    "loader",
    "is_valid_file",
    "allow_empty",
    "target_type",
    "target_types",
    "compat",
}

#: The number of classes of the data sets for which torchvision does not name them.
_CLASS_COUNTS = {
    "clevrclassification": 11,
    "fakedata": 10,
    "fer2013": 7,
    "gtsrb": 43,
    "pcam": 2,
    "semeion": 10,
    "svhn": 10,
    "usps": 10,
}


class TorchvisionDataset(sslreg.Dataset):
    """Base class of torchvision's data sets; each has torchvision's parameters, and `root` is ``data`` by default.

    Items are ``(image, target)``. The image is a path if torchvision accepts a custom `loader`, else a PIL image.
    Samples that torchvision marks as unlabeled have the target None.

    Attributes:
        source: torchvision's class.
        data: Its instance.
        root: The folder of the data; None if the data set has none.
        classes: The names of the classes, if they are known.

    Raises:
        ValueError: The data are missing, or cannot be downloaded or read.
    """

    source: ClassVar[Any]

    def __init__(self, **arguments: Any) -> None:
        bound = inspect.signature(type(self)).bind(**arguments)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        if "root" in arguments:
            arguments["root"] = str(Path(arguments["root"]).expanduser())
        self._gives_paths = "loader" in _parameters(self.source)
        decoding = {"loader": str} if self._gives_paths else {}
        try:
            self.data = self.source(**arguments, **decoding)
        except (RuntimeError, OSError, ImportError) as error:
            raise ValueError(_describe_missing(self.source.__name__, arguments, error)) from error
        self.root = arguments.get("root")
        self.classes = _class_names(type(self).__name__, self.data)
        self.targets = _read_targets(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Image.Image | str, int | None]:
        image, target = self.data[index]
        return image, None if target is None or target < 0 else int(target)

    def name(self, index: int) -> str:
        """Return the image's path relative to the root if it is a file, else its number."""
        return os.path.relpath(self.data[index][0], self.root) if self._gives_paths else str(index)


def _describe_missing(name: str, arguments: dict[str, Any], error: Exception) -> str:
    """Return a message that says where the data have to be and how they get there."""
    root = arguments.get("root", "data")
    place = f"'{root}'" if os.path.isabs(root) else f"'{root}' (that is, {os.path.abspath(root)})"
    if arguments.get("download"):
        return f"torchvision cannot download {name} to {place}: {error}"
    remedy = (
        "set download: true to download it there, or set root to its folder"
        if "download" in arguments
        else "torchvision does not download it; its documentation lists the files that belong there"
    )
    return f"torchvision finds no {name} in {place}; {remedy} (torchvision's message: {error})"


def _class_names(name: str, data: Any) -> list[str] | None:
    """Return the names of the classes, or their numbers if only these are known; None if neither is known.

    ImageNet has several names for each class, of which the first is used.
    """
    names = getattr(data, "classes", None) or getattr(data, "categories", None) or getattr(data, "class_to_idx", None)
    if names is None:
        names = (
            range(data.num_classes if name == "fakedata" else _CLASS_COUNTS[name]) if name in _CLASS_COUNTS else None
        )
    return None if names is None else [str(each[0] if isinstance(each, tuple) else each) for each in names]


def _read_targets(data: Any) -> NDArray[np.int64] | None:
    """Return the class number of each sample, -1 without a label, if torchvision lists them; None otherwise."""
    listed = getattr(data, "targets", getattr(data, "labels", None))
    if listed is None:
        return None
    targets = np.asarray(listed)
    return targets.astype(np.int64) if targets.shape == (len(data),) and targets.dtype.kind in "iu" else None


def _parameters(source: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a constructor and, if it passes on keywords, those of its base class's constructor."""
    found: dict[str, inspect.Parameter] = {}
    for each in source.__mro__:
        constructor = vars(each).get("__init__")
        if constructor is None:
            continue
        type_hints, declared = get_type_hints(constructor), inspect.signature(constructor).parameters.values()
        for parameter in declared:
            annotation = type_hints.get(parameter.name, type(parameter.default))
            found.setdefault(parameter.name, parameter.replace(annotation=annotation))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in declared):
            break
    return found


def _make_signature(source: type) -> inspect.Signature:
    """Return the signature for specs: torchvision's parameters without those of `_EXCLUDED`, all by keyword."""
    parameters = []
    for name, parameter in _parameters(source).items():
        if name in _EXCLUDED or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if name == "root":
            parameter = parameter.replace(annotation=str, default="data")
        parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
    return inspect.Signature(parameters)


@cache
def _make_class(name: str) -> type[TorchvisionDataset]:
    """Return the class of a data set, by its name in specs."""
    source = getattr(datasets, NAMES[name])
    members = {
        "source": source,
        "__signature__": _make_signature(source),
        "__doc__": source.__doc__,
        "__module__": __name__,
    }
    return type(name, (TorchvisionDataset,), members)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _make_class(name)
