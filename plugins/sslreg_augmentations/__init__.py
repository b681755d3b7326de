"""The augmentations that come with sslreg, with the invariances that each of them teaches."""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    """Register every augmentation of this package."""

    def add(name: str, target: str, summary: str, *invariances: str) -> None:
        registry.augmentation(name, f"sslreg_augmentations.{target}", summary=summary, invariances=invariances)

    add("random_resized_crop", "random_resized_crop:RandomResizedCrop", "a random part, brought to a size", "shape")
    add("resize", "resize:Resize", "the whole image, brought to a size")
    add("center_crop", "center_crop:CenterCrop", "the middle of the image")
    add("horizontal_flip", "horizontal_flip:HorizontalFlip", "left and right exchanged", "shape")
    add("vertical_flip", "vertical_flip:VerticalFlip", "top and bottom exchanged", "shape")
    add("rotate90", "rotate90:Rotate90", "turned by a random number of quarter turns", "shape")
    add("affine", "affine:Affine", "randomly rotated, moved, scaled and sheared", "shape")
    add("elastic", "elastic:Elastic", "distorted by a smooth random displacement", "shape")
    add("color_jitter", "color_jitter:ColorJitter", "brightness, contrast, saturation and hue, changed", "color")
    add("grayscale", "grayscale:Grayscale", "color taken away", "color")
    add("solarize", "solarize:Solarize", "levels above a threshold inverted", "color")
    add("gaussian_blur", "gaussian_blur:GaussianBlur", "blurred by a Gaussian of random width", "texture")
    add("gaussian_noise", "gaussian_noise:GaussianNoise", "Gaussian noise added", "texture")
    add("normalize", "normalize:Normalize", "mean subtracted, divided by the standard deviation")
    add("one_of", "one_of:OneOf", "one of several augmentations, chosen at random")
    add("random_apply", "random_apply:RandomApply", "several augmentations, together or not at all (p)")
    add("random_order", "random_order:RandomOrder", "several augmentations, in random order")
