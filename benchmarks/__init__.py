"""Measurements against other libraries. Each prints ratios and writes them to ``benchmarks/results/``.

Speed depends on the processor, so its results lie in a folder per vendor: ``results/intel/``, ``results/amd/``.
Run one with ``python -m benchmarks.NAME``. The extra ``bench`` installs the other libraries. Tests do not run these.
"""
