"""Figures of how far embeddings have spread, which is what a collapse takes away. None of them needs labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

#: The names of the figures here, as metrics.csv has them.
FIGURES = ("embedding_std", "effective_rank", "alignment", "uniformity")


def embedding_std(embeddings: Tensor) -> float:
    """The spread of embeddings (N, D) on the unit sphere: 1 where they lie in all directions alike, 0 where in one.

    The standard deviation of each dimension of the unit vectors, averaged, times the root of D (arXiv 2011.10566,
    section 4.1).
    """
    rows = normalize(embeddings.float(), dim=1)
    return float(rows.std(dim=0).mean()) * math.sqrt(rows.shape[1])


def effective_rank(embeddings: Tensor) -> float:
    """RankMe of embeddings (N, D): from 1 to the smaller of N and D (arXiv 2210.02885, equations 1 and 2)."""
    rows = embeddings.double()
    # The squares of the singular values are the eigenvalues of the smaller Gram matrix.
    gram = rows.T @ rows if rows.shape[1] <= rows.shape[0] else rows @ rows.T
    values = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    shares = values / values.sum().clamp_min(torch.finfo(values.dtype).tiny) + 1e-7
    return float(torch.exp(-(shares * shares.log()).sum()))


def squared_distances(some: Tensor, others: Tensor) -> Tensor:
    """Between the unit vectors of rows (N, D) and those of others: (N,), from 0 to 4."""
    return (normalize(some.float(), dim=1) - normalize(others.float(), dim=1)).square().sum(dim=1)


def alignment(distances: Tensor) -> float:
    """The mean of the squared distances of positives, which are 0 where views agree (arXiv 2005.10242, section 4.1)."""
    return float(distances.mean())


def uniformity(embeddings: Tensor) -> float:
    """How evenly embeddings (N, D) fill the unit sphere: from about -4, evenly, to 0, in one point.

    The logarithm of the mean Gaussian potential, t = 2, of all pairs (arXiv 2005.10242, section 4.2).
    """
    rows = normalize(embeddings.float(), dim=1)
    potentials = torch.exp(4 * (rows @ rows.T) - 4)  # -t |x - y|^2 of unit vectors
    count = len(rows)
    of_pairs = potentials.sum(dtype=torch.float64) - potentials.diagonal().sum(dtype=torch.float64)
    return math.log(float(of_pairs) / (count * (count - 1)))
