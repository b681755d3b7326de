"""From a spec to the objects it names."""

from sslreg.assembly.builder import Builder, build
from sslreg.assembly.loader_workers import leave_signals_to_parent
from sslreg.assembly.pipeline import (
    NamedEvaluator,
    Pipeline,
    assemble,
    build_loss,
    build_model,
    evaluation_sets,
    named_evaluators,
)
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.assembly.unreadable_images import ReplaceUnreadable
from sslreg.assembly.view_plans import (
    build_collate,
    build_embed_collate,
    build_raw_collate,
    embed_plan,
    first_view,
    view_plans,
)

__all__ = [
    "Builder",
    "NamedEvaluator",
    "Pipeline",
    "ReplaceUnreadable",
    "SampleDataset",
    "assemble",
    "build",
    "build_collate",
    "build_embed_collate",
    "build_loss",
    "build_model",
    "build_raw_collate",
    "embed_plan",
    "evaluation_sets",
    "first_view",
    "leave_signals_to_parent",
    "named_evaluators",
    "view_plans",
]
