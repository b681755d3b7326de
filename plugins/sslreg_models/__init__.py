"""The default self-supervised methods."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.model(
        "simclr", "sslreg_models.simclr:SimCLR", summary="views of one image attract each other and repel all others"
    )
    registry.model("moco", "sslreg_models.moco:MoCo", summary="contrast with a slowly moving copy of the encoder")
    registry.model("byol", "sslreg_models.byol:BYOL", summary="predict what a slow copy of the encoder embeds")
    registry.model("simsiam", "sslreg_models.simsiam:SimSiam", summary="predict the other view, which gets no gradient")
    registry.model(
        "moco_v3", "sslreg_models.moco_v3:MoCoV3", summary="predict a momentum encoder's keys, among the batch"
    )
    registry.model(
        "barlow_twins",
        "sslreg_models.barlow_twins:BarlowTwins",
        summary="embeddings agree between views, and their dimensions carry different information",
    )
    registry.model("vicreg", "sslreg_models.vicreg:VICReg", summary="embeddings agree, vary and do not covary")
    registry.model("nnclr", "sslreg_models.nnclr:NNCLR", summary="contrast with the nearest past embedding of a view")
    registry.model("lejepa", "sslreg_models.lejepa:LeJEPA", summary="views agree, and embeddings are Gaussian")
    registry.model("swav", "sslreg_models.swav:SwAV", summary="predict the prototypes of other views, by multi-crop")
    registry.model(
        "dino", "sslreg_models.dino:DINO", summary="match a slow copy's output for other views, by multi-crop"
    )
    registry.model("mae", "sslreg_models.mae:MAE", summary="reconstruct most of an image from its visible patches")
    registry.model("simmim", "sslreg_models.simmim:SimMIM", summary="predict the pixels of masked patches linearly")
    registry.model(
        "ijepa", "sslreg_models.ijepa:IJEPA", summary="predict tokens of a part of an image from another part"
    )
    registry.model(
        "ibot", "sslreg_models.ibot:IBOT", summary="match a slow copy's output for other views and for masked patches"
    )
    registry.model(
        "dinov2", "sslreg_models.dinov2:DINOv2", summary="iBOT with evenly assigned targets and features that spread"
    )
    registry.model(
        "distillation", "sslreg_models.distillation:Distillation", summary="learn the features of a frozen teacher"
    )
