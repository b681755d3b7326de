"""The names of torchvision's classification models by family. Registering them does not import torchvision."""

#: The names of each family's models, as in ``torchvision.models.list_models``.
FAMILIES: dict[str, tuple[str, ...]] = {
    "AlexNet": ("alexnet",),
    "ConvNeXt": ("convnext_tiny", "convnext_small", "convnext_base", "convnext_large"),
    "DenseNet": ("densenet121", "densenet161", "densenet169", "densenet201"),
    "EfficientNet": tuple(f"efficientnet_b{size}" for size in range(8)),
    "EfficientNetV2": ("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"),
    "GoogLeNet": ("googlenet",),
    "Inception v3": ("inception_v3",),
    "MaxViT": ("maxvit_t",),
    "MNASNet": ("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    "MobileNetV2": ("mobilenet_v2",),
    "MobileNetV3": ("mobilenet_v3_small", "mobilenet_v3_large"),
    "RegNetX": tuple(f"regnet_x_{size}f" for size in ("400m", "800m", "1_6g", "3_2g", "8g", "16g", "32g")),
    "RegNetY": tuple(f"regnet_y_{size}f" for size in ("400m", "800m", "1_6g", "3_2g", "8g", "16g", "32g", "128g")),
    "ResNet": ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    "ResNeXt": ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    "Wide ResNet": ("wide_resnet50_2", "wide_resnet101_2"),
    "ShuffleNetV2": ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    "SqueezeNet": ("squeezenet1_0", "squeezenet1_1"),
    "Swin Transformer": ("swin_t", "swin_s", "swin_b"),
    "Swin Transformer V2": ("swin_v2_t", "swin_v2_s", "swin_v2_b"),
    "VGG": tuple(f"vgg{depth}{suffix}" for depth in (11, 13, 16, 19) for suffix in ("", "_bn")),
    "Vision Transformer": ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"),
}

NAMES: tuple[str, ...] = tuple(name for names in FAMILIES.values() for name in names)
