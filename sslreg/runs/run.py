"""A run that was trained: what it was, what it reached, and its backbone for use."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import Builder, SampleDataset, build_embed_collate, build_model, make_first_view
from sslreg.contracts import Backbone, ImageLike, Model, Sample
from sslreg.errors import SslregError, UserError
from sslreg.runs.checkpoint_file import newest_checkpoint
from sslreg.runs.folder import RunFolder
from sslreg.spec import Spec, load_spec


class Run:
    """A finished (or interrupted) run, read from its folder.

    The model is built again from the resolved spec and what the lock says the run knew, so neither its training data
    nor Lightning is needed.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = RunFolder(Path(path))
        self.path = self.folder.path
        if not self.folder.resolved_spec.is_file():
            raise UserError(
                f"{path} is not the folder of a run: it has no {self.folder.resolved_spec.name}",
                hint="name a folder that 'sslreg train' made, for example runs/NAME/TIMESTAMP",
                code="not-a-run",
            )

    @cached_property
    def spec(self) -> Spec:
        """The spec as it was trained."""
        return load_spec(self.folder.resolved_spec)

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json, read afresh."""
        return _content(self.folder.summary)

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The content of lock.json."""
        return _content(self.folder.lock)

    @property
    def facts(self) -> dict[str, Any]:
        """What the run knew about itself, by `FromRun`'s names."""
        facts: dict[str, Any] = self.lock["facts"]
        return facts

    def untrained_model(self) -> Model:
        """The model as it was before the first step."""
        return build_model(Builder(self.spec, self.facts))

    def model(self) -> Model:
        """The trained model, its weights averaged with ``engine.ema``, on the CPU and in eval mode.

        SslregError: there is no checkpoint, or it does not fit.
        """
        model = self.untrained_model()
        state = self.checkpoint()["state_dict"]
        prefix = "model." if self.spec.engine.ema is None else "average.model."
        weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise SslregError(
                f"the checkpoint in {self.folder.checkpoints} does not fit the model of "
                f"{self.folder.resolved_spec}: {error}"
            ) from error
        return model.eval()

    def backbone(self) -> Backbone:
        """The trained backbone: images (N, C, H, W), as `preprocess` makes them, to features (N, D)."""
        return self.model().backbone

    def preprocess(self) -> Callable[[ImageLike], Tensor]:
        """A function from an image (a path, bytes, a PIL image, an array) to the tensor (C, H, W) that was embedded."""
        collate = build_embed_collate(self.spec)

        def preprocess(image: ImageLike) -> Tensor:
            return make_first_view(collate, [Sample(image, index=0, epoch=0)])[0]

        return preprocess

    def embed(self, images: Sequence[ImageLike] | Tensor, batch_size: int = 256) -> Tensor:
        """Features (N, D) of images, preprocessed as in the run's evaluations, on the CPU.

        images: N of what `preprocess` takes, or a tensor (N, C, H, W) of pixels.
        """
        preprocess, model = self.preprocess(), self._embedder
        features = []
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                views = torch.stack([preprocess(image) for image in images[start : start + batch_size]])
                features.append(model.embed(views))
        return torch.cat(features)

    def split(self, name: str) -> SampleDataset:
        """One of the spec's data sets: train, reference or test. UserError: the spec has none of that name."""
        component = getattr(self.spec.data, name, None)
        if component is None:
            raise self.spec.error(("data",), "no-such-split", f"the spec names no data.{name}")
        return SampleDataset(Builder(self.spec, self.facts).build(component))

    @cached_property
    def _embedder(self) -> Model:
        return self.model()

    def checkpoint(self) -> dict[str, Any]:
        """The content of the last checkpoint that is whole, on the CPU.

        If the last one is damaged, the one before it is taken, with a warning. SslregError: there is none, none is
        whole, or one was not written by sslreg.
        """
        _, content = newest_checkpoint(self.folder)
        return content


def load_run(path: str | Path) -> Run:
    """Open a run's folder: ``sslreg.load_run("runs/digits/…").backbone()``."""
    return Run(path)


def _content(path: Path) -> dict[str, Any]:
    """UserError: the file is missing or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is missing or damaged: {getattr(error, 'strerror', None) or error}",
            hint="sslreg runs list names runs that are broken",
            code="broken-run",
        ) from error
    return content
