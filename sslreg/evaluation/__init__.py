"""Judges features: embeds data sets, runs evaluators, and does the same for baselines."""

from sslreg.evaluation.embed import embed, embed_batches, joined
from sslreg.evaluation.evaluate import Evaluation

__all__ = ["Evaluation", "embed", "embed_batches", "joined"]
