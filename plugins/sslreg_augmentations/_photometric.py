"""Operations on levels, which fuse into one pass over an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import sslreg
from sslreg_augmentations import _kernels
from sslreg_augmentations._instructions import NOTHING
from sslreg_augmentations._nested import over, under

#: How many deviations a Gaussian blur reaches to each side.
REACH = 3.0

#: Codes, int64 (N, k), and their numbers, float32 (N, k).
Program = tuple[Tensor, Tensor]


class Photometric(sslreg.Augmentation):
    """Base of operations that can say what they do as instructions for the compiled pass."""

    eight_bits = True
    host_params = True

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
        if _kernels.kernels("photometry", images) is None:
            return self.change(_kernels.floats(images), params)
        return PhotometricPass([self]).apply(images, over(0, params))

    def absorb(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        return PhotometricPass([self]).absorb(following)


class PhotometricPass(sslreg.Augmentation):
    """Several operations in one pass over each image, on the CPU; on other devices one after the other."""

    eight_bits = True
    host_params = True

    def __init__(self, parts: Sequence[Photometric]) -> None:
        self.parts = list(parts)

    def absorb(self, following: sslreg.Augmentation) -> sslreg.Augmentation | None:
        if self.parts[-1].last or not isinstance(following, Photometric) or not _kernels.usable():
            return None
        return PhotometricPass([*self.parts, following])

    def apply(self, images: Tensor, params: sslreg.Params) -> sslreg.Images:
        kernels = _kernels.kernels("photometry", images)
        if kernels is None:
            return self._one_after_the_other(_kernels.floats(images), params)
        codes, factors = self._program(params, len(images))
        statistics = self.parts[-1].statistics() or ((0.0,), (1.0,))
        mean, std = (torch.tensor(values).expand(images.shape[1]).contiguous() for values in statistics)
        result = sslreg.empty_result(images.shape)
        arrays = (tensor.numpy() for tensor in (images.contiguous(), codes, factors, mean, std))
        kernels.run_programs(*arrays, REACH, result.numpy())
        return result

    def _program(self, params: sslreg.Params, count: int) -> Program:
        """The instructions of all parts, with nothing where a part does not act."""
        programs: list[Program] = []
        for number, part in enumerate(self.parts):
            own = under(number, params)
            acts = own.pop("applied", None)
            codes, factors = part.instructions(own, count)
            programs.append((codes if acts is None else codes.where(acts[:, None], NOTHING), factors))
        codes, factors = (torch.cat(columns, dim=1).contiguous() for columns in zip(*programs, strict=True))
        return codes, factors

    def _one_after_the_other(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        for number, part in enumerate(self.parts):
            own = under(number, params)
            acts = own.pop("applied", torch.ones(len(images), dtype=torch.bool))
            images = sslreg.apply_where(acts, part, images, own)
        return images


def constant(code: int, factor: float, count: int) -> Program:
    """One instruction that is the same for all images."""
    return torch.full((count, 1), code), torch.full((count, 1), factor)
