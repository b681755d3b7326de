"""Photometric operations, fused into one pass over an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernel_dispatch
from sslreg_augmentations._nested_params import nest, unnest
from sslreg_augmentations._opcodes import NO_OP

#: The standard deviations that a Gaussian blur reaches to each side.
REACH = 3.0

#: Opcodes, int64 (N, K), and their factors, float32 (N, K).
Program = tuple[Tensor, Tensor]

#: Runs programs: from images, opcodes, factors, and mean and standard deviation by channel to float32 images.
Runner = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class Photometric(sslreg.Augmentation):
    """Base class of operations that the compiled pass can run as instructions."""

    takes_uint8 = True
    params_on_host = True

    #: Leaves [0, 1], so that nothing can follow it in a pass.
    leaves_range = False

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        """Return the program of the operation for each of `count` images."""
        raise NotImplementedError

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        """Do the same in torch, for float32 images on any device. params: on the CPU."""
        raise NotImplementedError

    def statistics(self) -> tuple[Sequence[float], Sequence[float]] | None:
        """Return mean and standard deviation by channel, if the operation normalizes."""
        return None

    def apply(self, images: Tensor, params: sslreg.Params) -> sslreg.Images:
        if find_runner(images) is None:
            return self.change(sslreg.to_float(images), params)
        return FusedPhotometric([self]).apply(images, nest(0, params))

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        return FusedPhotometric([self]).fuse_with(following)


class FusedPhotometric(sslreg.Augmentation):
    """Several operations in one pass over each image, on the CPU and on CUDA; in torch elsewhere, one by one."""

    takes_uint8 = True
    params_on_host = True

    def __init__(self, parts: Sequence[Photometric]) -> None:
        self.parts = list(parts)

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if self.parts[-1].leaves_range or not isinstance(following, Photometric) or not _can_run_programs():
            return None
        return FusedPhotometric([*self.parts, following])

    def apply(self, images: Tensor, params: sslreg.Params) -> sslreg.Images:
        run = find_runner(images)
        if run is None:
            return self._apply_one_by_one(sslreg.to_float(images), params)
        if not images.is_cuda:
            return self._run_program(run, images, params)
        return _kernel_dispatch.cuda_fallback.run(
            lambda: self._run_program(run, images, params),
            lambda: self._apply_one_by_one(sslreg.to_float(images), params),
        )

    def _run_program(self, run: Runner, images: Tensor, params: sslreg.Params) -> Tensor:
        codes, factors = self._program(params, len(images))
        statistics = self.parts[-1].statistics() or ((0.0,), (1.0,))
        mean, std = (torch.tensor(values).expand(images.shape[1]).contiguous() for values in statistics)
        return run(images, codes, factors, mean, std)

    def _program(self, params: sslreg.Params, count: int) -> Program:
        """Return the programs of all parts; a part that is not applied to an image does nothing there."""
        programs: list[Program] = []
        for number, part in enumerate(self.parts):
            own = unnest(number, params)
            applied = own.pop("applied", None)
            codes, factors = part.instructions(own, count)
            programs.append((codes if applied is None else codes.where(applied[:, None], NO_OP), factors))
        codes, factors = (torch.cat(columns, dim=1).contiguous() for columns in zip(*programs, strict=True))
        return codes, factors

    def _apply_one_by_one(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        for number, part in enumerate(self.parts):
            own = unnest(number, params)
            applied = own.pop("applied", torch.ones(len(images), dtype=torch.bool))
            images = sslreg.apply_where(applied, part, images, own)
        return images


def find_runner(images: Tensor) -> Runner | None:
    """Return what runs programs on the images on their device; None if torch must do the work."""
    if images.is_cuda:
        kernels = None if _kernel_dispatch.cuda_fallback.failed else _kernel_dispatch.cuda_kernels()
        return partial(kernels.run_programs, reach=REACH) if kernels and kernels.supports(images) else None
    kernels = _kernel_dispatch.cpu_kernels("photometry", images)
    return None if kernels is None else partial(_run_on_cpu, kernels)


def _run_on_cpu(kernels: ModuleType, images: Tensor, *numbers: Tensor) -> Tensor:
    result = sslreg.empty_result(images.shape)
    arrays = (tensor.numpy() for tensor in (images.contiguous(), *numbers))
    kernels.run_programs(*arrays, REACH, result.numpy())
    return result


def _can_run_programs() -> bool:
    """Return whether something here can run programs: numba, or Triton if CUDA is in use."""
    if _kernel_dispatch.can_compile():
        return True
    in_use: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return in_use and _kernel_dispatch.cuda_kernels() is not None


def repeat_instruction(code: int, factor: float, count: int) -> Program:
    """Return one instruction, the same for each of `count` images."""
    return torch.full((count, 1), code), torch.full((count, 1), factor)
