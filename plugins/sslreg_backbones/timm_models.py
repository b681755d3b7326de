"""Models of timm without their heads."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import Annotated, Any

from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

import sslreg
from sslreg_backbones.patch_encoding import DropPath, Pool
from sslreg_backbones.stages import timm_parameters_by_depth
from sslreg_backbones.timm_vit import (
    TimmTokens,
    is_vision_transformer,
    prepare_state_dict,
    vision_transformer_arguments,
)
from sslreg_backbones.weight_files import read_tensors
from sslreg_backbones.weight_sources import WeightFile, download_timm_weights, open_weights
from sslreg_backbones.weights import load_weights


@sslreg.enforce_bounds
def build_timm_model(
    name: str,
    in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3,
    image_size: Annotated[int, sslreg.FromRun("image_size")] = 224,
    patch_size: PositiveInt | None = None,
    registers: NonNegativeInt | None = None,
    pool: Pool | None = None,
    drop_path: DropPath = 0.0,
    weights: str | None = None,
    frozen_stages: NonNegativeInt = 0,
) -> TimmBackbone:
    """Build a model of timm without its classifier: features (N, D), pooled as in timm.

    Vision Transformers, such as ViT, DeiT, CLIP, SigLIP, DINOv2, EVA-02 and DINOv3, are backbones of patches and take
    images of any multiple of the patch size.

    Args:
        name: timm's name of the model, with the tag of its weights if there are several (``resnet50.a1_in1k``).
        image_size: The side of the square images for a model of fixed size. For Vision Transformers, the side whose
            position embeddings are learned; for other sizes, they are interpolated. Other models take any size.
        patch_size: The side of a patch of a Vision Transformer in pixels; timm's by default.
        registers: The number of registers of a Vision Transformer; timm's by default.
        pool: The features of a Vision Transformer: the token ``class``, or the ``mean`` of the tokens of patches, in
            both cases after the last norm; timm's by default.
        drop_path: The probability that the last block skips a branch for an image in training. It increases linearly
            from 0 in the first block.
        weights: The initial weights: ``pretrained`` for timm's own, the tag of others that timm has for the model
            (``dino``), a file, the folder of a run, or a name on the Hugging Face hub (``hf-hub:ORG/NAME``,
            ``timm/NAME``). Files may have the names of timm, of the authors of DINO, iBOT, DINOv2, DINOv3, MAE or MoCo
            v3, of torchvision or of Hugging Face. The first filters are adapted to the number of channels. The position
            embeddings and the patch projection of a Vision Transformer are adapted to its sizes.
        frozen_stages: The number of first stages that are not trained, and neither are the embeddings or the stem then.
            The stages of a Vision Transformer are its blocks; those of other models are timm's coarse groups.

    Raises:
        ValueError: timm is not installed or has no such model, the model has no such parameter, the weights are missing
            or do not fit, or there are fewer stages.
    """
    try:
        timm: Any = import_module("timm")
    except ImportError as error:
        raise ValueError("timm is not installed; install it with: pip install 'sslreg[timm]'") from error
    is_vit = is_vision_transformer(timm, name)
    arguments: dict[str, Any] = {"num_classes": 0, "in_chans": in_channels}
    if drop_path:
        arguments["drop_path_rate"] = drop_path
    if is_vit:
        arguments |= vision_transformer_arguments(timm, name, image_size, patch_size, registers, pool)
    else:
        _require_none(name, patch_size=patch_size, registers=registers, pool=pool)
    try:
        config = timm.get_pretrained_cfg(name)
        if config and config.fixed_input_size:
            arguments["img_size"] = image_size
        body = timm.create_model(name, **arguments)
    except (AssertionError, OSError, RuntimeError, TypeError) as error:
        raise ValueError(f"timm cannot build {name!r} for images of {image_size} pixels: {error}") from error
    backbone = (TimmViT if is_vit else TimmBackbone)(body, name, arguments)
    if weights is not None:
        backbone.load(_open_timm_weights(timm, name, weights), optional=["reg_token"] if registers else [])
    backbone.freeze_stages(frozen_stages)
    return backbone


def _open_timm_weights(timm: Any, name: str, weights: str) -> WeightFile:
    """Return the weights that timm has under this name for a model, or those of another source."""
    architecture = name.partition(".")[0]
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]
    if weights != "pretrained" and weights not in tags:
        return open_weights(weights, "timm", ["pretrained", *tags])
    path = download_timm_weights(name if weights == "pretrained" else f"{architecture}.{weights}")
    return WeightFile(weights, path, read_tensors(path))


def _require_none(name: str, **parameters: Any) -> None:
    """Refuse parameters of Vision Transformers for another model."""
    for parameter, value in parameters.items():
        if value is not None:
            raise ValueError(f"{parameter} is for Vision Transformers, but {name} is none; omit {parameter}")


class TimmBackbone(sslreg.Backbone):
    """A model of timm.

    Args:
        body: timm's module without a classifier.
        name: timm's name of the model.
        arguments: The arguments with which timm has built it.
    """

    def __init__(self, body: Any, name: str, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.body: Any = body
        self.name = name
        self.arguments = arguments
        self.num_features: int = self.body.head_hidden_size

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features

    def patches(self, images: Tensor) -> Tensor:
        features: Tensor = self.body.forward_features(images)
        if features.ndim == 4 and getattr(self.body, "output_fmt", "NCHW") != "NHWC":
            features = features.permute(0, 2, 3, 1)
        if features.ndim != 4 or features.shape[-1] != self.num_features:
            raise ValueError(
                f"timm's {self.name} has no feature map of {self.num_features} channels before its pooling"
            )
        return features

    def parameters_by_depth(self) -> list[list[nn.Parameter]]:
        return timm_parameters_by_depth(self.body)

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Convert a state dict to the module's names and sizes, as timm does.

        Raises:
            ValueError: timm cannot convert it.
        """
        convert = getattr(import_module(type(self.body).__module__), "checkpoint_filter_fn", None)
        if convert is None:
            return state
        try:
            return dict(convert(state, self.body))
        except Exception as error:  # timm reads names and shapes without checking them
            raise ValueError(
                f"the weights belong to another architecture; timm cannot convert them: {error}"
            ) from error

    def load(self, file: WeightFile, optional: Collection[str] = ()) -> None:
        """Copy the weights of a whole model.

        Args:
            file: The content of the file.
            optional: The names of tensors that the file may lack.

        Raises:
            ValueError: They belong to another model.
        """
        classifier = self.body.pretrained_cfg["classifier"]
        heads = [classifier] if isinstance(classifier, str) else list(classifier or ())
        self.loaded_weights = load_weights(
            self.body, file, heads=heads, adapt=self.adapt_weights, knows_layouts=True, optional=optional
        )

    def enable_gradient_checkpointing(self) -> None:
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.body.modules()):
            raise ValueError(
                f"{self.name} has batch normalization, whose running statistics would count each batch twice"
            )
        try:
            self.body.set_grad_checkpointing(True)
        except (AssertionError, AttributeError, NotImplementedError) as error:
            raise ValueError(f"timm's {self.name} does not support gradient checkpointing") from error

    def plain(self) -> sslreg.PlainModule:
        """Return timm's module and the code that builds it."""
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        code = f"import timm\nmodel = timm.create_model({self.name!r}{arguments})"
        return sslreg.PlainModule("timm", self.body, code)


class TimmViT(TimmTokens, TimmBackbone):
    """A Vision Transformer of timm."""

    def __init__(self, body: Any, name: str, arguments: dict[str, Any]) -> None:
        super().__init__(body, name, arguments)
        self.add_tokens()

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Convert a state dict to the module's names, patch size and grid of position embeddings, as timm does.

        Raises:
            ValueError: timm cannot convert it, or the file has biases that the module lacks.
        """
        state = super().adapt_weights(prepare_state_dict(self.body, state))
        if self.body.attn_pool is None:
            return {name: tensor for name, tensor in state.items() if not name.startswith("attn_pool.")}
        return state
