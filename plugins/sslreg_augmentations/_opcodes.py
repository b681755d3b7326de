"""The opcodes of photometric programs, which the kernels run instruction by instruction for each image."""

NO_OP, BRIGHTNESS, CONTRAST, SATURATION, HUE, GRAY, SOLARIZE, NORMALIZE, BLUR = range(9)
