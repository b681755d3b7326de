"""The instructions that photometric operations are translated to, one after the other for each image."""

NO_OP, BRIGHTNESS, CONTRAST, SATURATION, HUE, GRAY, SOLARIZE, NORMALIZE, BLUR = range(9)
