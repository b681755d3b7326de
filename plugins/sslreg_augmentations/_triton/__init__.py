"""Kernels for CUDA, compiled by Triton when they are first used.

They work on all images of a batch at a time. What they do to one is decided on the host, and depends on its own program
and on the size of the images, so a pixel's bits do not depend on the batch around its image.
"""
