"""Starting a model from existing weights."""

from __future__ import annotations

from collections.abc import Sequence
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
    return read_file(weights, "torchvision", list(models.get_model_weights(architecture).__members__))


def _downloaded(architecture: str, weights: str) -> dict[str, Tensor]:
    try:
        # torchvision's own loading knows what is odd about each of its old checkpoints.
        return dict(models.get_model(architecture, weights=weights).state_dict())
    except OSError as error:
        raise ValueError(
            f"torchvision's weights {weights} for {architecture} cannot be downloaded ({error}); download them where "
            "there is a network and give the file's path as weights"
        ) from error


def read_file(weights: str, library: str, names: Sequence[str]) -> dict[str, Tensor]:
    """The state dict in a file. Keys are those of `library`, whose model a backbone of ours calls its body.

    names: what else `weights` could have been. ValueError: there is no such file, or it holds something else.
    """
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"weights: {weights!r} is no file ({path.absolute()}) and no name of weights that {library} has for the "
            f"model, which are {', '.join(names)}"
        )
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # unpickling what is no pickle may raise anything
        raise ValueError(
            f"weights: {path} is neither a safetensors file nor a state dict saved by torch.save: {error}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"weights: {path} has to hold a state dict, names to tensors, and nothing else")
    if all(name.startswith("body.") for name in state):
        return {name.removeprefix("body."): tensor for name, tensor in state.items()}
    return state


def first_convolution(body: nn.Module) -> str | None:
    """The name of the layer that sees the images, where it is a convolution."""
    return next((name for name, module in body.named_modules() if isinstance(module, nn.Conv2d)), None)


@torch.no_grad()
def load_weights(body: nn.Module, heads: Sequence[str], state: dict[str, Tensor]) -> None:
    """Copy the state dict of a whole model into one whose heads were taken off.

    heads: the names of the layers taken off. The first filters are folded to other channels, and the position
    embeddings of torchvision's Vision Transformer are resized. ValueError: something is missing, unknown or of
    another shape.
    """
    own = body.state_dict()
    left_out = tuple(f"{head}." for head in heads)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(left_out)}
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        raise ValueError(f"the weights are not of this architecture: {_named_few('without', missing, 'with', unknown)}")
    if (stem := first_convolution(body)) is not None:
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
