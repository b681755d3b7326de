"""From a spec to the objects it names."""

from sslreg.assembly.builder import Builder, build
from sslreg.assembly.collates import (
    build_collate,
    build_embed_collate,
    build_raw_collate,
    embed_plan,
    first_view,
    view_plans,
)
from sslreg.assembly.pipeline import (
    NamedEvaluator,
    Pipeline,
    assemble,
    build_loss,
    build_model,
    evaluation_sets,
    named_evaluators,
)
from sslreg.assembly.samples import SampleDataset
from sslreg.assembly.stand_ins import WithStandIns
from sslreg.assembly.workers import leave_signals_to_parent

__all__ = [
    "Builder",
    "NamedEvaluator",
    "Pipeline",
    "SampleDataset",
    "WithStandIns",
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
