"""The choice of kernels, and what replaces those that fail."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

import sslreg_losses._log_sum_exp
from sslreg_losses import NTXentLoss, _kernel_dispatch, _tiled_kernels
from sslreg_losses._kernel_dispatch import FusedKernels, select_kernels

NAMES = ("log_sums_within", "gradient_within", "log_sums_across", "gradient_across")


def raise_error(*_: Any) -> Any:
    raise RuntimeError("ptxas fatal: no such target")


@pytest.mark.parametrize("failing", NAMES)
def test_a_kernel_that_fails_is_replaced_with_one_warning(
    failing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    generator = torch.Generator().manual_seed(0)
    views = [normalize(torch.randn(8, 4, generator=generator)) for _ in range(2)]
    bank = normalize(torch.randn(6, 4, generator=generator))

    def measure() -> list[torch.Tensor]:
        inputs = [each.clone().requires_grad_() for each in (*views, bank)]
        first, second, candidates = inputs
        across = sslreg_losses._log_sum_exp.log_sum_exp_across(first, candidates, 0.5)
        loss = NTXentLoss()(first, second) + across.sum()
        return [loss.detach(), *torch.autograd.grad(loss, inputs)]

    expected = measure()
    working = {name: getattr(_tiled_kernels, name) for name in NAMES}
    fused = FusedKernels(SimpleNamespace(**(working | {failing: raise_error})))
    monkeypatch.setattr(sslreg_losses._log_sum_exp, "select_kernels", lambda rows: fused)
    with caplog.at_level(logging.WARNING, logger="sslreg"):
        for got, wanted in zip(measure(), expected, strict=True):
            assert torch.equal(got, wanted)
        measure()
    assert [record.getMessage() for record in caplog.records] == [
        "losses need more time and memory on the GPU, since the kernels of Triton fail: "
        "RuntimeError: ptxas fatal: no such target"
    ]


def test_triton_that_cannot_be_imported_is_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_kernel_dispatch, "find_spec", lambda name: object())
    monkeypatch.setattr(_kernel_dispatch, "import_module", raise_error)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    _kernel_dispatch._load_triton_kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="sslreg"):
            for _ in range(2):
                assert select_kernels(torch.ones(4, 2)) is _tiled_kernels
        assert len(caplog.records) == 1
        assert "Triton cannot be imported: ptxas fatal" in caplog.text
    finally:
        _kernel_dispatch._load_triton_kernels.cache_clear()


def test_on_the_cpu_plain_torch_computes() -> None:
    assert select_kernels(torch.ones(4, 2)) is _tiled_kernels
