"""How many directions the embeddings use."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sslreg.report.charts import Chart, chart
from sslreg.report.reported_runs import Curve

#: Shares of variance below this are rounding.
_FLOOR = 1e-6


def spectrum_chart(features: Mapping[tuple[str, str], Tensor]) -> Chart:
    """The share of the variance that each principal component of features (N, D) holds, largest first.

    features: unit vectors by label and style.
    """
    curves = {key: _spectrum(own) for key, own in features.items()}
    return chart("share of the variance", curves, "component", logarithmic=True)


def _spectrum(features: Tensor) -> Curve:
    variances = torch.linalg.svdvals((features - features.mean(0)).double()).square()
    shares = (variances / variances.sum().clamp_min(1e-12)).clamp_min(_FLOOR)
    return [(number, share) for number, share in enumerate(shares.tolist(), start=1)]
