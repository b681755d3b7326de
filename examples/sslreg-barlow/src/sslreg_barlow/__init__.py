"""Barlow Twins: self-supervised learning by redundancy reduction.

sslreg imports this module at startup, so it imports nothing heavy.
Components are imported on first use.
"""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.model(
        "barlow_twins",
        "sslreg_barlow.model:BarlowTwins",
        summary="two views through one network with a wide head",
    )
    registry.loss(
        "barlow_twins",
        "sslreg_barlow.loss:BarlowTwinsLoss",
        summary="the cross-correlation of two views' embeddings becomes the identity",
    )
