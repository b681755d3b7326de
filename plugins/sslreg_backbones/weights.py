"""Loading of existing weights into a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings


def has_named_weights(architecture: str, weights: str | None) -> bool:
    """Return whether torchvision has weights of this name for the architecture."""
    return weights == "DEFAULT" or weights in models.get_model_weights(architecture).__members__


def read_weights(architecture: str, weights: str) -> dict[str, Tensor]:
    """Return the state dict with torchvision's keys that `weights` names, or that the file `weights` holds.

    Raises:
        ValueError: There is no such name or file, or it cannot be read or downloaded.
    """
    if has_named_weights(architecture, weights):
        return _download(architecture, weights)
    return read_file(weights, "torchvision", list(models.get_model_weights(architecture).__members__))


def _download(architecture: str, weights: str) -> dict[str, Tensor]:
    try:
        # torchvision's own loader handles the peculiarities of its old checkpoints.
        return dict(models.get_model(architecture, weights=weights).state_dict())
    except OSError as error:
        raise ValueError(
            f"torchvision's weights {weights} for {architecture} cannot be downloaded ({error}); download them on a "
            "machine with a network and pass the file's path as weights"
        ) from error


def read_file(weights: str, library: str, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the state dict in a file.

    Keys are those of `library`, optionally after ``body.``, the name that backbones give the library's module.

    Args:
        weights: The path of the file.
        library: The library of the model, for messages.
        names: The weights that the library has for the model, for messages.

    Raises:
        ValueError: There is no such file, or it holds something else.
    """
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"weights: {weights!r} is neither a file ({path.absolute()}) nor one of {library}'s weights for the model: "
            f"{', '.join(names)}"
        )
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a broken pickle may raise anything
        raise ValueError(
            f"weights: {path} is neither a safetensors file nor a state dict saved by torch.save: {error}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"weights: {path} must hold a state dict of names and tensors, and nothing else")
    if all(name.startswith("body.") for name in state):
        return {name.removeprefix("body."): tensor for name, tensor in state.items()}
    return state


def first_convolution(body: nn.Module) -> str | None:
    """Return the name of the first convolution, which sees the images; None without one."""
    return next((name for name, module in body.named_modules() if isinstance(module, nn.Conv2d)), None)


@torch.no_grad()
def load_weights(body: nn.Module, heads: Sequence[str], state: dict[str, Tensor]) -> None:
    """Copy the state dict of a whole model into a model without heads.

    The first filters are adapted to the number of channels, and the position embeddings of torchvision's Vision
    Transformer are resized.

    Args:
        body: The model without heads.
        heads: The names of the removed layers.
        state: The state dict of the whole model.

    Raises:
        ValueError: An entry is missing, unknown or of another shape.
    """
    own = body.state_dict()
    removed = tuple(f"{head}." for head in heads)
    state = {name: tensor for name, tensor in state.items() if not name.startswith(removed)}
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        raise ValueError(
            f"the weights belong to another architecture: {_list_names('without', missing, 'with', unknown)}"
        )
    if (stem := first_convolution(body)) is not None:
        filters = f"{stem}.weight"
        state[filters] = adapt_channels(state[filters], own[filters].shape[1])
    if isinstance(body, VisionTransformer):
        state = dict(interpolate_embeddings(body.image_size, body.patch_size, state))
    if mismatched := [name for name in state if state[name].shape != own[name].shape]:
        first = mismatched[0]
        raise ValueError(
            f"the weights have another shape: {first} is {tuple(state[first].shape)} in the file and "
            f"{tuple(own[first].shape)} in this model; check the backbone's parameters, such as stem"
        )
    for name, tensor in state.items():
        own[name].copy_(tensor)


def adapt_channels(filters: Tensor, channels: int) -> Tensor:
    """Adapt filters (D, C, H, W) to another number of channels, with responses of the same magnitude.

    For one channel the filters are summed, so that a gray image gets the response of its RGB copy. For more, the
    channels are repeated in turn and scaled by C / channels.
    """
    before = filters.shape[1]
    if channels == before:
        return filters
    if channels == 1:
        return filters.sum(dim=1, keepdim=True)
    return filters[:, torch.arange(channels) % before] * (before / channels)


def _list_names(*groups: str | list[str]) -> str:
    """Format words, each followed by its first three names: ``without a, b, c and 3 more, with d``."""
    parts = []
    for word, names in zip(groups[::2], groups[1::2], strict=True):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{word} {', '.join(names[:3])}{more}")
    return ", ".join(parts)
