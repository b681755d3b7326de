"""sslreg: self-supervised learning on images, from plugins and a YAML spec.

This module exports the whole public API. Each name is imported on first use, so importing the package is cheap and
does not import torch; a plugin's module may import it freely.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sslreg.version import __version__ as __version__

if TYPE_CHECKING:
    from sslreg.assembly import (
        SampleDataset as SampleDataset,
        ViewShape as ViewShape,
        build as build,
        build_collate as build_collate,
        build_datasets as build_datasets,
        build_embed_plan as build_embed_plan,
        build_readers as build_readers,
        explain_views as explain_views,
        find_view_shapes as find_view_shapes,
        try_spec as try_spec,
    )
    from sslreg.atomic_files import atomic_write as atomic_write
    from sslreg.axis import Axis as Axis
    from sslreg.cli.requeue import requeue_on_timeout as requeue_on_timeout
    from sslreg.contracts import (
        IGNORED_PIXEL as IGNORED_PIXEL,
        Augmentation as Augmentation,
        Backbone as Backbone,
        BackboneEvaluator as BackboneEvaluator,
        BackboneRun as BackboneRun,
        Batch as Batch,
        CosineValue as CosineValue,
        Dataset as Dataset,
        DecodingRequest as DecodingRequest,
        Embeddings as Embeddings,
        EpochBatches as EpochBatches,
        EvaluatedRun as EvaluatedRun,
        Evaluator as Evaluator,
        ImageLike as ImageLike,
        Images as Images,
        Keys as Keys,
        LabeledPatches as LabeledPatches,
        LinearValue as LinearValue,
        LoadedWeights as LoadedWeights,
        Loss as Loss,
        Masks as Masks,
        MaskSampler as MaskSampler,
        MemoryBank as MemoryBank,
        Model as Model,
        Params as Params,
        Part as Part,
        PartialImage as PartialImage,
        PartialReader as PartialReader,
        PatchBackbone as PatchBackbone,
        PatchEvaluator as PatchEvaluator,
        Pixels as Pixels,
        PlainModule as PlainModule,
        Reader as Reader,
        Sample as Sample,
        ScheduledValue as ScheduledValue,
        SegmentationMask as SegmentationMask,
        SegmentedImages as SegmentedImages,
        Source as Source,
        StepCounter as StepCounter,
        StepOutput as StepOutput,
        SupportsAspects as SupportsAspects,
        SupportsFusion as SupportsFusion,
        SupportsHostParams as SupportsHostParams,
        SupportsPartialDecoding as SupportsPartialDecoding,
        SupportsStrength as SupportsStrength,
        SupportsUint8 as SupportsUint8,
        follow as follow,
        forward_by_size as forward_by_size,
        frozen as frozen,
        layer_decay as layer_decay,
        momentum_copy as momentum_copy,
        patch_indices as patch_indices,
        sine_cosine_embeddings as sine_cosine_embeddings,
        split_weight_decay as split_weight_decay,
    )
    from sslreg.errors import (
        Diagnostic as Diagnostic,
        InterruptedRunError as InterruptedRunError,
        SslregError as SslregError,
        StoppedRunError as StoppedRunError,
        UserError as UserError,
    )
    from sslreg.escaping import escape_text as escape_text
    from sslreg.evaluation.embedding_statistics import (
        describe_collapse as describe_collapse,
        effective_rank as effective_rank,
        singular_values as singular_values,
    )
    from sslreg.evaluation.nearest_neighbors import nearest_neighbors as nearest_neighbors
    from sslreg.evaluation.raw_pixels import project_pixels as project_pixels
    from sslreg.images import (
        LUMA as LUMA,
        EncodedImage as EncodedImage,
        Readers as Readers,
        image_extensions as image_extensions,
        load_image as load_image,
        pixels_from_pil as pixels_from_pil,
        read_pixels as read_pixels,
    )
    from sslreg.kernel_cache import cache_kernel as cache_kernel
    from sslreg.kernel_fallback import KernelFallback as KernelFallback
    from sslreg.metric_names import format_guard as format_guard
    from sslreg.process_lock import ProcessLock as ProcessLock
    from sslreg.registry import (
        Catalog as Catalog,
        ComponentInfo as ComponentInfo,
        Registry as Registry,
        hookimpl as hookimpl,
        installed as installed,
    )
    from sslreg.report import (
        Preview as Preview,
        Previewer as Previewer,
        preview as preview,
        write_report as write_report,
    )
    from sslreg.report.charts import build_chart as build_chart
    from sslreg.report.curve_charts import curve_charts as curve_charts
    from sslreg.report.denormalization import to_pil_image as to_pil_image
    from sslreg.report.embedding_map import EmbeddingMap as EmbeddingMap, map_embeddings as map_embeddings
    from sslreg.report.figure_files import save_figure as save_figure
    from sslreg.report.html_pages import data_uri as data_uri, render_page as render_page
    from sslreg.report.invariance_profile import (
        ProfileSubject as ProfileSubject,
        build_profile as build_profile,
        profile_results as profile_results,
    )
    from sslreg.report.label_curves import label_curves as label_curves
    from sslreg.report.nearest_images import format_similarities as format_similarities
    from sslreg.report.patch_pictures import color_components as color_components
    from sslreg.report.reported_runs import RunResults as RunResults, collect_results as collect_results
    from sslreg.report.tables import (
        PageTable as PageTable,
        comparison_table as comparison_table,
        differences_table as differences_table,
        evaluation_table as evaluation_table,
        summary_table as summary_table,
        versions_table as versions_table,
    )
    from sslreg.report.unavailable import Unavailable as Unavailable
    from sslreg.runs import Run as Run, load_run as load_run
    from sslreg.runs.curve_reader import Curve as Curve, CurveReader as CurveReader
    from sslreg.runs.folder import RunFolder as RunFolder
    from sslreg.runs.listing import RunListing as RunListing, list_runs as list_runs
    from sslreg.runs.queries import filter_runs as filter_runs
    from sslreg.runs.records import RunRecord as RunRecord
    from sslreg.runs.run_index import IndexedRun as IndexedRun, RunIndex as RunIndex
    from sslreg.runs.seed_groups import average_over_seeds as average_over_seeds
    from sslreg.spec import (
        ComponentSpec as ComponentSpec,
        Spec as Spec,
        induced_invariances as induced_invariances,
        load_spec as load_spec,
        parse_spec as parse_spec,
    )
    from sslreg.spec.bounds import enforce_bounds as enforce_bounds
    from sslreg.spec.from_run import FromRun as FromRun
    from sslreg.spec.json_schema import json_schema as json_schema
    from sslreg.spec.yaml_dump import dump_yaml as dump_yaml, load_yaml as load_yaml
    from sslreg.suggestions import did_you_mean as did_you_mean
    from sslreg.training.loop import train as train
    from sslreg.training.resume import resume as resume, train_or_resume as train_or_resume
    from sslreg.training.untrained_evaluation import evaluate_untrained as evaluate_untrained
    from sslreg.user_cache import is_own_file as is_own_file, user_cache_path as user_cache_path
    from sslreg.views import (
        Collate as Collate,
        DeferredBatch as DeferredBatch,
        Operation as Operation,
        ViewPlan as ViewPlan,
        WithProbability as WithProbability,
        apply_where as apply_where,
        empty_result as empty_result,
        may_compile as may_compile,
        noise_like as noise_like,
        to_float as to_float,
    )

#: The public names that each module exports.
_EXPORTS = {
    "sslreg.assembly": (
        "SampleDataset ViewShape build build_collate build_datasets build_embed_plan build_readers explain_views "
        "find_view_shapes try_spec"
    ),
    "sslreg.cli.requeue": "requeue_on_timeout",
    "sslreg.contracts": (
        "Augmentation Backbone BackboneEvaluator BackboneRun Batch CosineValue Dataset DecodingRequest Embeddings "
        "EpochBatches EvaluatedRun Evaluator IGNORED_PIXEL ImageLike Images Keys LabeledPatches LinearValue "
        "LoadedWeights Loss MaskSampler Masks MemoryBank Model Params Part PartialImage PartialReader "
        "PatchBackbone PatchEvaluator Pixels PlainModule Reader Sample ScheduledValue SegmentationMask "
        "SegmentedImages Source StepCounter StepOutput SupportsAspects SupportsFusion SupportsHostParams "
        "SupportsPartialDecoding SupportsStrength SupportsUint8 follow forward_by_size frozen layer_decay "
        "momentum_copy patch_indices sine_cosine_embeddings split_weight_decay"
    ),
    "sslreg.atomic_files": "atomic_write",
    "sslreg.axis": "Axis",
    "sslreg.errors": "Diagnostic InterruptedRunError SslregError StoppedRunError UserError",
    "sslreg.escaping": "escape_text",
    "sslreg.evaluation.embedding_statistics": "describe_collapse effective_rank singular_values",
    "sslreg.evaluation.nearest_neighbors": "nearest_neighbors",
    "sslreg.evaluation.raw_pixels": "project_pixels",
    "sslreg.images": "EncodedImage LUMA Readers image_extensions load_image pixels_from_pil read_pixels",
    "sslreg.kernel_cache": "cache_kernel",
    "sslreg.kernel_fallback": "KernelFallback",
    "sslreg.metric_names": "format_guard",
    "sslreg.process_lock": "ProcessLock",
    "sslreg.registry": "Catalog ComponentInfo Registry hookimpl installed",
    "sslreg.report": "Preview Previewer preview write_report",
    "sslreg.report.charts": "build_chart",
    "sslreg.report.curve_charts": "curve_charts",
    "sslreg.report.figure_files": "save_figure",
    "sslreg.report.html_pages": "data_uri render_page",
    "sslreg.report.invariance_profile": "ProfileSubject build_profile profile_results",
    "sslreg.report.label_curves": "label_curves",
    "sslreg.report.reported_runs": "RunResults collect_results",
    "sslreg.report.tables": (
        "PageTable comparison_table differences_table evaluation_table summary_table versions_table"
    ),
    "sslreg.report.denormalization": "to_pil_image",
    "sslreg.report.embedding_map": "EmbeddingMap map_embeddings",
    "sslreg.report.nearest_images": "format_similarities",
    "sslreg.report.patch_pictures": "color_components",
    "sslreg.report.unavailable": "Unavailable",
    "sslreg.spec": "ComponentSpec Spec induced_invariances load_spec parse_spec",
    "sslreg.spec.bounds": "enforce_bounds",
    "sslreg.spec.from_run": "FromRun",
    "sslreg.spec.json_schema": "json_schema",
    "sslreg.spec.yaml_dump": "dump_yaml load_yaml",
    "sslreg.runs": "Run load_run",
    "sslreg.runs.curve_reader": "Curve CurveReader",
    "sslreg.runs.folder": "RunFolder",
    "sslreg.runs.listing": "RunListing list_runs",
    "sslreg.runs.queries": "filter_runs",
    "sslreg.runs.records": "RunRecord",
    "sslreg.runs.run_index": "IndexedRun RunIndex",
    "sslreg.runs.seed_groups": "average_over_seeds",
    "sslreg.suggestions": "did_you_mean",
    "sslreg.training.loop": "train",
    "sslreg.training.resume": "resume train_or_resume",
    "sslreg.training.untrained_evaluation": "evaluate_untrained",
    "sslreg.user_cache": "is_own_file user_cache_path",
    "sslreg.views": (
        "Collate DeferredBatch Operation ViewPlan WithProbability apply_where empty_result may_compile noise_like "
        "to_float"
    ),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names.split()}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'sslreg' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
