"""The base classes and protocols for plugin authors."""

from sslreg.contracts.augmentation import Augmentation, Images, Keys, Params
from sslreg.contracts.augmentation_protocols import (
    DecodingRequest,
    SupportsFusion,
    SupportsHostParams,
    SupportsPartialDecoding,
    SupportsStrength,
    SupportsUint8,
)
from sslreg.contracts.backbone import Backbone, PlainModule
from sslreg.contracts.batch import Batch, ImageLike, Sample, as_sample
from sslreg.contracts.dataset import Dataset
from sslreg.contracts.evaluator import Embeddings, EvaluatedRun, Evaluator
from sslreg.contracts.frozen_module import FrozenModule, frozen
from sslreg.contracts.loss import Loss
from sslreg.contracts.mask_sampler import Masks, MaskSampler, patch_indices
from sslreg.contracts.memory_bank import MemoryBank
from sslreg.contracts.model import Model, StepOutput, forward_by_size, layer_decay, split_weight_decay
from sslreg.contracts.momentum_encoder import follow, is_momentum_copy, momentum_copy
from sslreg.contracts.patch_backbone import PatchBackbone
from sslreg.contracts.reader import Part, PartialImage, PartialReader, Pixels, Reader, Source
from sslreg.contracts.sample_keys import SampleKeys
from sslreg.contracts.scheduled_values import CosineValue, LinearValue, ScheduledValue, StepCounter

__all__ = [
    "Augmentation",
    "Backbone",
    "Batch",
    "CosineValue",
    "Dataset",
    "DecodingRequest",
    "Embeddings",
    "EvaluatedRun",
    "Evaluator",
    "FrozenModule",
    "ImageLike",
    "Images",
    "Keys",
    "LinearValue",
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
    "Pixels",
    "PlainModule",
    "Reader",
    "Sample",
    "SampleKeys",
    "ScheduledValue",
    "Source",
    "StepCounter",
    "StepOutput",
    "SupportsFusion",
    "SupportsHostParams",
    "SupportsPartialDecoding",
    "SupportsStrength",
    "SupportsUint8",
    "as_sample",
    "follow",
    "forward_by_size",
    "frozen",
    "is_momentum_copy",
    "layer_decay",
    "momentum_copy",
    "patch_indices",
    "split_weight_decay",
]
