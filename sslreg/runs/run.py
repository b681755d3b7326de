"""A trained run: its spec, its results, and its backbone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import (
    Builder,
    DatasetBuilder,
    SampleDataset,
    blame_components,
    build_embed_collate,
    build_model,
    make_views,
    starts_from_weights,
    without_weights,
)
from sslreg.contracts import Backbone, ImageLike, Model, PatchBackbone, Sample
from sslreg.errors import UserError
from sslreg.runs.checkpoint_content import find_wrong_weights
from sslreg.runs.checkpoint_file import load_newest_checkpoint, wrong_content_error
from sslreg.runs.folder import RunFolder
from sslreg.runs.provenance import lock_readers
from sslreg.spec import Spec, load_spec


class Run:
    """A finished or interrupted run, read from its folder.

    The model is built from the resolved spec and the facts in the lock, which needs neither the training data nor
    Lightning.

    Args:
        path: The run's folder.

    Raises:
        UserError: The folder holds no run.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = RunFolder(Path(path))
        self.path = self.folder.path
        if not self.folder.resolved_spec.is_file():
            raise UserError(
                f"{path} is not the folder of a run: it has no {self.folder.resolved_spec.name}",
                hint="name a folder that 'sslreg train' created, for example runs/NAME/TIMESTAMP",
                code="not-a-run",
            )

    @cached_property
    def spec(self) -> Spec:
        """The spec as it was trained."""
        return lock_readers(load_spec(self.folder.resolved_spec), self.folder)

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json, read anew on each access."""
        return _read_json(self.folder.summary)

    @property
    def timing(self) -> dict[str, Any] | None:
        """The content of timing.json; None if it is missing, as in a run that has not ended."""
        return _read_json(self.folder.timing) if self.folder.timing.exists() else None

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The content of lock.json."""
        return _read_json(self.folder.lock)

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that the run learned when it was assembled, by the names of `FromRun`."""
        facts: dict[str, Any] = self.lock["facts"]
        return facts

    def untrained_model(self) -> Model:
        """Build the model with random weights, a baseline; the `weights` of the spec are not read."""
        return build_model(Builder(self.spec, self.facts), read_weights=False)

    def starting_model(self) -> Model:
        """Build the model as it was before the first step, from the `weights` of the spec if there are any.

        Raises:
            UserError: The weights are no longer available, for example because their file has moved.
        """
        try:
            return build_model(Builder(self.spec, self.facts))
        except UserError as error:
            if without_weights(self.spec.model) == self.spec.model:
                raise
            raise UserError(
                f"the weights from which {self.path} started cannot be loaded: {error.diagnostics[0].message}",
                hint="restore the weights; the trained model does not need them",
                code="no-initial-weights",
            ) from error

    def initial_model(self) -> tuple[str, Model]:
        """Build the model with which the trained one is compared, and return it after its subject.

        This is the ``starting`` one if the backbone has started from weights that are still available, otherwise the
        ``untrained`` one.
        """
        model = self.untrained_model()
        if starts_from_weights(self.spec, model.backbone):
            with suppress(UserError):
                return "starting", self.starting_model()
        return "untrained", model

    def model(self) -> Model:
        """Build the trained model on the CPU and in eval mode. With ``engine.ema`` it has the averaged weights.

        The checkpoint has everything: weights from which the run started are not read.

        Raises:
            SslregError: There is no checkpoint, or it does not fit.
        """
        model = build_model(Builder(self.spec, self.facts), read_weights=False)
        path, checkpoint = load_newest_checkpoint(self.folder)
        state = checkpoint["state_dict"]
        prefix = "model." if self.spec.engine.ema is None else "average.model."
        weights = {name.removeprefix(prefix): value for name, value in state.items() if str(name).startswith(prefix)}
        if wrong := find_wrong_weights(model.state_dict(), weights):
            raise wrong_content_error(path, f"it does not fit the model of {self.folder.resolved_spec}: {wrong}")
        model.load_state_dict(weights)
        return model.eval()

    @property
    def checkpoint_path(self) -> Path:
        """The newest whole checkpoint, from which `model` gets its weights. Raises SslregError if there is none."""
        return load_newest_checkpoint(self.folder)[0]

    def backbone(self) -> Backbone:
        """Build the trained backbone, which maps images (N, C, H, W) from `preprocess` to features (N, D)."""
        return self.model().backbone

    def preprocess(self) -> Callable[[ImageLike], Tensor]:
        """Return a function from an image (path, bytes, PIL image, array) to the tensor (C, H, W) that is embedded."""
        collate = build_embed_collate(self.spec)

        def preprocess(image: ImageLike) -> Tensor:
            (images,) = make_views(collate, [Sample(image, index=0, epoch=0)])
            return images[0]

        return preprocess

    def embed(self, images: Sequence[ImageLike] | Tensor, batch_size: int = 256) -> Tensor:
        """Return the features (N, D) of images, preprocessed as in the run's evaluations, on the CPU.

        Args:
            images: N images that `preprocess` accepts, or a tensor (N, C, H, W) of pixels.
            batch_size: The number of images that are embedded at once.

        Raises:
            SslregError: An image cannot be read, or the code of the model raises something else.
        """
        return self._apply(self._embedder.embed, images, batch_size)

    def patches(self, images: Sequence[ImageLike] | Tensor, batch_size: int = 256) -> Tensor:
        """Return the features (N, rows, columns, D) of the patches of images, float32 on the CPU.

        Images are preprocessed as by `embed`. The grid covers the preprocessed image, which may be a crop.

        Args:
            images: N images that `preprocess` accepts, or a tensor (N, C, H, W) of pixels.
            batch_size: The number of images that are embedded at once.

        Raises:
            UserError: The backbone has no patches.
            SslregError: An image cannot be read, or the code of the model raises something else.
        """
        return self._apply(require_patches(self._embedder.backbone).patches, images, batch_size)

    def _apply(
        self, function: Callable[[Tensor], Tensor], images: Sequence[ImageLike] | Tensor, batch_size: int
    ) -> Tensor:
        """Apply a function of preprocessed images (N, C, H, W) to images, batch by batch."""
        preprocess, results = self.preprocess(), []
        with blame_components(self.spec), torch.inference_mode():
            for start in range(0, len(images), batch_size):
                views = torch.stack([preprocess(image) for image in images[start : start + batch_size]])
                results.append(function(views).float())
        return torch.cat(results)

    def split(self, name: str) -> SampleDataset:
        """Load one of the spec's data sets: train, reference or test. Raises UserError if the spec lacks it."""
        return DatasetBuilder(Builder(self.spec, self.facts)).build(name)

    @cached_property
    def _embedder(self) -> Model:
        return self.model()

    def checkpoint(self) -> dict[str, Any]:
        """Load the newest whole checkpoint onto the CPU.

        If the last one is damaged, the one before it is used and a warning logged.

        Raises:
            SslregError: There is no checkpoint, none is whole, or one was not written by sslreg.
        """
        _, content = load_newest_checkpoint(self.folder)
        return content


def require_patches(backbone: Backbone) -> PatchBackbone:
    """Return a backbone if it divides images into patches, and raise UserError otherwise."""
    if not isinstance(backbone, PatchBackbone):
        raise UserError(
            f"{type(backbone).__name__}, the backbone of this run, has no patches",
            hint="patch features need a run with a backbone of patches, such as a Vision Transformer",
            code="no-patches",
        )
    return backbone


def load_run(path: str | Path) -> Run:
    """Open a run's folder: ``sslreg.load_run("runs/digits/…").backbone()``."""
    return Run(path)


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file. Raises UserError if it is missing or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is missing or damaged: {getattr(error, 'strerror', None) or error}",
            hint="sslreg runs list shows which runs are broken",
            code="broken-run",
        ) from error
    return content
