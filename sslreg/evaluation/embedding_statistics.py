"""Statistics of embeddings that show a collapse: how far they spread, and in how many directions.

None of them needs labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize

#: The names of the statistics, as in metrics.csv.
FIGURES = ("embedding_std", "effective_rank", "alignment", "uniformity")

#: An `embedding_std` below this is a collapse to a point.
MIN_STD = 0.1
#: An `effective_rank` below this is a collapse to a line.
MIN_RANK = 1.5

#: The number of rows that are multiplied at a time in float64.
_ROWS = 8192


def embedding_std(embeddings: Tensor) -> float:
    """Return the spread of embeddings (N, D) on the unit sphere, from 0 (one direction) to 1 (all directions alike).

    This is the standard deviation of each dimension of the unit vectors, averaged over the dimensions and multiplied
    by the square root of D (arXiv 2011.10566, section 4.1).
    """
    rows = normalize(embeddings.float(), dim=1)
    return float(rows.std(dim=0).mean()) * math.sqrt(rows.shape[1])


def singular_values(embeddings: Tensor) -> Tensor:
    """Return the singular values of embeddings (N, D) in descending order: min(N, D) values in float64.

    They are the square roots of the eigenvalues of the smaller of the two Gram matrices.
    """
    samples, width = embeddings.shape
    if samples < width:
        gram = embeddings.double() @ embeddings.double().T
    else:
        gram = torch.zeros(width, width, dtype=torch.float64, device=embeddings.device)
        for rows in torch.split(embeddings, _ROWS):
            gram += rows.double().T @ rows.double()
    values: Tensor = torch.linalg.eigvalsh(gram).clamp(min=0.0).sqrt().flip(0)
    return values


def effective_rank(values: Tensor) -> float:
    """Return RankMe of K singular values: from 1 (one direction) to K (all directions alike).

    This is the exponential of the entropy of their shares in their sum (arXiv 2210.02885, equations 1 and 2).
    """
    # The paper's epsilon keeps the logarithm finite for a share of zero.
    shares = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny) + 1e-7
    return float(torch.exp(-(shares * shares.log()).sum()))


def squared_distances(embeddings: Tensor, others: Tensor) -> Tensor:
    """Return the squared distances (N,), from 0 to 4, between the unit vectors of two sets of embeddings (N, D)."""
    return (normalize(embeddings.float(), dim=1) - normalize(others.float(), dim=1)).square().sum(dim=1)


def alignment(distances: Tensor) -> float:
    """Return the mean of the squared distances of positives; 0 if all views agree (arXiv 2005.10242, section 4.1)."""
    return float(distances.mean())


def uniformity(embeddings: Tensor) -> float:
    """Return how evenly embeddings (N, D) fill the unit sphere, from about -4 (evenly) to 0 (a single point).

    This is the logarithm of the mean Gaussian potential, with t = 2, of all pairs (arXiv 2005.10242, section 4.2).
    """
    rows = normalize(embeddings.float(), dim=1)
    potentials = torch.exp(4 * (rows @ rows.T) - 4)  # -t |x - y|^2 of unit vectors
    count = len(rows)
    sum_over_pairs = potentials.sum(dtype=torch.float64) - potentials.diagonal().sum(dtype=torch.float64)
    return math.log(float(sum_over_pairs) / (count * (count - 1)))


def describe_collapse(figures: Mapping[str, float]) -> str | None:
    """Return which of the statistics, by the names in metrics.csv, shows a collapse, and None if none does."""
    if figures.get("embedding_std", 1.0) < MIN_STD:
        return f"their standard deviation is {figures['embedding_std']:.3g} (1 if they spread, 0 in one point)"
    if figures.get("effective_rank", MIN_RANK) < MIN_RANK:
        return f"their effective rank is {figures['effective_rank']:.3g}, as if they lay on a line"
    return None
