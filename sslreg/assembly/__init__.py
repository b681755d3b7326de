"""Builds the objects that a spec describes."""

from sslreg.assembly.baselines import build_baseline, require_patches
from sslreg.assembly.builder import (
    Builder,
    build,
    find_component,
    find_loaded_weights,
    starts_from_weights,
    without_weights,
)
from sslreg.assembly.collate_functions import (
    build_collate,
    build_embed_collate,
    build_raw_pixels_collate,
    make_views,
)
from sslreg.assembly.component_failures import blame_components, is_machine_failure
from sslreg.assembly.data_split import (
    DatasetBuilder,
    build_datasets,
    count_samples,
    describe_missing_classes,
    describe_parts,
)
from sslreg.assembly.evaluators import (
    Guard,
    NamedEvaluator,
    build_evaluation_sets,
    build_evaluators,
    choose_guard_figure,
    require_best_figure,
    require_leading_geometry,
    require_patch_backbone,
)
from sslreg.assembly.image_readers import ImageLoader, build_image_loader, build_readers
from sslreg.assembly.parameter_groups import list_parameter_groups
from sslreg.assembly.pipeline import Pipeline, assemble, build_loss, build_model
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.assembly.trial import try_spec
from sslreg.assembly.unreadable_images import ReplaceUnreadable
from sslreg.assembly.view_builder import build_embed_plan, build_fine_tuning_plan, build_view_plans
from sslreg.assembly.view_explanation import explain_views
from sslreg.assembly.view_trial import ViewShape, find_view_shapes

__all__ = [
    "Builder",
    "DatasetBuilder",
    "Guard",
    "ImageLoader",
    "NamedEvaluator",
    "Pipeline",
    "ReplaceUnreadable",
    "SampleDataset",
    "ViewShape",
    "assemble",
    "blame_components",
    "build",
    "build_baseline",
    "build_collate",
    "build_datasets",
    "build_embed_collate",
    "build_embed_plan",
    "build_evaluation_sets",
    "build_evaluators",
    "build_fine_tuning_plan",
    "build_image_loader",
    "build_loss",
    "build_model",
    "build_raw_pixels_collate",
    "build_readers",
    "build_view_plans",
    "choose_guard_figure",
    "count_samples",
    "describe_missing_classes",
    "describe_parts",
    "explain_views",
    "find_component",
    "find_loaded_weights",
    "find_view_shapes",
    "is_machine_failure",
    "list_parameter_groups",
    "make_views",
    "require_best_figure",
    "require_leading_geometry",
    "require_patch_backbone",
    "require_patches",
    "starts_from_weights",
    "try_spec",
    "without_weights",
]
