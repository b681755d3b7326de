"""The default backbones."""

import sslreg
from sslreg_backbones.torchvision_names import FAMILIES

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.backbone(
        "convnet", "sslreg_backbones.convnet:ConvNet", summary="a few convolutions, for small images on a CPU"
    )
    registry.backbone(
        "vit", "sslreg_backbones.vit:ViT", summary="a Vision Transformer of any size, for small images on a CPU"
    )
    registry.backbone(
        "timm",
        "sslreg_backbones.timm_models:build_timm_model",
        summary="any model of timm, by name (extra: timm)",
        also_called=("vit*patch*", "deit*", "beit*", "eva0*", "convnextv2*", "*in1k", "*in22k*"),
    )
    for family, names in FAMILIES.items():
        for name in names:
            registry.backbone(
                name, f"sslreg_backbones.torchvision_models:{name}", summary=f"{family}, torchvision's {name}"
            )
