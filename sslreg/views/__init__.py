"""From samples to augmented views: randomness per sample, the plan of a view, the collate function."""

from sslreg.views.callable_augmentation import CallableAugmentation, adapt
from sslreg.views.collate import SKIPPED, Collate, Skipped
from sslreg.views.compilation import may_compile, without_compilation
from sslreg.views.deferred_batch import BatchInFlight, DeferredBatch, DeferredView
from sslreg.views.image_stacking import stack_images, to_float
from sslreg.views.masked_apply import apply, apply_where
from sslreg.views.noise import noise_like
from sslreg.views.plan import Place, ViewPlan, to_batch
from sslreg.views.segmentation_masks import SEGMENTATION_MASKS, SegmentationCollate, move_masks
from sslreg.views.shared_memory import empty_result
from sslreg.views.steps import Draw, Operation
from sslreg.views.with_probability import MASK, WithProbability

__all__ = [
    "MASK",
    "SEGMENTATION_MASKS",
    "SKIPPED",
    "BatchInFlight",
    "CallableAugmentation",
    "Collate",
    "DeferredBatch",
    "DeferredView",
    "Draw",
    "Operation",
    "Place",
    "SegmentationCollate",
    "Skipped",
    "ViewPlan",
    "WithProbability",
    "adapt",
    "apply",
    "apply_where",
    "empty_result",
    "may_compile",
    "move_masks",
    "noise_like",
    "stack_images",
    "to_batch",
    "to_float",
    "without_compilation",
]
