"""Batch normalization with the statistics of all processes, for `trainer.sync_batchnorm`."""

from __future__ import annotations

import torch
import torch.distributed as dist
from lightning.pytorch.plugins import TorchSyncBatchNorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sslreg import distributed
from sslreg.spec import Spec

#: The layers that can be replaced. Their subclasses add behavior that a replacement would lose.
REPLACEABLE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SyncBatchNorm(TorchSyncBatchNorm):
    """A plugin that replaces a model's layers by torch's own, which need a GPU, or else by `AllReducedBatchNorm`."""

    def apply(self, model: nn.Module) -> nn.Module:
        if dist.get_backend() == "nccl":
            return super().apply(model)
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if isinstance(child, _BatchNorm) and type(child) in REPLACEABLE:
                    parent.register_module(name, AllReducedBatchNorm(child))
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        for parent in list(model.modules()):
            for name, child in parent.named_children():
                if isinstance(child, AllReducedBatchNorm):
                    parent.register_module(name, child.to_original())
        return super().revert(model)


class AllReducedBatchNorm(_BatchNorm):
    """A layer that normalizes a batch (N, C, …) by mean and variance over the batches of all processes.

    It equals torch's SyncBatchNorm, but consists of operations that a CPU has too. There are two passes, because a
    variance computed as a difference of sums loses digits.

    Args:
        layer: The layer to replace; the parameters and buffers are shared with it.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self._parameters, self._buffers, self.training = layer._parameters, layer._buffers, layer.training
        self._type = type(layer)

    def to_original(self) -> _BatchNorm:
        """Return a layer of the replaced layer's type that shares this layer's parameters and buffers."""
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
        dtype = torch.promote_types(input.dtype, torch.float32)
        # Processes have batches of different sizes if a layer normalizes, for example, masked patches.
        own_count = torch.full((1,), input.numel() // input.shape[1], dtype=dtype, device=input.device)
        sums = distributed.mean(torch.cat([input.sum(axes, dtype=dtype), own_count]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centered = input - mean.view(shape)
        variance = distributed.mean(centered.square().sum(axes)) / count
        if self.track_running_stats:
            self._update_running_stats(mean.detach(), variance.detach(), count * distributed.world_size())
        output = centered * (variance + self.eps).rsqrt().view(shape)
        return output * self.weight.view(shape) + self.bias.view(shape) if self.affine else output

    def _update_running_stats(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics towards those of a batch with `count` values per channel."""
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (count / (count - 1)), weight)


def require_replaceable_layers(spec: Spec, model: nn.Module) -> None:
    """Raise a UserError if the model has a custom batch normalization that a replacement would change."""
    for module in model.modules():
        if isinstance(module, _BatchNorm) and type(module) not in REPLACEABLE:
            raise spec.error(
                ("trainer", "sync_batchnorm"),
                "cannot-sync",
                f"the model has {type(module).__name__} layers, a custom normalization that cannot be synchronized",
                "omit trainer.sync_batchnorm, or the option that creates these layers (MoCo: model.bn_splits)",
            )
