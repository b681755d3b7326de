"""Starting a torchvision model from existing weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings


def is_named(architecture: str, weights: str | None) -> bool:
    """Whether torchvision has weights of this name for the architecture."""
    return weights == "DEFAULT" or weights in models.get_model_weights(architecture).__members__


def read_weights(architecture: str, weights: str) -> dict[str, Tensor]:
    """The state dict that `weights` means: a name of torchvision's, or else the path of a file.

    Keys are torchvision's. ValueError: there is no such name or file, it cannot be read, or it cannot be downloaded.
    """
    if is_named(architecture, weights):
        return _downloaded(architecture, weights)
    path = Path(weights).expanduser()
    if not path.is_file():
        names = ", ".join(models.get_model_weights(architecture).__members__)
        raise ValueError(
            f"weights: {weights!r} is no file ({path.absolute()}) and none of torchvision's weights for "
            f"{architecture}, which are {names}"
        )
    state = _from_file(path)
    if all(name.startswith("body.") for name in state):  # an exported backbone of ours rather than a torchvision model
        return {name.removeprefix("body."): tensor for name, tensor in state.items()}
    return state


def _downloaded(architecture: str, weights: str) -> dict[str, Tensor]:
    try:
        # torchvision's own loading knows what is odd about each of its old checkpoints.
        return dict(models.get_model(architecture, weights=weights).state_dict())
    except OSError as error:
        raise ValueError(
            f"torchvision's weights {weights} for {architecture} cannot be downloaded ({error}); download them where "
            "there is a network and give the file's path as weights"
        ) from error


def _from_file(path: Path) -> dict[str, Tensor]:
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # unpickling what is no pickle may raise anything
        raise ValueError(
            f"weights: {path} is neither a safetensors file nor a state dict saved by torch.save: {error}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"weights: {path} has to hold a state dict, names to tensors, and nothing else")
    return state


@torch.no_grad()
def load_weights(body: nn.Module, stem: str, head: str, state: dict[str, Tensor]) -> None:
    """Copy a state dict of torchvision's names into a model whose head was taken off.

    stem, head: the names of the first convolution and of the layer taken off. The stem's filters are folded to other
    channels, and a Vision Transformer's position embeddings are resized. ValueError: what is missing, unknown or
    of another shape.
    """
    own = body.state_dict()
    state = {name: tensor for name, tensor in state.items() if not name.startswith((f"{head}.", "aux", "AuxLogits."))}
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        raise ValueError(f"the weights are not of this architecture: {_named_few('without', missing, 'with', unknown)}")
    filters = f"{stem}.weight"
    state[filters] = fold_channels(state[filters], own[filters].shape[1])
    if isinstance(body, VisionTransformer):
        state = dict(interpolate_embeddings(body.image_size, body.patch_size, state))
    if odd := [name for name in state if state[name].shape != own[name].shape]:
        first = odd[0]
        raise ValueError(
            f"the weights are of another form: {first} is {tuple(state[first].shape)} there and "
            f"{tuple(own[first].shape)} here, by the parameters given (stem, for one)"
        )
    for name, tensor in state.items():
        own[name].copy_(tensor)


def fold_channels(filters: Tensor, channels: int) -> Tensor:
    """Filters (D, C, H, W) made for C channels, for another number of them, with responses of the same size.

    For one channel the filters are summed: a gray image gets the response of its colored copy. For more, the channels
    are repeated in turn and scaled by C / channels.
    """
    before = filters.shape[1]
    if channels == before:
        return filters
    if channels == 1:
        return filters.sum(dim=1, keepdim=True)
    return filters[:, torch.arange(channels) % before] * (before / channels)


def _named_few(*groups: str | list[str]) -> str:
    """``without a, b and 3 more, with c``: each word before the names that it goes with."""
    parts = []
    for word, names in zip(groups[::2], groups[1::2], strict=True):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{word} {', '.join(names[:3])}{more}")
    return ", ".join(parts)
