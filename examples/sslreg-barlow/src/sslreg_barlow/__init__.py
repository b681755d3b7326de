"""Barlow Twins: self-supervised learning by redundancy reduction.

This module only registers the components. Their modules are imported when a spec uses them.
"""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.model(
        "barlow_twins",
        "sslreg_barlow.model:BarlowTwins",
        summary="two views pass the same backbone and a wide projector",
    )
    registry.loss(
        "barlow_twins",
        "sslreg_barlow.loss:BarlowTwinsLoss",
        summary="makes the cross-correlation of two views' embeddings the identity",
    )
