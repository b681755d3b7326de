import logging
import sys

import pytest

from sslreg_augmentations import _kernels


@pytest.fixture
def backend() -> None:
    """These tests are of the choice itself."""


def test_without_numba_torch_does_the_work_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in [name for name in sys.modules if name.startswith("sslreg_augmentations._compiled")]:
        monkeypatch.delitem(sys.modules, module)
    _kernels._module.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="sslreg"):
            assert not _kernels.usable()
        assert "kernels cannot be compiled" in caplog.text
    finally:
        _kernels._module.cache_clear()
