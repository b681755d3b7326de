"""From samples to augmented views: randomness per sample, the plan of a view, the collate function."""

from sslreg.views.adapt import Adapted, adapt
from sslreg.views.collate import SKIPPED, Collate, Skipped, as_sample
from sslreg.views.decode import load_image
from sslreg.views.keys import SampleKeys, noise_like
from sslreg.views.lending import empty_result
from sslreg.views.pending import PendingBatch, PendingView, UnderwayBatch
from sslreg.views.plan import Operation, Place, ViewPlan
from sslreg.views.rows import apply, apply_where
from sslreg.views.sometimes import Sometimes

__all__ = [
    "SKIPPED",
    "Adapted",
    "Collate",
    "Operation",
    "PendingBatch",
    "PendingView",
    "Place",
    "SampleKeys",
    "Skipped",
    "Sometimes",
    "UnderwayBatch",
    "ViewPlan",
    "adapt",
    "apply",
    "apply_where",
    "as_sample",
    "empty_result",
    "load_image",
    "noise_like",
]
