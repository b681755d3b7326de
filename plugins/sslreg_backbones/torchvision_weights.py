"""torchvision's own weights."""

from __future__ import annotations

from torchvision import models

from sslreg_backbones.weight_downloads import download
from sslreg_backbones.weight_sources import WeightFile, open_weights


def has_named_weights(architecture: str, weights: str | None) -> bool:
    """Return whether torchvision has weights of this name for the architecture."""
    return weights in models.get_model_weights(architecture).__members__


def open_torchvision_weights(architecture: str, weights: str) -> WeightFile:
    """Return the weights that torchvision has under this name for an architecture, or those of another source.

    Raises:
        ValueError: There are no such weights, or they cannot be read or downloaded.
    """
    named = models.get_model_weights(architecture)
    if not has_named_weights(architecture, weights):
        return open_weights(weights, "torchvision", list(named.__members__))
    path = download(named[weights].url)
    # torchvision's own loader handles the peculiarities of its old checkpoints. It uses the file that is now cached.
    return WeightFile(weights, path, dict(models.get_model(architecture, weights=weights).state_dict()))
