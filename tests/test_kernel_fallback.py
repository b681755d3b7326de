"""What runs in place of kernels that fail."""

from __future__ import annotations

import logging

import pytest
import torch

from sslreg import KernelFallback

log = logging.getLogger("sslreg.tests")


def fail() -> str:
    raise RuntimeError("no compiler")


def test_kernels_that_work_are_used(caplog: pytest.LogCaptureFixture) -> None:
    fallback = KernelFallback(log, "it is slow")
    assert fallback.run(lambda: "fused", fail) == "fused"
    assert not fallback.failed
    assert not caplog.records


def test_after_the_first_error_they_are_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    fallback = KernelFallback(log, "it is slow")
    assert fallback.run(fail, lambda: "plain") == "plain"
    assert fallback.run(lambda: "fused", lambda: "plain") == "plain"
    assert fallback.failed
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "it is slow, since the kernels of Triton fail: RuntimeError: no compiler"


def test_an_error_of_plain_torch_is_raised() -> None:
    with pytest.raises(RuntimeError, match="no compiler"):
        KernelFallback(log, "it is slow").run(fail, fail)


def test_too_little_memory_is_no_fault_of_the_kernels() -> None:
    def need_memory() -> str:
        raise torch.OutOfMemoryError("CUDA out of memory")

    fallback = KernelFallback(log, "it is slow")
    with pytest.raises(torch.OutOfMemoryError):
        fallback.run(need_memory, lambda: "plain")
    assert not fallback.failed
