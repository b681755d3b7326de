"""Kernels for the CPU, compiled by numba when they are first used, and kept on disk.

They work on one image after the other, on one thread, with the interpreter's lock released, so a pixel's bits do not
depend on the batch around its image. Their literals are float32, since one of float64 would make all arithmetic so.
"""
