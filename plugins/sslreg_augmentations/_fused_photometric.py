"""Operations on levels, which fuse into one pass over an image."""

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

#: How many deviations a Gaussian blur reaches to each side.
REACH = 3.0

#: Codes, int64 (N, k), and their numbers, float32 (N, k).
Program = tuple[Tensor, Tensor]

#: Makes float32 images of images, codes, factors, and mean and deviation by channel.
Runner = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class Photometric(sslreg.Augmentation):
    """Base of operations that can say what they do as instructions for the compiled pass."""

    takes_uint8 = True
    params_on_host = True

    #: Leaves [0, 1], so that nothing can follow it in a pass.
    last = False

    def instructions(self, params: sslreg.Params, count: int) -> Program:
        """What it does to each of `count` images."""
        raise NotImplementedError

    def change(self, images: Tensor, params: sslreg.Params) -> Tensor:
        """The same in torch, for float32 images on any device. params: on the CPU."""
        raise NotImplementedError

    def statistics(self) -> tuple[Sequence[float], Sequence[float]] | None:
        """Mean and deviation by channel, of an operation that normalizes."""
        return None

    def apply(self, images: Tensor, params: sslreg.Params) -> sslreg.Images:
        if runner(images) is None:
            return self.change(sslreg.to_float(images), params)
        return FusedPhotometric([self]).apply(images, nest(0, params))

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        return FusedPhotometric([self]).fuse_with(following)


class FusedPhotometric(sslreg.Augmentation):
    """Several operations in one pass over each image, on the CPU and on CUDA; elsewhere one after the other."""

    takes_uint8 = True
    params_on_host = True

    def __init__(self, parts: Sequence[Photometric]) -> None:
        self.parts = list(parts)

    def fuse_with(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if self.parts[-1].last or not isinstance(following, Photometric) or not _fuse():
            return None
        return FusedPhotometric([*self.parts, following])

    def apply(self, images: Tensor, params: sslreg.Params) -> sslreg.Images:
        run = runner(images)
        if run is None:
            return self._one_after_the_other(sslreg.to_float(images), params)
        codes, factors = self._program(params, len(images))
        statistics = self.parts[-1].statistics() or ((0.0,), (1.0,))
        mean, std = (torch.tensor(values).expand(images.shape[1]).contiguous() for values in statistics)
        return run(images, codes, factors, mean, std)

    def _program(self, params: sslreg.Params, count: int) -> Program:
        """The instructions of all parts, with nothing where a part does not act."""
        programs: list[Program] = []
        for number, part in enumerate(self.parts):
            own = unnest(number, params)
            acts = own.pop("applied", None)
            codes, factors = part.instructions(own, count)
            programs.append((codes if acts is None else codes.where(acts[:, None], NO_OP), factors))
        codes, factors = (torch.cat(columns, dim=1).contiguous() for columns in zip(*programs, strict=True))
        return codes, factors

    def _one_after_the_other(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        for number, part in enumerate(self.parts):
            own = unnest(number, params)
            acts = own.pop("applied", torch.ones(len(images), dtype=torch.bool))
            images = sslreg.apply_where(acts, part, images, own)
        return images


def runner(images: Tensor) -> Runner | None:
    """What runs programs on images, where they are; None where torch has to do the work."""
    if images.is_cuda:
        triton = _kernel_dispatch.cuda_kernels()
        return partial(triton.run_programs, reach=REACH) if triton and triton.takes(images) else None
    kernels = _kernel_dispatch.cpu_kernels("photometry", images)
    return None if kernels is None else partial(_on_cpu, kernels)


def _on_cpu(kernels: ModuleType, images: Tensor, *numbers: Tensor) -> Tensor:
    result = sslreg.empty_result(images.shape)
    arrays = (tensor.numpy() for tensor in (images.contiguous(), *numbers))
    kernels.run_programs(*arrays, REACH, result.numpy())
    return result


def _fuse() -> bool:
    """Whether there is something here that runs programs: numba, or Triton where CUDA is in use."""
    if _kernel_dispatch.can_compile():
        return True
    in_use: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return in_use and _kernel_dispatch.cuda_kernels() is not None


def constant(code: int, factor: float, count: int) -> Program:
    """One instruction that is the same for all images."""
    return torch.full((count, 1), code), torch.full((count, 1), factor)
