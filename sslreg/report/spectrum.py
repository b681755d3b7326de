"""The spectrum of embeddings: how their variance is shared among principal components."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sslreg.report.charts import Chart, build_chart
from sslreg.runs.curve_reader import Curve

#: Smaller shares of the variance are rounding errors.
_FLOOR = 1e-6


def spectrum_chart(features: Mapping[tuple[str, str], Tensor]) -> Chart:
    """Build a chart of the share of the variance that each principal component holds, the largest first.

    Args:
        features: Unit vectors (N, D) by label and style.
    """
    curves = {key: _variance_shares(rows) for key, rows in features.items()}
    return build_chart("share of the variance", curves, "component", logarithmic=True)


def _variance_shares(features: Tensor) -> Curve:
    variances = torch.linalg.svdvals((features - features.mean(0)).double()).square()
    shares = (variances / variances.sum().clamp_min(1e-12)).clamp_min(_FLOOR)
    return [(number, share) for number, share in enumerate(shares.tolist(), start=1)]
