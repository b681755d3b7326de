"""The singular values of embeddings, which show a collapse."""

from __future__ import annotations

import sslreg


class Spectrum(sslreg.Evaluator):
    """The singular values of the reference embeddings (N, D). Needs no labels.

    Metrics, of the embeddings without subtracting their mean:

    * ``rankme``: the effective rank (arXiv 2210.02885, equation 1), from 1 (one direction is used) to min(N, D) (all
      directions alike);
    * ``rankme_share``: the same divided by min(N, D);
    * ``value_2``, ``value_4``, ``value_8`` …: the second, fourth, eighth … singular value divided by the first.

    And with the mean subtracted ``first_variance``, the share of the variance that the first principal component
    holds: it grows to 1 as embeddings collapse.

    None has an interval: a bootstrap repeats rows, repeated rows use fewer directions, and so its samples lie below the
    metric instead of around it.
    """

    needs_targets = False

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        features = reference.features
        values = sslreg.singular_values(features)
        most = min(features.shape)
        rankme = sslreg.effective_rank(values)
        variances = sslreg.singular_values(features - features.mean(dim=0)).square()
        return {
            "rankme": rankme,
            "rankme_share": rankme / most,
            "first_variance": float(variances[0] / variances.sum().clamp(min=1e-30)),
            **{
                f"value_{2**n}": float(values[2**n - 1] / values[0].clamp(min=1e-30))
                for n in range(1, most.bit_length())
            },
        }
