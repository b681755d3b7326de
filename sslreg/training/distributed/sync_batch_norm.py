"""Batch normalization by the statistics of all processes, for `trainer.sync_batchnorm`."""

from __future__ import annotations

import torch.distributed as dist
from lightning.pytorch.plugins import TorchSyncBatchNorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sslreg import distributed
from sslreg.spec import Spec

#: The layers that can be exchanged. What derives from them adds something that an exchange would lose.
PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SyncBatchNorm(TorchSyncBatchNorm):
    """Exchanges a model's layers: for torch's own, which need a GPU, or for `AllReducedBatchNorm`."""

    def apply(self, model: nn.Module) -> nn.Module:
        if dist.get_backend() == "nccl":
            return super().apply(model)
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if isinstance(child, _BatchNorm) and type(child) in PLAIN:
                    parent.register_module(name, AllReducedBatchNorm(child))
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if isinstance(child, AllReducedBatchNorm):
                    parent.register_module(name, child.original())
        return super().revert(model)


class AllReducedBatchNorm(_BatchNorm):
    """Normalizes a batch (N, C, …) by the mean and the variance of all processes' batches, which are of one size.

    torch's SyncBatchNorm made of operations that a CPU has as well. Two passes, because a variance as the difference of
    two sums would lose digits. Parameters and buffers are those of the layer whose place it takes.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self._parameters, self._buffers, self.training = layer._parameters, layer._buffers, layer.training
        self._type = type(layer)

    def original(self) -> _BatchNorm:
        """A layer of the type that this one was made from, with the same parameters and buffers."""
        layer = self._type(self.num_features, self.eps, self.momentum, self.affine, self.track_running_stats)
        layer._parameters, layer._buffers, layer.training = self._parameters, self._buffers, self.training
        return layer

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch normalization takes a batch (N, C, …), not a tensor of shape {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        axes, shape = [0, *range(2, input.ndim)], (-1, *[1] * (input.ndim - 2))
        mean = distributed.mean(input.mean(axes))
        centered = input - mean.view(shape)
        variance = distributed.mean(centered.square().mean(axes))
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach(), input.numel() // input.shape[1] * distributed.world_size())
        output = centered * (variance + self.eps).rsqrt().view(shape)
        return output * self.weight.view(shape) + self.bias.view(shape) if self.affine else output

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards those of this batch of `count` numbers per channel."""
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


def refuse_other_layers(spec: Spec, model: nn.Module) -> None:
    """UserError: the model has a batch normalization that cannot be exchanged without losing what it adds."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and type(module) not in PLAIN:
            raise spec.error(
                ("trainer", "sync_batchnorm"),
                "cannot-sync",
                f"the model has {type(module).__name__} layers, which normalize in a way of their own",
                "leave out trainer.sync_batchnorm, or what makes them (MoCo: model.bn_splits)",
            )
