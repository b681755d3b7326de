"""The CUDA kernels compute the same as the tiles in plain torch.

Without a GPU they run in the interpreter of Triton, which must be chosen before triton is imported: in a separate
process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sslreg_losses import _tiled_kernels

pytest.importorskip("triton")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"


@pytest.mark.skipif(INTERPRETED, reason="this is it")
@pytest.mark.slow
def test_kernels_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def rows_of(count: int, dim: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return normalize(torch.randn(count, dim, generator=generator)).to(DEVICE, dtype)


def assert_near(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.gpu
@pytest.mark.parametrize(("samples", "dim", "scale"), [(2, 3, 3.0), (50, 32, 144.0), (75, 20, 20.0), (20, 200, 20.0)])
def test_within(samples: int, dim: int, scale: float) -> None:
    from sslreg_losses import _triton_kernels

    rows, gradient = rows_of(2 * samples, dim), torch.linspace(-1, 1, 2 * samples, device=DEVICE)
    log_sums = _tiled_kernels.log_sums_within(rows, scale, samples)
    assert_near(_triton_kernels.log_sums_within(rows, scale, samples), log_sums)
    arguments = (rows, log_sums, gradient, scale, samples)
    assert_near(_triton_kernels.gradient_within(*arguments), _tiled_kernels.gradient_within(*arguments))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("count", "candidates", "samples"), [(3, 5, 0), (70, 130, 0), (65, 130, 65)])
def test_across(count: int, candidates: int, samples: int, dtype: Any) -> None:
    from sslreg_losses import _triton_kernels

    rows, others, scale = rows_of(count, 20), rows_of(candidates, 20, dtype), 20.0
    log_sums, means = _tiled_kernels.log_sums_across(rows, others, scale, samples, mean=True)
    got_sums, got_means = _triton_kernels.log_sums_across(rows, others, scale, samples, mean=True)
    assert got_means is not None
    assert means is not None
    assert_near(got_sums, log_sums)
    assert_near(got_means, means)
    assert _triton_kernels.log_sums_across(rows, others, scale, samples, mean=False)[1] is None
    arguments = (rows, others, log_sums, torch.linspace(-1, 1, count, device=DEVICE), scale, samples)
    assert_near(_triton_kernels.gradient_across(*arguments), _tiled_kernels.gradient_across(*arguments))
