"""The projection heads of DINO (arXiv 2104.14294), iBOT and DINOv2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from sslreg_models.projection_head import projection_head


class DINOHead(nn.Module):
    """The projection head: a perceptron with GELUs, and cosine similarities with K directions (appendix C).

    Args:
        in_features: The width of the features.
        widths: The widths of the layers of the perceptron.
        out_dim: The number K of directions.
        batch_norm: Whether batch normalization follows the layers of the perceptron but the last.
    """

    def __init__(self, in_features: int, widths: Sequence[int], out_dim: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.layers = projection_head(in_features, widths, hidden_norm=batch_norm, activation=nn.GELU)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        self.last_layer = WeightNormalizedLinear(widths[-1], out_dim, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the output (N, K) for features (N, D)."""
        output: Tensor = self.last_layer(normalize(self.layers(features), dim=1))
        return output


class TokenHead(nn.Module):
    """The projection heads of class tokens and of patches, each a `DINOHead`.

    Args:
        in_features: The width of the tokens.
        widths: The widths of the layers of the perceptrons.
        out_dim: The number K of directions.
        batch_norm: Whether batch normalization follows the layers of the perceptrons but the last.
        shared: Whether both are the same head. Batch statistics are then those of class tokens and patches together.
    """

    def __init__(
        self, in_features: int, widths: Sequence[int], out_dim: int, *, batch_norm: bool, shared: bool
    ) -> None:
        super().__init__()
        self.of_class = DINOHead(in_features, widths, out_dim, batch_norm=batch_norm)
        self.of_patches = None if shared else DINOHead(in_features, widths, out_dim, batch_norm=batch_norm)

    def forward(self, class_tokens: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs (N, K) and (R, K) for class tokens (N, D) and patches (R, D)."""
        if self.of_patches is not None:
            return self.of_class(class_tokens), self.of_patches(patches)
        outputs = self.of_class(torch.cat([class_tokens, patches]))
        return outputs[: len(class_tokens)], outputs[len(class_tokens) :]


class WeightNormalizedLinear(nn.Linear):
    """A linear layer without a bias whose rows have length one, as with weight normalization and a fixed scale."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, normalize(self.weight, dim=1))
