"""Embeds data sets and evaluates features, those of baselines included."""

from sslreg.evaluation.checksum import checksum_weights
from sslreg.evaluation.embedding import abbreviate_list, concatenate, embed, embed_batches, warn_about_unreadable
from sslreg.evaluation.evaluate import Evaluation
from sslreg.evaluation.feature_extraction import EvaluationImages, FeatureExtractor
from sslreg.evaluation.raw_pixels import evaluate_raw_pixels

__all__ = [
    "Evaluation",
    "EvaluationImages",
    "FeatureExtractor",
    "abbreviate_list",
    "checksum_weights",
    "concatenate",
    "embed",
    "embed_batches",
    "evaluate_raw_pixels",
    "warn_about_unreadable",
]
