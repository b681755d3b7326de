"""Kernels for the CPU, which numba compiles when they are first used and caches on disk.

They process one image after the other, on one thread, with the GIL released, so the bits of a pixel do not depend on
the batch. Literals are float32: a float64 literal would make all arithmetic float64.
"""
