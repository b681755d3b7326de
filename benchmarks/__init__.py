"""Measurements against other libraries. Each prints ratios and writes them to ``benchmarks/results/``.

Run one with ``python -m benchmarks.NAME``. The extra ``bench`` installs the other libraries. Tests do not run these.
"""
