"""From samples to augmented views: randomness per sample, the plan of a view, the collate function."""

from sslreg.views.callable_augmentation import CallableAugmentation, adapt
from sslreg.views.collate import SKIPPED, Collate, Skipped, as_sample
from sslreg.views.deferred_batch import BatchInFlight, DeferredBatch, DeferredView
from sslreg.views.image_batches import apply, apply_where
from sslreg.views.plan import Operation, Place, ViewPlan
from sslreg.views.randomness import SampleKeys, noise_like
from sslreg.views.shared_memory import empty_result
from sslreg.views.with_probability import WithProbability

__all__ = [
    "SKIPPED",
    "BatchInFlight",
    "CallableAugmentation",
    "Collate",
    "DeferredBatch",
    "DeferredView",
    "Operation",
    "Place",
    "SampleKeys",
    "Skipped",
    "ViewPlan",
    "WithProbability",
    "adapt",
    "apply",
    "apply_where",
    "as_sample",
    "empty_result",
    "noise_like",
]
