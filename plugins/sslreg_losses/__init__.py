"""The losses of the default methods.

Contrastive losses compute their logits tile by tile and never hold the whole matrix.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import sslreg

if TYPE_CHECKING:
    from sslreg_losses.barlow_twins import BarlowTwinsLoss as BarlowTwinsLoss
    from sslreg_losses.byol import BYOLLoss as BYOLLoss
    from sslreg_losses.dcl import DCLLoss as DCLLoss
    from sslreg_losses.dino import DINOLoss as DINOLoss
    from sslreg_losses.dinov2 import DINOv2Loss as DINOv2Loss
    from sslreg_losses.feature_distillation import FeatureDistillationLoss as FeatureDistillationLoss
    from sslreg_losses.ibot import IBOTLoss as IBOTLoss
    from sslreg_losses.ijepa import IJEPALoss as IJEPALoss
    from sslreg_losses.lejepa import LeJEPALoss as LeJEPALoss
    from sslreg_losses.mae import MAELoss as MAELoss
    from sslreg_losses.moco_v3 import MoCoV3Loss as MoCoV3Loss
    from sslreg_losses.nt_xent import NTXentLoss as NTXentLoss
    from sslreg_losses.similarity_distillation import SimilarityDistillationLoss as SimilarityDistillationLoss
    from sslreg_losses.simmim import SimMIMLoss as SimMIMLoss
    from sslreg_losses.simsiam import SimSiamLoss as SimSiamLoss
    from sslreg_losses.sup_con import SupConLoss as SupConLoss
    from sslreg_losses.swav import SwAVLoss as SwAVLoss
    from sslreg_losses.vicreg import VICRegLoss as VICRegLoss

sslreg_api = 1

_HOME = {
    "BYOLLoss": "byol",
    "BarlowTwinsLoss": "barlow_twins",
    "DCLLoss": "dcl",
    "DINOLoss": "dino",
    "DINOv2Loss": "dinov2",
    "FeatureDistillationLoss": "feature_distillation",
    "IBOTLoss": "ibot",
    "IJEPALoss": "ijepa",
    "LeJEPALoss": "lejepa",
    "MAELoss": "mae",
    "MoCoV3Loss": "moco_v3",
    "NTXentLoss": "nt_xent",
    "SimMIMLoss": "simmim",
    "SimSiamLoss": "simsiam",
    "SimilarityDistillationLoss": "similarity_distillation",
    "SupConLoss": "sup_con",
    "SwAVLoss": "swav",
    "VICRegLoss": "vicreg",
}
__all__ = list(_HOME)


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.loss("byol", "sslreg_losses.byol:BYOLLoss", summary="2 - 2 cos between predictions and targets (BYOL)")
    registry.loss(
        "nt_xent", "sslreg_losses.nt_xent:NTXentLoss", summary="tell each sample's views from all others (SimCLR, MoCo)"
    )
    registry.loss(
        "moco_v3", "sslreg_losses.moco_v3:MoCoV3Loss", summary="InfoNCE in the batch of all processes (MoCo v3)"
    )
    registry.loss("simsiam", "sslreg_losses.simsiam:SimSiamLoss", summary="-cos of predictions and targets (SimSiam)")
    registry.loss("lejepa", "sslreg_losses.lejepa:LeJEPALoss", summary="distance of views, and SIGReg (LeJEPA)")
    registry.loss("ijepa", "sslreg_losses.ijepa:IJEPALoss", summary="distance of predicted and actual tokens (I-JEPA)")
    registry.loss("swav", "sslreg_losses.swav:SwAVLoss", summary="predict prototypes from other views (SwAV)")
    registry.loss("dino", "sslreg_losses.dino:DINOLoss", summary="match a centered, sharpened teacher (DINO)")
    registry.loss("mae", "sslreg_losses.mae:MAELoss", summary="squared error of masked, normalized patches (MAE)")
    registry.loss("simmim", "sslreg_losses.simmim:SimMIMLoss", summary="absolute error of masked patches (SimMIM)")
    registry.loss("ibot", "sslreg_losses.ibot:IBOTLoss", summary="match a centered teacher, also for masked patches")
    registry.loss(
        "dinov2", "sslreg_losses.dinov2:DINOv2Loss", summary="match an evenly assigned teacher, and spread (DINOv2)"
    )
    registry.loss(
        "feature_distillation",
        "sslreg_losses.feature_distillation:FeatureDistillationLoss",
        summary="distance of a student's features from a teacher's",
    )
    registry.loss(
        "similarity_distillation",
        "sslreg_losses.similarity_distillation:SimilarityDistillationLoss",
        summary="resemble the same images as a teacher does (SEED, lightly-train)",
    )
    registry.loss("dcl", "sslreg_losses.dcl:DCLLoss", summary="NT-Xent without the positive in the denominator (DCL)")
    registry.loss("sup_con", "sslreg_losses.sup_con:SupConLoss", summary="attract samples of the same class (SupCon)")
    registry.loss(
        "barlow_twins",
        "sslreg_losses.barlow_twins:BarlowTwinsLoss",
        summary="make the cross-correlation of two views the identity (Barlow Twins)",
    )
    registry.loss(
        "vicreg", "sslreg_losses.vicreg:VICRegLoss", summary="invariance, variance and covariance of two views (VICReg)"
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
