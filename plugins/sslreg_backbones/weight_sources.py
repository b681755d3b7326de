"""The places from which weights come: files, folders of runs, and names of libraries or of the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor

import sslreg
from sslreg_backbones.weight_downloads import download, download_from_hub
from sslreg_backbones.weight_files import read_tensors

#: The beginning of a name on the hub, as timm writes it.
_HUB = re.compile(r"hf[-_]hub:")


@dataclass(frozen=True)
class WeightFile:
    """The content of a file of weights.

    Attributes:
        source: the weights as the spec names them.
        path: the file.
        tensors: the tensors in it. The names of nested mappings are joined by dots.
    """

    source: str
    path: Path
    tensors: dict[str, Tensor]


def open_weights(weights: str, library: str, names: Sequence[str]) -> WeightFile:
    """Return the weights that a spec names.

    Args:
        weights: The path of a file, of the folder of a run or of one with a file of the hub; or a name on the hub:
            ``hf-hub:ORG/NAME``, or ``timm/NAME``.
        library: The library of the model, for messages.
        names: The names of the library's weights for the model, for messages.

    Raises:
        ValueError: There are no such weights, or they cannot be read or downloaded.
    """
    path = Path(weights).expanduser()
    if path.is_dir():
        return _open_folder(weights, path)
    if not path.is_file():
        path = _find_by_name(weights, library, names)
    return WeightFile(weights, path, read_tensors(path))


def _open_folder(weights: str, folder: Path) -> WeightFile:
    """Return the weights in the folder of a run, or in one with a file as on the hub."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return WeightFile(weights, folder / name, read_tensors(folder / name))
    try:
        run = sslreg.load_run(folder)
        path, backbone = run.checkpoint_path, run.backbone()
    except sslreg.SslregError as error:
        raise ValueError(f"weights: {weights!r} is no folder with weights: {error.diagnostics[0].message}") from error
    tensors = {name: value for name, value in backbone.state_dict().items() if isinstance(value, Tensor)}
    return WeightFile(weights, path, tensors)


def _find_by_name(weights: str, library: str, names: Sequence[str]) -> Path:
    if hub := _HUB.match(weights):
        return download_from_hub(weights[hub.end() :])
    if weights.startswith("timm/"):
        return download_timm_weights(weights.removeprefix("timm/"))
    own = f", nor one of {library}'s weights for the model: {', '.join(names)}" if names else ""
    raise ValueError(
        f"weights: {weights!r} is neither a file nor a folder ({Path(weights).expanduser().absolute()}), nor a name on "
        f"the Hugging Face hub (hf-hub:ORG/NAME or timm/NAME){own}"
    )


def download_timm_weights(name: str) -> Path:
    """Return the file of timm's weights with this name, ``MODEL.TAG``, from the hub or another server.

    Raises:
        ValueError: timm has no weights of this name, or they cannot be downloaded.
    """
    config = _find_timm_config(name)
    if config is None:
        return download_from_hub(f"timm/{name}")
    if config.hf_hub_id:
        file = f"/{config.hf_hub_filename}" if config.hf_hub_filename else ""
        return download_from_hub(f"{config.hf_hub_id}{file}")
    if not config.url:
        raise ValueError(f"weights: timm has no weights for {name}")
    return download(config.url)


def _find_timm_config(name: str) -> Any:
    """Return timm's description of weights; None if timm is not installed or does not know them."""
    try:
        timm: Any = import_module("timm")
        return timm.get_pretrained_cfg(name)
    except (ImportError, RuntimeError):
        return None
