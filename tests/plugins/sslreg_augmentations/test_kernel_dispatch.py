import logging
import sys
from subprocess import CalledProcessError
from types import SimpleNamespace

import pytest
import torch

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._fused_photometric import FusedPhotometric
from sslreg_augmentations.grayscale import Grayscale
from sslreg_augmentations.solarize import Solarize


@pytest.fixture
def backend() -> None:
    """These tests are of the choice itself."""


def test_without_numba_torch_does_the_work_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in [name for name in sys.modules if name.startswith("sslreg_augmentations._numba")]:
        monkeypatch.delitem(sys.modules, module)
    _kernel_dispatch._load_numba_kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="sslreg"):
            assert not _kernel_dispatch.can_compile()
        assert "kernels cannot be compiled" in caplog.text
    finally:
        _kernel_dispatch._load_numba_kernels.cache_clear()


@pytest.mark.parametrize("error", [RuntimeError("Failed to find C compiler"), CalledProcessError(1, "gcc")])
def test_without_a_c_compiler_torch_does_the_work_of_a_gpu_and_the_log_says_so(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("triton")
    from sslreg_augmentations._triton import photometry

    def build_driver() -> None:
        raise error

    monkeypatch.setattr(photometry, "build_driver", build_driver)
    _kernel_dispatch.cuda_kernels.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="sslreg"):
            assert _kernel_dispatch.cuda_kernels() is None
        assert "Triton cannot compile its kernels" in caplog.text
    finally:
        _kernel_dispatch.cuda_kernels.cache_clear()


def test_without_triton_nothing_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(_kernel_dispatch, "find_spec", lambda name: None)
    _kernel_dispatch.cuda_kernels.cache_clear()
    try:
        assert _kernel_dispatch.cuda_kernels() is None
        assert not caplog.records
    finally:
        _kernel_dispatch.cuda_kernels.cache_clear()


def test_a_kernel_of_a_gpu_that_fails_is_replaced_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The images are on the CPU, and pass for images on a GPU."""

    def fail(*_: object) -> torch.Tensor:
        raise RuntimeError("out of resource: shared memory")

    kernels = SimpleNamespace(supports=lambda images: True, run_programs=lambda *_, reach: fail())
    images = torch.rand(4, 3, 8, 8)
    fused = FusedPhotometric([Solarize(threshold=0.5), Grayscale()])
    expected = fused._apply_one_by_one(images, {})
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    monkeypatch.setattr(_kernel_dispatch, "cuda_kernels", lambda: kernels)
    fallback = sslreg.KernelFallback(_kernel_dispatch.log, "augmentation on the GPU is slow")
    monkeypatch.setattr(_kernel_dispatch, "cuda_fallback", fallback)
    with caplog.at_level(logging.WARNING, logger="sslreg"):
        for _ in range(2):
            got = fused.apply(images, {})
            assert isinstance(got, torch.Tensor)
            torch.testing.assert_close(got, expected)
    (record,) = caplog.records
    assert "augmentation on the GPU is slow, since the kernels of Triton fail: RuntimeError" in record.getMessage()
