"""The base classes and protocols for plugin authors."""

from sslreg.contracts.augmentation import Augmentation, Images, Keys, Params
from sslreg.contracts.augmentation_protocols import (
    DecodingRequest,
    SupportsAspects,
    SupportsFusion,
    SupportsHostParams,
    SupportsPartialDecoding,
    SupportsStrength,
    SupportsUint8,
)
from sslreg.contracts.backbone import Backbone, PlainModule
from sslreg.contracts.batch import Batch, ImageLike, Sample, as_sample, is_label_set
from sslreg.contracts.dataset import Dataset
from sslreg.contracts.evaluator import (
    BackboneEvaluator,
    BackboneRun,
    Embeddings,
    EpochBatches,
    EvaluatedRun,
    Evaluator,
    LabeledPatches,
    PatchEvaluator,
    SegmentedImages,
)
from sslreg.contracts.frozen_module import FrozenModule, frozen
from sslreg.contracts.loaded_weights import LoadedWeights
from sslreg.contracts.loss import Loss
from sslreg.contracts.mask_sampler import Masks, MaskSampler, patch_indices
from sslreg.contracts.memory_bank import MemoryBank
from sslreg.contracts.model import Model, StepOutput, forward_by_size, layer_decay, split_weight_decay
from sslreg.contracts.momentum_encoder import follow, is_momentum_copy, momentum_copy
from sslreg.contracts.patch_backbone import PatchBackbone
from sslreg.contracts.position_embeddings import sine_cosine_embeddings
from sslreg.contracts.reader import Part, PartialImage, PartialReader, Pixels, Reader, Source
from sslreg.contracts.sample_keys import SampleKeys
from sslreg.contracts.scheduled_values import CosineValue, LinearValue, ScheduledValue, StepCounter
from sslreg.contracts.segmentation_mask import (
    IGNORED_PIXEL,
    SegmentationMask,
    is_segmentation_mask,
    load_segmentation_mask,
)

__all__ = [
    "IGNORED_PIXEL",
    "Augmentation",
    "Backbone",
    "BackboneEvaluator",
    "BackboneRun",
    "Batch",
    "CosineValue",
    "Dataset",
    "DecodingRequest",
    "Embeddings",
    "EpochBatches",
    "EvaluatedRun",
    "Evaluator",
    "FrozenModule",
    "ImageLike",
    "Images",
    "Keys",
    "LabeledPatches",
    "LinearValue",
    "LoadedWeights",
    "Loss",
    "MaskSampler",
    "Masks",
    "MemoryBank",
    "Model",
    "Params",
    "Part",
    "PartialImage",
    "PartialReader",
    "PatchBackbone",
    "PatchEvaluator",
    "Pixels",
    "PlainModule",
    "Reader",
    "Sample",
    "SampleKeys",
    "ScheduledValue",
    "SegmentationMask",
    "SegmentedImages",
    "Source",
    "StepCounter",
    "StepOutput",
    "SupportsAspects",
    "SupportsFusion",
    "SupportsHostParams",
    "SupportsPartialDecoding",
    "SupportsStrength",
    "SupportsUint8",
    "as_sample",
    "follow",
    "forward_by_size",
    "frozen",
    "is_label_set",
    "is_momentum_copy",
    "is_segmentation_mask",
    "layer_decay",
    "load_segmentation_mask",
    "momentum_copy",
    "patch_indices",
    "sine_cosine_embeddings",
    "split_weight_decay",
]
