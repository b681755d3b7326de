"""torchvision's classification data sets: one class for each, by torchvision's name in lower case."""

from __future__ import annotations

import inspect
import os
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from PIL import Image
from torchvision import datasets

import sslreg
from sslreg_datasets.torchvision_names import NAMES

#: What a spec has no use for: decoding and transforms are the collate's, and targets are class numbers.
_LEFT_OUT = {
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

#: How many classes there are, where torchvision's class does not name them.
_UNNAMED = {
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
    """A data set of torchvision's, with its own parameters; `root` is ``data`` unless given.

    Items are ``(image, target)``. The image is a path where torchvision lets others decode it, a PIL image where not;
    a sample that torchvision marks as unlabeled has the target None.

    ValueError: the data is not there, or cannot be downloaded or read.
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
            raise ValueError(_unavailable(self.source.__name__, arguments, error)) from error
        self.root = arguments.get("root")
        self.classes = _class_names(type(self).__name__, self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Image.Image | str, int | None]:
        image, target = self.data[index]
        return image, None if target is None or target < 0 else int(target)

    def name(self, index: int) -> str:
        """The image's path relative to the root, where it has a file of its own; else its number."""
        return os.path.relpath(self.data[index][0], self.root) if self._gives_paths else str(index)


def _unavailable(name: str, arguments: dict[str, Any], error: Exception) -> str:
    root = arguments.get("root", "data")
    place = f"'{root}'" if os.path.isabs(root) else f"'{root}' (that is, {os.path.abspath(root)})"
    if arguments.get("download"):
        return f"torchvision cannot bring {name} to {place}: {error}"
    mend = (
        "set download: true to bring it there, or root to where it is"
        if "download" in arguments
        else ("torchvision does not download it; its documentation says which files belong there")
    )
    return f"torchvision finds no {name} in {place}; {mend} (it says: {error})"


def _class_names(name: str, data: Any) -> list[str] | None:
    """The classes' names as far as the data set has them: ImageNet has several for each, of which this is the first."""
    names = getattr(data, "classes", None) or getattr(data, "categories", None) or getattr(data, "class_to_idx", None)
    if names is None:
        names = range(data.num_classes if name == "fakedata" else _UNNAMED[name]) if name in _UNNAMED else None
    return None if names is None else [str(each[0] if isinstance(each, tuple) else each) for each in names]


def _parameters(source: type) -> dict[str, inspect.Parameter]:
    """The parameters of a constructor and, where it passes keywords on, of its base's."""
    found: dict[str, inspect.Parameter] = {}
    for each in source.__mro__:
        constructor = vars(each).get("__init__")
        if constructor is None:
            continue
        hints, own = get_type_hints(constructor), inspect.signature(constructor).parameters.values()
        for parameter in own:
            hint = hints.get(parameter.name, type(parameter.default))
            found.setdefault(parameter.name, parameter.replace(annotation=hint))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            break
    return found


def _signature(source: type) -> inspect.Signature:
    """What a spec may say: torchvision's parameters less those of `_LEFT_OUT`, all by keyword."""
    taken = []
    for name, parameter in _parameters(source).items():
        if name in _LEFT_OUT or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if name == "root":
            parameter = parameter.replace(annotation=str, default="data")
        taken.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
    return inspect.Signature(taken)


@cache
def _dataset(name: str) -> type[TorchvisionDataset]:
    source = getattr(datasets, NAMES[name])
    members = {
        "source": source,
        "__signature__": _signature(source),
        "__doc__": source.__doc__,
        "__module__": __name__,
    }
    return type(name, (TorchvisionDataset,), members)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _dataset(name)
