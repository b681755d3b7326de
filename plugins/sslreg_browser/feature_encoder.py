"""The features of single images: raw pixels, and the backbone of a run before and after training."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

import sslreg

#: The subject of pixels, as in the metrics of runs.
RAW_PIXELS = "raw_pixels"


class FeatureEncoder:
    """Computes the features of images as the evaluations of a run do.

    An image is prepared first: it gets the leading geometry of the embedding view, which brings it to its size. That is
    the picture that a page shows, and the image to which augmentations are applied.

    Args:
        run: The run. Its newest checkpoint is loaded.

    Attributes:
        checkpoint: The path of the checkpoint.
        subjects: The names of the features: ``raw_pixels``, ``untrained`` or ``starting``, and ``trained``.

    Raises:
        SslregError: The checkpoint or a plugin is missing.
    """

    def __init__(self, run: sslreg.Run) -> None:
        self.checkpoint = run.checkpoint_path
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        initial_subject, initial = run.initial_model()
        models = {initial_subject: initial, "trained": run.model()}
        self._models = {subject: model.eval().to(self._device) for subject, model in models.items()}
        self.subjects = (RAW_PIXELS, *self._models)
        spec, plan = run.spec, sslreg.build_embed_plan(run.spec)
        self._prepare = sslreg.Collate(
            [plan.geometry_only()],
            seed=spec.seed,
            channels=spec.data.channels,
            readers=sslreg.build_readers(spec),
        )
        self._values = plan.operations[plan.leading :]
        self._seed = spec.seed
        # Requests share the models. One at a time needs the memory of one.
        self._lock = threading.Lock()

    @property
    def has_patches(self) -> bool:
        """Whether the backbone divides images into patches."""
        return all(isinstance(model.backbone, sslreg.PatchBackbone) for model in self._models.values())

    def prepare(self, image: sslreg.ImageLike | sslreg.UserError) -> Tensor:
        """Return an image (C, H, W), float32 in [0, 1], after the leading geometry of the embedding view.

        Raises:
            UserError: The image cannot be read.
        """
        return self._run(self._prepare, [sslreg.Sample(image, index=0, epoch=0)])[0]

    def augment(self, image: Tensor, augmentation: sslreg.Augmentation, row: int, draws: int) -> Tensor:
        """Return a prepared image after several draws of an augmentation, (N, C, H, W).

        Args:
            image: The image (C, H, W).
            augmentation: The augmentation.
            row: A number that keys the draws. The same number gets the same draws.
            draws: The number N.

        Raises:
            UserError: The augmentation cannot be applied to the image.
        """
        plan = sslreg.ViewPlan([sslreg.Operation("measured", augmentation)])
        samples = [sslreg.Sample(image, index=row, epoch=draw) for draw in range(draws)]
        return self._run(sslreg.Collate([plan], seed=self._seed), samples)

    def encode(self, images: Tensor) -> dict[str, Tensor]:
        """Return the features (N, D) of prepared images (N, C, H, W), by subject. Only pixels have unequal lengths.

        Raises:
            UserError: The embedding view cannot be made of the images.
        """
        features = self._apply(images, lambda model: model.embed)
        return {
            RAW_PIXELS: sslreg.project_pixels(images),
            **{subject: normalize(own, dim=1) for subject, own in features.items()},
        }

    def encode_patches(self, images: Tensor) -> dict[str, Tensor]:
        """Return the features (N, rows, columns, D) of the patches of prepared images, as unit vectors by subject."""
        features = self._apply(images, lambda model: model.backbone.patches)
        return {subject: normalize(own, dim=-1) for subject, own in features.items()}

    def _apply(
        self, images: Tensor, function: Callable[[sslreg.Model], Callable[[Tensor], Tensor]]
    ) -> Mapping[str, Tensor]:
        plan = sslreg.ViewPlan(self._values)
        samples = [sslreg.Sample(image, index=0, epoch=0) for image in images]
        views = self._run(sslreg.Collate([plan], seed=self._seed), samples).to(self._device)
        with self._lock, torch.inference_mode():
            return {subject: function(model)(views).float().cpu() for subject, model in self._models.items()}

    @staticmethod
    def _run(collate: sslreg.Collate, samples: Sequence[sslreg.Sample]) -> Tensor:
        batch = collate(samples)
        assert isinstance(batch, sslreg.Batch)  # only a collate function with a device defers work
        return batch.views[0]
