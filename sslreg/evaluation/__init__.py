"""Judges features: embeds data sets, runs evaluators, and does the same for baselines."""

from sslreg.evaluation.embedding import embed, embed_batches, joined, some_of
from sslreg.evaluation.evaluate import Evaluation
from sslreg.evaluation.feature_extraction import Images, Subject

__all__ = ["Evaluation", "Images", "Subject", "embed", "embed_batches", "joined", "some_of"]
