"""The default augmentations, with the invariances that each of them induces."""

import sslreg

sslreg_api = 1

#: The names of augmentations in torchvision, kornia and albumentations, and the nearest ones of those that are missing.
ALSO_CALLED = {
    "horizontal_flip": ("hflip", "random_horizontal_flip", "flip_lr"),
    "vertical_flip": ("vflip", "random_vertical_flip", "flip_ud"),
    "random_resized_crop": ("rrc", "random_crop", "random_sized_crop", "cutout", "random_erasing", "coarse_dropout"),
    "affine": ("random_affine", "rotate", "rotation", "random_rotation", "shear", "translate"),
    "elastic": ("elastic_transform",),
    "color_jitter": ("jitter", "hue", "saturation", "brightness", "contrast"),
    "grayscale": ("random_grayscale", "to_gray"),
    "solarize": ("random_solarize",),
    "gaussian_blur": ("blur", "random_gaussian_blur"),
    "gaussian_noise": ("noise", "random_gaussian_noise"),
    "one_of": ("rand_augment", "auto_augment", "trivial_augment*", "aug_mix"),
}


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    """Register every augmentation of this package."""

    def add(name: str, target: str, summary: str, *invariances: str) -> None:
        registry.augmentation(
            name,
            f"sslreg_augmentations.{target}",
            summary=summary,
            invariances=invariances,
            also_called=ALSO_CALLED.get(name, ()),
        )

    add("random_resized_crop", "random_resized_crop:RandomResizedCrop", "crops a random part and resizes it", "shape")
    add("resize", "resize:Resize", "resizes the whole image")
    add("center_crop", "center_crop:CenterCrop", "crops the center")
    add("horizontal_flip", "horizontal_flip:HorizontalFlip", "mirrors left and right", "shape")
    add("vertical_flip", "vertical_flip:VerticalFlip", "mirrors top and bottom", "shape")
    add("rotate90", "rotate90:Rotate90", "rotates by a random number of quarter turns", "shape")
    add("affine", "affine:Affine", "rotates, shifts, scales and shears randomly", "shape")
    add("elastic", "elastic:Elastic", "displaces pixels smoothly and randomly", "shape")
    add("color_jitter", "color_jitter:ColorJitter", "changes brightness, contrast, saturation and hue", "color")
    add("grayscale", "grayscale:Grayscale", "replaces color by luma", "color")
    add("solarize", "solarize:Solarize", "inverts levels above a threshold", "color")
    add("gaussian_blur", "gaussian_blur:GaussianBlur", "blurs by a Gaussian of random width", "texture")
    add("gaussian_noise", "gaussian_noise:GaussianNoise", "adds Gaussian noise", "texture")
    add("normalize", "normalize:Normalize", "subtracts the mean, divides by the standard deviation")
    add("one_of", "one_of:OneOf", "applies one of several augmentations")
    add("random_apply", "random_apply:RandomApply", "applies several augmentations together")
    add("random_order", "random_order:RandomOrder", "applies several augmentations in random order")
