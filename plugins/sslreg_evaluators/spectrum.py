"""Whether embeddings have collapsed, read off their singular values."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg

#: Rows that are multiplied at a time.
_ROWS = 8192


class Spectrum(sslreg.Evaluator):
    """The singular values of the reference embeddings (N, D), which need no labels.

    Figures: ``rankme`` (arXiv 2210.02885, equation 1), the exponential of the entropy of the singular values' shares of
    their sum, from 1, one direction is used, to min(N, D), all are alike; ``rankme_share``, the same by min(N, D);
    ``value_2``, ``value_4``, ``value_8`` …, the second, fourth, eighth singular value … by the first; all these without
    subtracting the mean. ``first_variance``, the share of the variance around the mean that the first principal
    component has: it grows to 1 as embeddings collapse. None has an interval: a bootstrap repeats rows, and repeated
    rows use fewer directions, so it lies below the figure and not around it.
    """

    needs_targets = False

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        features = reference.features
        values = _singular_values(features)
        most = min(features.shape)
        rankme = float(_effective_rank(values))
        variances = _singular_values(features - features.mean(dim=0)).square()
        return {
            "rankme": rankme,
            "rankme_share": rankme / most,
            "first_variance": float(variances[0] / variances.sum().clamp(min=1e-30)),
            **{
                f"value_{2**n}": float(values[2**n - 1] / values[0].clamp(min=1e-30))
                for n in range(1, most.bit_length())
            },
        }


def _singular_values(features: Tensor) -> Tensor:
    """Of features (N, D), descending, min(N, D) of them, float64: roots of the smaller Gram matrix's eigenvalues."""
    if len(features) < features.shape[1]:
        gram = features.double() @ features.double().T
    else:
        gram = torch.zeros(features.shape[1], features.shape[1], dtype=torch.float64)
        for rows in features.split(_ROWS):
            gram += rows.double().T @ rows.double()
    values: Tensor = torch.linalg.eigvalsh(gram).clamp(min=0.0).sqrt().flip(0)
    return values


def _effective_rank(values: Tensor) -> Tensor:
    # The paper's epsilon keeps the logarithm finite where a value is zero.
    shares = values / values.sum().clamp(min=1e-30) + 1e-7
    return torch.exp(-(shares * shares.log()).sum())
