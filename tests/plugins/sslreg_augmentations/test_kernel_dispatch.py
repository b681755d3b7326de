import logging
import sys
from subprocess import CalledProcessError

import pytest

from sslreg_augmentations import _kernel_dispatch


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
