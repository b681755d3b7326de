"""Reading of tensors from files of weights, without executing anything in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

#: The parts that compilation, sharding and gradient checkpointing insert into the names of tensors.
_WRAPPERS = re.compile(r"\b(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")

#: Objects that training programs save next to weights, for files of torch before 1.6, in which they cannot be listed.
_USUAL_OBJECTS = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.float64",
)


class Inert:
    """An object without content, in place of those in a file that are no tensors, such as an `argparse.Namespace`.

    This class takes the place of any class or function that the file names, so that the file calls nothing else.
    """

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors in a file. The names of nested mappings are joined by dots: ``teacher.backbone.cls_token``.

    Args:
        path: A safetensors file, or a file of ``torch.save``.

    Raises:
        ValueError: The file is of another kind, truncated, or has no tensors.
    """
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            with _replace_objects(path):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file may raise anything
        raise ValueError(
            f"weights: {path} is neither a safetensors file nor a state dict or a checkpoint saved by torch.save, or "
            f"it is truncated: {_explain(error)}"
        ) from error
    tensors = {_WRAPPERS.sub("", name): tensor for name, tensor in _flatten(content)}
    if not tensors:
        raise ValueError(
            f"weights: {path} must hold a state dict of names and tensors, possibly in nested mappings, but it has no "
            "tensors; of a whole module, save its state_dict()"
        )
    return tensors


def _explain(error: Exception) -> str:
    """Return the reason for an error in one line, without torch's advice to execute the file."""
    if refused := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it holds {refused[1]}, which is no tensor and would be executed"
    lines = [line.partition("WeightsUnpickler error: ")[2] or line for line in str(error).splitlines()]
    return next((line.strip() for line in lines if line.strip() and "eights" not in line), type(error).__name__)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace_objects(path: Path) -> AbstractContextManager[None]:
    """Return a context in which `torch.load` makes an `Inert` of each object in a file that is no tensor."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001 - a file of another format, which torch.load reads or refuses
        names = list(_USUAL_OBJECTS)
    inert: Any = [(Inert, name) for name in names]
    context: AbstractContextManager[None] = torch.serialization.safe_globals(inert)
    return context


def _flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested mappings by their joined names."""
    if isinstance(content, Tensor):
        yield prefix.removesuffix("."), content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _flatten(value, f"{prefix}{name}.")
