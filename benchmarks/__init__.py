"""Measurements beside the peers: each prints ratios and writes them to ``benchmarks/results/``. No part of the tests.

Run one by ``python -m benchmarks.NAME``; the peers come with the extra ``bench``.
"""
