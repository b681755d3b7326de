"""What runs in place of kernels that fail, such as those that Triton compiles when they are first used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


class KernelFallback:
    """Runs fused kernels until they fail for the first time, and plain torch in their place from then on.

    Whether a kernel works is known only once it ran: compiling it needs a C compiler, a driver that fits, and enough
    shared memory on the device.

    Args:
        log: Where the failure is logged, as a warning with its reason.
        consequence: What a user notices, such as ``augmentation on the GPU is slow``.

    Attributes:
        failed: Whether they failed.
    """

    def __init__(self, log: logging.Logger, consequence: str) -> None:
        self._log = log
        self._consequence = consequence
        self.failed = False

    def run(self, fused: Callable[[], Result], plain: Callable[[], Result]) -> Result:
        """Return the result of the kernels, or of what does the same in plain torch.

        Args:
            fused: Calls the kernels.
            plain: Does the same. Its errors are raised.

        Raises:
            torch.OutOfMemoryError: The kernels need more memory than there is, which the same in torch does, too.
        """
        if not self.failed:
            try:
                return fused()
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - compilers and drivers raise anything
                self.failed = True
                reason = f"{type(error).__name__}: {error}"
                self._log.warning("%s, since the kernels of Triton fail: %s", self._consequence, reason)
        return plain()
