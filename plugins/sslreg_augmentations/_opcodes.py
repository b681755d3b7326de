"""The instructions that photometric operations are translated to, one after the other for each image."""

NOTHING, BRIGHTNESS, CONTRAST, SATURATION, HUE, GRAY, SOLARIZE, NORMALIZE, BLUR = range(9)
