"""Kernels for CUDA, which Triton compiles when they are first used.

They process all images of a batch at once. The host decides what they do to an image, from its program and the size of
the images alone, so the bits of a pixel do not depend on the batch.
"""
