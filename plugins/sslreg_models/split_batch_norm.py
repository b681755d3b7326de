"""Batch normalization in parts, as several devices would do it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

import sslreg


class SplitBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization of a batch (N, C, H, W) in `splits` parts, each by its own statistics.

    Sample i belongs to part i mod `splits`. The running statistics follow the mean of the parts. Parameters and buffers
    are those of the original layer, under the same names.

    Args:
        original: The layer that it replaces.
        splits: The number of parts.

    Raises:
        ValueError: N cannot be split into equal parts.
    """

    def __init__(self, original: nn.BatchNorm2d, splits: int) -> None:
        super().__init__(
            original.num_features, original.eps, original.momentum, original.affine, original.track_running_stats
        )
        self.load_state_dict(original.state_dict())
        self.splits = splits

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(input)
        n, c, h, w = input.shape
        if n % self.splits:
            raise ValueError(f"a batch of {n} on one device cannot be split into bn_splits: {self.splits} equal parts")
        running = self.running_mean.repeat(self.splits), self.running_var.repeat(self.splits)
        output = F.batch_norm(
            input.reshape(n // self.splits, self.splits * c, h, w),
            *running,
            weight=None if self.weight is None else self.weight.repeat(self.splits),
            bias=None if self.bias is None else self.bias.repeat(self.splits),
            training=True,
            momentum=self._average_factor(),
            eps=self.eps,
        )
        for statistic, parts in zip((self.running_mean, self.running_var), running, strict=True):
            statistic.copy_(parts.view(self.splits, c).mean(dim=0))
        return output.reshape(n, c, h, w)

    def _average_factor(self) -> float:
        """Return the weight of this batch in the running statistics, which are plain averages without a momentum."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        return 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum


def split_batch_norm(backbone: sslreg.Backbone, splits: int) -> sslreg.Backbone:
    """Replace each `torch.nn.BatchNorm2d` of a backbone by `SplitBatchNorm2d`, in place; one split changes nothing."""
    if splits > 1:
        for parent in list(backbone.modules()):
            for name, child in parent.named_children():
                if type(child) is nn.BatchNorm2d:
                    parent.register_module(name, SplitBatchNorm2d(child, splits))
    return backbone
