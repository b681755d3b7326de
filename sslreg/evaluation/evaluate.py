"""Runs evaluators on the features of a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import NamedEvaluator, SampleDataset, blame_components, build_fine_tuning_plan
from sslreg.contracts import (
    Backbone,
    BackboneEvaluator,
    Embeddings,
    Evaluator,
    LabeledPatches,
    Model,
    PatchBackbone,
    PatchEvaluator,
)
from sslreg.errors import UserError, type_name
from sslreg.evaluation.backbone_training import BackboneTraining
from sslreg.evaluation.checksum import checksum_tensor, checksum_weights
from sslreg.evaluation.feature_extraction import EvaluationImages, FeatureExtractor
from sslreg.evaluation.patch_extraction import PatchExtractor
from sslreg.evaluation.progress import EvaluationProgress
from sslreg.spec import Spec
from sslreg.views import Collate, SegmentationCollate


@dataclass
class ExtractedFeatures:
    """The features that evaluators judge; None of those that no evaluator needs.

    Attributes:
        extractor: extracts features of single images; the run that evaluators get.
        embeddings: the embeddings of the reference set and of the test set.
        reference_patches: the patches of the reference set.
        patches: extracts features of the patches of the test set.
        backbone: the backbone that computed the features; None for raw pixels.
    """

    extractor: FeatureExtractor
    embeddings: tuple[Embeddings, Embeddings] | None = None
    reference_patches: LabeledPatches | None = None
    patches: PatchExtractor | None = None
    backbone: Backbone | None = None


@dataclass
class Evaluation:
    """The data on which features are evaluated.

    Attributes:
        spec: the spec, for the locations of errors.
        reference: the data set on which evaluators fit.
        test: the data set on which evaluators test.
        collate: makes the view that is embedded.
        device: where features are computed.
        progress: shows how far an evaluation is.
        compute_checksum: whether to compute the checksums when a model is evaluated, which takes about a millisecond
            per photograph.
        checksum: a checksum of the images of the embedding view that a model got, and of their class numbers; None
            before any evaluator of embeddings has run.
        patch_checksum: the same of images and their masks; None before any evaluator of patches has run.
        image_shape: the shape (C, H, W) of the first images that a model got; None before.
        unfinished: the folder in which evaluators that train a backbone keep their states until they finish; None to
            keep none.
    """

    spec: Spec
    reference: SampleDataset
    test: SampleDataset
    collate: Collate
    device: torch.device
    progress: EvaluationProgress = field(default_factory=EvaluationProgress)
    compute_checksum: bool = False
    checksum: int | None = None
    patch_checksum: int | None = None
    image_shape: tuple[int, int, int] | None = None
    unfinished: Path | None = None

    def evaluate_model(
        self,
        model: Model,
        evaluators: Iterable[NamedEvaluator],
        select: Callable[[Sequence[NamedEvaluator]], Sequence[NamedEvaluator]] | None = None,
    ) -> dict[str, float]:
        """Return the metrics of a model's features. The model is in eval mode meanwhile.

        Args:
            model: the model.
            evaluators: the evaluators.
            select: returns those of them that run. It is called once the checksums are known; by default, all run.

        Raises:
            UserError: an evaluator cannot evaluate the data.
            SslregError: the code of the model or of an evaluator raises something else.
        """
        evaluators = list(evaluators)
        was_training = model.training
        model.eval()
        try:
            with blame_components(self.spec):
                patch_function = model.backbone.patches if isinstance(model.backbone, PatchBackbone) else None
                features = self.extract_features(self.collate, evaluators, model.embed, patch_function)
                features.backbone = model.backbone
            return self.run_evaluators(features, evaluators if select is None else select(evaluators))
        finally:
            model.train(was_training)

    def extract_features(
        self,
        collate: Collate,
        evaluators: Sequence[NamedEvaluator],
        function: Callable[[Tensor], Tensor],
        patch_function: Callable[[Tensor], Tensor] | None,
        *,
        center: bool = False,
    ) -> ExtractedFeatures:
        """Extract the features that some evaluators need.

        Args:
            collate: makes the view of which features are computed.
            evaluators: the evaluators.
            function: computes features (N, D) of images (N, C, H, W) on the device.
            patch_function: computes features (N, rows, columns, D) of their patches; None if there are no patches.
            center: whether to subtract the means over the reference set, as for raw pixels. These are no images that
                models get, so that no checksums are computed.
        """
        features = ExtractedFeatures(
            FeatureExtractor(collate, function, self.device, self.spec.data.workers, self._images)
        )
        judges_patches = [isinstance(entry.evaluator, PatchEvaluator) for entry in evaluators]
        if not all(judges_patches) or not evaluators:
            features.embeddings = self._embed_sets(features.extractor, center)
        if any(judges_patches):
            assert patch_function is not None  # `require_patch_backbone` has refused other backbones
            features.patches = PatchExtractor(
                SegmentationCollate.like(collate), patch_function, self.device, self.spec.data.workers
            )
            features.reference_patches = self._embed_reference_patches(features.patches, center)
            if self.compute_checksum and not center:
                self._compute_patch_checksum(features.patches)
        return features

    def _embed_sets(self, extractor: FeatureExtractor, center: bool) -> tuple[Embeddings, Embeddings]:
        """Embed the reference set and the test set."""
        function, total = extractor.function, len(self.reference) + len(self.test)
        compute_checksum = self.compute_checksum and not center
        checksum = done = 0

        def observe(images: Tensor) -> Tensor:
            nonlocal checksum, done
            if not center:
                self._note_shape(images)
            if compute_checksum:
                checksum = checksum_tensor(images, checksum)
            features = function(images)
            done += len(images)
            self.progress.report("embedding images", done, total)
            return features

        self.progress.report("embedding images", 0, total)
        extractor.function = observe
        try:
            reference, test = extractor.embeddings(self.reference), extractor.embeddings(self.test)
        finally:
            extractor.function = function
        if compute_checksum:
            columns = (column for part in (reference, test) for column in (part.targets, part.indices))
            for column in columns:
                checksum = checksum if column is None else checksum_tensor(column, checksum)
            self.checksum = checksum
        if center:
            extractor.mean = reference.features.mean(dim=0)
            for embeddings in (reference, test):
                embeddings.features.sub_(extractor.mean)
        return reference, test

    def _embed_reference_patches(self, extractor: PatchExtractor, center: bool) -> LabeledPatches:
        extractor.checksum = 0 if self.compute_checksum and not center else None
        extractor.report = partial(self.progress.report, "embedding patches", total=len(self.reference))
        reference = extractor.labeled_patches(self.reference)
        if center:
            extractor.mean = reference.features.mean(dim=0)
            reference.features.sub_(extractor.mean)
        return reference

    def _compute_patch_checksum(self, extractor: PatchExtractor) -> None:
        """Continue the checksum of the reference set with the test set, without computing features."""
        report = partial(self.progress.report, "reading masks", total=len(self.test))
        reader = replace(extractor, function=self._return_no_features, report=report, mean=None)
        for _ in reader.segmented_images(self.test):
            pass
        self.patch_checksum = reader.checksum

    def _return_no_features(self, images: Tensor) -> Tensor:
        self._note_shape(images)
        return torch.zeros(len(images), 1, 1, 1)

    def _note_shape(self, images: Tensor) -> None:
        if self.image_shape is None:
            _, channels, height, width = images.shape
            self.image_shape = channels, height, width

    def checksum_for(self, evaluator: Evaluator) -> int | None:
        """Return the checksum of the data that an evaluator gets."""
        return self.patch_checksum if isinstance(evaluator, PatchEvaluator) else self.checksum

    @cached_property
    def _images(self) -> EvaluationImages:
        return EvaluationImages(self.test, self.collate)

    def run_evaluators(self, features: ExtractedFeatures, evaluators: Sequence[NamedEvaluator]) -> dict[str, float]:
        """Return the metrics of all evaluators, prefixed by their names.

        Evaluators that train a backbone have none if there is no backbone.
        """
        metrics: dict[str, float] = {}
        for number, entry in enumerate(evaluators):
            if isinstance(entry.evaluator, BackboneEvaluator) and features.backbone is None:
                continue
            self.progress.report(entry.name, number, len(evaluators))
            try:
                with blame_components(self.spec, allowed=ValueError):
                    values = self._run_evaluator(features, entry)
            except ValueError as error:
                raise self.spec.error(entry.component.path, "cannot-evaluate", f"{entry.name}: {error}") from error
            metrics.update({f"{entry.name}_{metric}": value for metric, value in self._read_metrics(entry, values)})
        return metrics

    def _run_evaluator(self, features: ExtractedFeatures, entry: NamedEvaluator) -> Any:
        if isinstance(entry.evaluator, BackboneEvaluator):
            assert features.embeddings is not None
            assert features.backbone is not None
            training = self._prepare_training(features.backbone, entry)
            with training.started():
                return entry.evaluator.evaluate_backbone(*features.embeddings, training)
        if not isinstance(entry.evaluator, PatchEvaluator):
            assert features.embeddings is not None
            return entry.evaluator.evaluate(*features.embeddings, features.extractor)
        assert features.patches is not None
        assert features.reference_patches is not None
        extractor = replace(
            features.patches,
            report=partial(self.progress.report, f"{entry.name} on patches", total=len(self.test)),
            checksum=None,
        )
        test = extractor.segmented_images(self.test)
        return entry.evaluator.evaluate_patches(features.reference_patches, test, features.extractor)

    def _prepare_training(self, backbone: Backbone, entry: NamedEvaluator) -> BackboneTraining:
        return BackboneTraining(
            evaluated=backbone,
            reference=self.reference,
            test=self.test,
            collate=self.collate,
            training_view=build_fine_tuning_plan(self.spec),
            device=self.device,
            report=partial(self.progress.report, f"{entry.name}, steps"),
            seed=self.spec.seed,
            workers=self.spec.data.workers,
            precision=str(self.spec.trainer.get("precision")),
            state_file=None if self.unfinished is None else self.unfinished / self._name_state(backbone, entry),
        )

    def _name_state(self, backbone: Backbone, entry: NamedEvaluator) -> str:
        """Return the name of the file for the state of an evaluation, which tells all that the state depends on."""
        spec = self.spec.to_dict()
        parameters: Any = spec
        for step in entry.component.path:
            parameters = parameters[step]
        sections = {section: spec.get(section) for section in ("seed", "data", "views", "embed_view")}
        sizes = len(self.reference), len(self.test)
        text = json.dumps(
            [checksum_weights(backbone), parameters, sections, sizes, self.device.type], sort_keys=True, default=str
        )
        return f"{entry.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"

    def _read_metrics(self, entry: NamedEvaluator, values: Any) -> list[tuple[str, float]]:
        """Return the names and values of metrics. Raises UserError if an evaluator returned something else."""
        if not isinstance(values, Mapping):
            raise self._broken_evaluator(entry, f"a {type_name(values)}")
        metrics = []
        for metric, value in values.items():
            try:
                if isinstance(value, str):
                    raise TypeError
                metrics.append((str(metric), float(value)))
            except (TypeError, ValueError, RuntimeError) as error:
                raise self._broken_evaluator(entry, f"a {type_name(value)} under {str(metric)!r}") from error
        return metrics

    def _broken_evaluator(self, entry: NamedEvaluator, returned: str) -> UserError:
        return self.spec.error(
            entry.component.path,
            "broken-component",
            f"{entry.component.info}: evaluate returned {returned}",
            "return the value of each metric by its name, as a dict of floats",
        )
